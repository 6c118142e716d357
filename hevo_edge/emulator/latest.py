"""A list that keeps its latest items, for an emulator that runs for months."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Latest(list[T]):
    """A list of the latest items: beyond its limit, appending drops the oldest.

    Args:
        limit: How many items are kept; None for all.
        may_drop: Says of the oldest item whether it may be dropped yet.
    """

    def __init__(
        self, limit: int | None = None, may_drop: Callable[[T], bool] = lambda _: True
    ) -> None:
        super().__init__()
        self.limit: int | None = limit
        self._may_drop = may_drop

    def append(self, item: T, /) -> None:
        """Append an item, and drop what is beyond the limit."""
        super().append(item)
        while self.limit is not None and len(self) > self.limit and self._may_drop(self[0]):
            del self[0]
