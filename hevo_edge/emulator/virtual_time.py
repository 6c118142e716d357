"""An event loop whose time jumps: hours of polling over real sockets in milliseconds.

Whenever nothing is ready, the clock jumps to the next timer instead of waiting for it. Sockets are
real, so client and emulator talk HTTP as ever; what jumps is only the waiting. Both must run in
this one loop, and talk over loopback, where what was sent can be read at once.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE = 0.001
"""Real seconds for a byte to cross loopback before time jumps."""

_NUDGE = 1e-9
"""Virtual seconds on top of every jump, so that rounding never stops just short of a timer."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for sockets as ever, but reports instead of sleeping when none is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; when nothing is, let ``timeout`` seconds pass at once."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        ready = super().select(_GRACE if timeout is not None else None)
        if not ready and timeout is not None:
            self.jumped += timeout + _NUDGE
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time; ``asyncio.Runner(loop_factory=VirtualTimeLoop)``.

    Work in other threads (a name look-up, say) is not waited for: use addresses, not names.
    """

    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        self._start = time.monotonic()
        super().__init__(self._jumps)

    def time(self) -> float:
        """Return the virtual time in seconds: it stands still while code runs."""
        return self._start + self._jumps.jumped


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, like ``asyncio.run``."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 -- documented, for loop authors
        main.close()
        raise RuntimeError("run() cannot be called from a running event loop")
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_cancel_the_rest())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _cancel_the_rest() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
