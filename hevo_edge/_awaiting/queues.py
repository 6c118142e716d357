"""The watcher's two queues: by when an item is due, and by value but fair to all.

Pure data structures: no time passes here, and nothing waits.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_SLACK = 64
_ITEM = 2
_BY_AGE = 4
"""One choice in so many takes the item that has waited longest, whatever its value: so none
starves.
"""
_CANDIDATES = 16
"""How many are compared otherwise. The best of sixteen drawn at random is among the best few of a
hundred, and so is the best of sixteen of ten thousand, at the same cost.
"""


class DueQueue(Generic[T]):
    """Items and when they are due; each change costs O(log n)."""

    def __init__(self) -> None:
        # Each is [when, a number of its own, the item]; an outdated one holds no item any more.
        self._entries: dict[T, list[Any]] = {}
        self._heap: list[list[Any]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, item: T, at: float) -> None:
        """Set when an item is due; an earlier setting is replaced."""
        self._drop(item)
        self._count += 1
        self._entries[item] = entry = [at, self._count, item]
        heappush(self._heap, entry)
        self._tidy()

    def discard(self, item: T) -> None:
        """Remove an item, if it is in the queue."""
        if self._drop(item):
            self._tidy()

    def next_at(self) -> float | None:
        """Return when the next item is due; None when the queue is empty."""
        while self._heap and self._heap[0][_ITEM] is None:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[T]:
        """Remove and yield what is due, the earliest first."""
        at = self.next_at()
        while at is not None and at <= now:
            item: T = heappop(self._heap)[_ITEM]
            del self._entries[item]
            yield item
            at = self.next_at()

    def _drop(self, item: T) -> bool:
        entry = self._entries.pop(item, None)
        if entry is None:
            return False
        entry[_ITEM] = None  # a wait that is over is held by nobody
        return True

    def _tidy(self) -> None:
        """Drop outdated entries before they outnumber the others."""
        if len(self._heap) > _most(len(self._entries)):
            self._heap = list(self._entries.values())
            heapify(self._heap)


class FairQueue(Generic[T]):
    """A queue by value in which no item starves.

    Three of four choices take the item of the highest value, of a few drawn at random and the one
    that has waited longest; urgent items come before those, in the order in which they came. The
    fourth choice takes the item that has waited longest. So with n in the queue, each is taken
    within 4 n choices, whatever the values of the others.

    Args:
        value: Returns an item's value at a time.
        random: Draws the candidates.
    """

    def __init__(self, value: Callable[[T, float], float], random: random.Random) -> None:
        self._value = value
        self._draw = random.random
        self._places: dict[T, int] = {}
        self._all: list[T] = []
        self._by_age: deque[tuple[T, int]] = deque()
        self._urgent: deque[tuple[T, int]] = deque()
        self._joined: dict[T, int] = {}
        self._count = 0
        self._choices = 0

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, item: T) -> bool:
        return item in self._places

    def add(self, item: T, *, urgent: bool = False) -> None:
        """Add an item; it keeps its place if it is in the queue already."""
        if item in self._places:
            return
        self._count += 1
        self._joined[item] = self._count
        self._places[item] = len(self._all)
        self._all.append(item)
        self._by_age.append((item, self._count))
        if urgent:
            self._urgent.append((item, self._count))

    def discard(self, item: T) -> None:
        """Remove an item, if it is in the queue."""
        place = self._places.pop(item, None)
        if place is None:
            return
        del self._joined[item]
        last = self._all.pop()
        if last is not item:
            self._all[place] = last
            self._places[last] = place
        for line in (self._by_age, self._urgent):
            if len(line) > _most(len(self._all)):
                current = [entry for entry in line if self._is_current(entry)]
                line.clear()
                line.extend(current)

    def pop_next(self, now: float) -> T:
        """Remove and return the item that is next, by value or by age."""
        self._choices += 1
        chosen = oldest = self._oldest()
        if self._choices % _BY_AGE:
            chosen = self._front(self._urgent) or self._best(oldest, now)
        self.discard(chosen)
        return chosen

    def pop_oldest(self) -> T:
        """Remove and return the item that has waited longest."""
        oldest = self._oldest()
        self.discard(oldest)
        return oldest

    def _oldest(self) -> T:
        oldest = self._front(self._by_age)
        assert oldest is not None, "the queue is empty"  # noqa: S101 -- a mistake in our own code
        return oldest

    def _best(self, oldest: T, now: float) -> T:
        drawn, waiting = self._all, len(self._all)
        if waiting > _CANDIDATES:
            drawn = [self._all[int(self._draw() * waiting)] for _ in range(_CANDIDATES - 1)]
        value_of = self._value
        best, highest = oldest, value_of(oldest, now)
        for item in drawn:
            value = value_of(item, now)
            if value > highest:
                best, highest = item, value
        return best

    def _front(self, line: deque[tuple[T, int]]) -> T | None:
        while line:
            if self._is_current(line[0]):
                return line[0][0]
            line.popleft()
        return None

    def _is_current(self, entry: tuple[T, int]) -> bool:
        return self._joined.get(entry[0]) == entry[1]


def _most(current: int) -> int:
    """Return how many entries, outdated ones included, are kept for so many current ones.

    None for none: what was outdated would be held until the next wait.
    """
    return 2 * current + _SLACK if current else 0
