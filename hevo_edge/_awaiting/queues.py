"""What is due when, and whose turn it is when not everything that is due can be done.

Pure data structures: no time passes here, and nothing waits.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

_SLACK = 64
_TURN = 4
"""One choice in so many goes by the line, whatever it is worth: so nobody starves."""
_CANDIDATES = 16
"""How many are compared otherwise. The best of sixteen drawn at random is among the best few of a
hundred, and so is the best of sixteen of ten thousand, at the same cost.
"""


class Agenda(Generic[T]):
    """Things and when they are due; each change costs O(log n)."""

    def __init__(self) -> None:
        self._entries: dict[T, tuple[float, int, T]] = {}
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, item: T, at: float) -> None:
        """Note when something is due; what was noted of it before is forgotten."""
        self._count += 1
        self._entries[item] = entry = (at, self._count, item)
        heappush(self._heap, entry)
        self._tidy()

    def discard(self, item: T) -> None:
        """Forget something, if it is noted at all."""
        if self._entries.pop(item, None) is not None:
            self._tidy()

    def next_at(self) -> float | None:
        """Return when the next thing is due; None when nothing is."""
        while self._heap and not self._is_current(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Iterator[T]:
        """Take out and yield what is due, the earliest first."""
        at = self.next_at()
        while at is not None and at <= now:
            item = heappop(self._heap)[2]
            del self._entries[item]
            yield item
            at = self.next_at()

    def _is_current(self, entry: tuple[float, int, T]) -> bool:
        return self._entries.get(entry[2]) is entry

    def _tidy(self) -> None:
        """Throw away what is out of date before it outgrows the rest."""
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = list(self._entries.values())
            heapify(self._heap)


class Turns(Generic[T]):
    """Those who wait for their turn, and the choice of the next.

    Three of four choices go to who is worth most, of a few drawn at random and the one that has
    waited longest; those of endless worth come first. The fourth goes to the one that has waited
    longest. So with n in it, each gets its turn within 4 n choices, whatever the others are worth.

    Args:
        worth: What it is worth to serve one at a time.
        random: Draws the candidates.
    """

    def __init__(self, worth: Callable[[T, float], float], random: random.Random) -> None:
        self._worth = worth
        self._draw = random.random
        self._places: dict[T, int] = {}
        self._all: list[T] = []
        self._line: deque[tuple[T, int]] = deque()
        self._urgent: deque[tuple[T, int]] = deque()
        self._joined: dict[T, int] = {}
        self._count = 0
        self._choices = 0

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, item: T) -> bool:
        return item in self._places

    def add(self, item: T, *, urgent: bool = False) -> None:
        """Let one wait for its turn; it keeps its place if it waits already."""
        if item in self._places:
            return
        self._count += 1
        self._joined[item] = self._count
        self._places[item] = len(self._all)
        self._all.append(item)
        self._line.append((item, self._count))
        if urgent:
            self._urgent.append((item, self._count))

    def discard(self, item: T) -> None:
        """Let one wait no more, if it does."""
        place = self._places.pop(item, None)
        if place is None:
            return
        del self._joined[item]
        last = self._all.pop()
        if last is not item:
            self._all[place] = last
            self._places[last] = place
        for line in (self._line, self._urgent):
            if len(line) > 2 * len(self._all) + _SLACK:
                waiting = [entry for entry in line if self._waits(entry)]
                line.clear()
                line.extend(waiting)

    def choose(self, now: float) -> T:
        """Take out and return the one whose turn it is now."""
        self._choices += 1
        longest = self._front(self._line)
        assert longest is not None, "nobody waits"  # noqa: S101 -- a mistake in our own code
        chosen = longest
        if self._choices % _TURN:
            chosen = self._front(self._urgent) or self._best(longest, now)
        self.discard(chosen)
        return chosen

    def first(self) -> T:
        """Take out and return the one that has waited longest."""
        longest = self._front(self._line)
        assert longest is not None, "nobody waits"  # noqa: S101 -- a mistake in our own code
        self.discard(longest)
        return longest

    def _best(self, longest: T, now: float) -> T:
        drawn, waiting = self._all, len(self._all)
        if waiting > _CANDIDATES:
            drawn = [self._all[int(self._draw() * waiting)] for _ in range(_CANDIDATES - 1)]
        worth = self._worth
        best, most = longest, worth(longest, now)
        for item in drawn:
            value = worth(item, now)
            if value > most:
                best, most = item, value
        return best

    def _front(self, line: deque[tuple[T, int]]) -> T | None:
        while line:
            if self._waits(line[0]):
                return line[0][0]
            line.popleft()
        return None

    def _waits(self, entry: tuple[T, int]) -> bool:
        return self._joined.get(entry[0]) == entry[1]
