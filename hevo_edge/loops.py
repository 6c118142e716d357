"""State that belongs to one event loop, made anew when another loop takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from hevo_edge.errors import HevoError

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Holds what ``make`` made for the running loop; a client outlives its loops.

    Raises (from ``get``):
        HevoError: when the loop before is still running.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._value: T | None = None

    def get(self) -> T:
        """Return the running loop's value, made on first use."""
        loop = asyncio.get_running_loop()
        if self._value is None or self._loop is not loop:
            if self._loop is not None and self._loop is not loop and self._loop.is_running():
                raise HevoError(
                    "this HevoClient is in use in another event loop that is still running, in "
                    "another thread perhaps; make one client for each"
                )
            self._loop, self._value = loop, self._make()
        return self._value

    def peek(self) -> T | None:
        """Return the value if the running loop already has one."""
        return self._value if self._loop is asyncio.get_running_loop() else None
