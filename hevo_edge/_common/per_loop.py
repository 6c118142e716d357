"""State that belongs to one event loop, made anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from hevo_edge.errors import HevoError

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value for each event loop, made on first use; values of closed loops are dropped.

    Args:
        make: Makes a value, inside the loop that it is for.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Return the running loop's value, made on first use.

        Raises:
            HevoError: on first use, when another loop that has a value is running too.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            self._values = {
                other: value for other, value in self._values.items() if not other.is_closed()
            }
            if any(other.is_running() for other in self._values):
                raise HevoError(
                    "this HevoClient is in use in another event loop that is still running, in "
                    "another thread perhaps; make one client for each"
                )
            self._values[loop] = self._make()
        return self._values[loop]

    def peek(self) -> T | None:
        """Return the value if the running loop already has one."""
        return self._values.get(asyncio.get_running_loop())

    def all(self) -> list[T]:
        """Return the values of all loops that are not closed, the latest made first."""
        return [value for loop, value in reversed(self._values.items()) if not loop.is_closed()]
