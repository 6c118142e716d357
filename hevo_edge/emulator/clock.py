"""The emulator's clock."""

from __future__ import annotations

import asyncio
import time


class EmulatorClock:
    """Emulator seconds since 1970: the time of an event loop, multiplied by ``speed``.

    It stands still until it is attached to a loop.

    Args:
        start: Its time at the start; None for now.
        speed: Emulator seconds per second.
    """

    def __init__(self, start: float | None, speed: float) -> None:
        self.speed: float = speed
        self._epoch = time.time() if start is None else start
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_start = 0.0

    @property
    def now(self) -> float:
        """The time, in seconds since 1970."""
        if self._loop is None:
            return self._epoch
        return self._epoch + (self._loop.time() - self._loop_start) * self.speed

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run on a loop's time from now on, without a jump: every loop counts from its own zero."""
        if self._loop is not loop:
            self._epoch, self._loop, self._loop_start = self.now, loop, loop.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep for emulator seconds."""
        await asyncio.sleep(seconds / self.speed)
