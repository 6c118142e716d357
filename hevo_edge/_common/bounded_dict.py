"""A dict that keeps its latest entries only, by number and by age."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(Generic[K, V]):
    """The latest entries. What is dropped for a new one is returned, the oldest first.

    Args:
        most: How many entries are kept.
        longest: The seconds for which each is kept; None for any time.
    """

    def __init__(self, most: int, longest: float | None = None) -> None:
        self._most = most
        self._longest = longest
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return the value of a key; None without one."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def set(self, key: K, value: V, now: float) -> list[tuple[K, V]]:
        """Set the latest entry, at a time in seconds; return the entries that are dropped."""
        self._entries[key] = value, now
        self._entries.move_to_end(key)
        dropped = []
        while self._entries and self._has_too_many(now):
            old, (its_value, _) = self._entries.popitem(last=False)
            dropped.append((old, its_value))
        return dropped

    def discard(self, key: K) -> None:
        """Remove an entry, if there is one."""
        self._entries.pop(key, None)

    def _has_too_many(self, now: float) -> bool:
        if len(self._entries) > self._most:
            return True
        _, set_at = next(iter(self._entries.values()))
        return self._longest is not None and now - set_at > self._longest
