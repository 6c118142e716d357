"""Which event loop runs, and state that belongs to one, made anew for each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Generic, TypeVar

from hevo_edge.errors import ConfigurationError, HevoError

T = TypeVar("T")

_FIRST_PID = os.getpid()


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        ConfigurationError: when asyncio has none here, as under trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    why = (
        "hevo_edge needs asyncio, and no event loop of asyncio runs here. Under anyio choose its "
        'asyncio backend, under trio enter it by trio-asyncio (or call "asyncio.run" in a thread), '
        "from synchronous code use hevo_edge.orchestration.run"
    )
    if os.getpid() != _FIRST_PID:
        why += (
            ". This process was forked; where that happened inside a coroutine, the event loop is "
            "the parent's alone: leave the coroutine, and call asyncio.run with a client of its own"
        )
    raise ConfigurationError(why)


def has_loop() -> bool:
    """Say whether an event loop runs here; what is collected after its loop has none."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def loop_time() -> float:
    """Return the running loop's time, in seconds."""
    return running_loop().time()


class PerLoop(Generic[T]):
    """One value for each event loop, made on first use; values of closed loops are dropped.

    What belongs to a loop of the process from which this one was forked is neither used nor
    dropped: its sockets are the parent's, and closing them here would disturb them there.

    Args:
        make: Makes a value, inside the loop that it is for.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}
        self._pid = os.getpid()

    def get(self) -> T:
        """Return the running loop's value, made on first use.

        Raises:
            HevoError: on first use, when another loop that has a value is running too; when a loop
                of the process from which this one was forked has a value, and is not closed.
        """
        self._check_process()
        loop = running_loop()
        if loop not in self._values:
            self._drop_closed()
            if any(other.is_running() for other in self._values):
                raise HevoError(
                    "this HevoClient is in use in another event loop that is still running, in "
                    "another thread perhaps; orchestration.run_shared lets threads share a loop, "
                    "else make a client for each, with RateLimit(shared=True)"
                )
            self._values[loop] = self._make()
        return self._values[loop]

    def peek(self) -> T | None:
        """Return the value if the running loop already has one."""
        loop = running_loop()
        return None if self._is_inherited else self._values.get(loop)

    def all(self) -> list[T]:
        """Return the values of all loops that are not closed, the latest made first."""
        if self._is_inherited:
            return []
        return [value for loop, value in reversed(self._values.items()) if not loop.is_closed()]

    @property
    def _is_inherited(self) -> bool:
        return self._pid != os.getpid()

    def _check_process(self) -> None:
        if self._is_inherited:
            self._drop_closed()
            if self._values:
                raise HevoError(
                    "this process was forked from one in which this HevoClient is in use, and "
                    "connections cannot be shared over a fork; make a client in this process, in "
                    "Celery by the signal worker_process_init"
                )
            self._pid = os.getpid()

    def _drop_closed(self) -> None:
        self._values = {loop: value for loop, value in self._values.items() if not loop.is_closed()}
