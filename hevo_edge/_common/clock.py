"""The one seam for time, sleep and randomness.

Time is the running event loop's clock, so that under a virtual-time loop hours of polling take
milliseconds, client and emulator alike; randomness is one seedable generator per client.
"""

from __future__ import annotations

import asyncio
import random
import time

from hevo_edge._common.per_loop import running_loop


class Clock:
    """Monotonic time, sleeping, and the random numbers for jitter.

    Args:
        seed: Makes the jitter repeatable; None takes it from the system.
    """

    def __init__(self, seed: int | None = None) -> None:
        # A forked child would repeat what a generator in memory gives its parent.
        self.random: random.Random = (
            random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 -- jitter
        )

    def now(self) -> float:
        """Return the running loop's monotonic time, in seconds."""
        return running_loop().time()

    def wall(self) -> float:
        """Return this machine's time in seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep for so many seconds."""
        await asyncio.sleep(seconds)
