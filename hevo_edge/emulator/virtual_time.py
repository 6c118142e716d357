"""An event loop with virtual time: hours of polling over real sockets in milliseconds.

Whenever nothing is ready, the clock jumps to the next timer instead of waiting for it. Sockets are
real, so client and emulator exchange HTTP as usual; only the waits are skipped. Both must run in
this one loop and connect over loopback, where sent bytes can be read at once.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE = 0.001
"""Real seconds that a byte may take over loopback before time jumps."""

_ROUNDING = 1e-9
"""Virtual seconds added to every jump, so that rounding never stops just before a timer."""


class _VirtualSelector(selectors.DefaultSelector):
    """Polls the sockets, and counts the time-out as passed when none is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; when nothing is, count ``timeout`` seconds as passed."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        ready = super().select(_GRACE if timeout is not None else None)
        if not ready and timeout is not None:
            self.skipped += timeout + _ROUNDING
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time; ``asyncio.Runner(loop_factory=VirtualTimeLoop)``.

    Work in other threads (a name look-up, for one) is only waited for at the end: use addresses,
    not names.
    """

    def __init__(self) -> None:
        self._clock_selector = _VirtualSelector()
        self._start = time.monotonic()
        super().__init__(self._clock_selector)

    def time(self) -> float:
        """Return the virtual time in seconds: it stands still while code runs."""
        return self._start + self._clock_selector.skipped

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ARG002 -- asyncio's, from Python 3.12 on
    ) -> None:
        """Wait for the threads without a limit: theirs is real time, which asyncio's would skip."""
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, like ``asyncio.run``."""
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 -- documented, for loop authors
        main.close()
        raise RuntimeError("run() cannot be called from a running event loop")
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_cancel_remaining_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _cancel_remaining_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
