"""What a process knows of its own calls in a window elsewhere, and what it has to tell of them."""

from __future__ import annotations

import itertools
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from hevo_edge._common.processes import owner_name
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_script import IN_FLIGHT, NOT_SENT, micros
from hevo_edge._http.window import Slot


@dataclass(eq=False)
class NamedSlot(Slot):
    """A slot that others know by a name.

    Args:
        name: Owner, priority and number.
        over_at: When the reply came (loop time); None while the call is under way.
    """

    name: str = ""
    over_at: float | None = None


class OwnCalls:
    """The slots of this process: the truth about them, whatever is lost elsewhere.

    Args:
        occupied: Seconds for which a slot stays taken once its call is over.
    """

    def __init__(self, occupied: float) -> None:
        self._occupied = occupied
        self.owner: str = f"{owner_name()}/{os.urandom(4).hex()}"
        self.pid: int = os.getpid()
        self._numbers = itertools.count()
        self._flying: set[NamedSlot] = set()
        self._over: deque[NamedSlot] = deque()
        self._news: dict[str, NamedSlot | None] = {}
        self._latest: NamedSlot | None = None

    def new(self, priority: Priority) -> NamedSlot:
        """Return a slot that is not taken yet."""
        return NamedSlot(priority, f"{self.owner}:{int(priority)}:{next(self._numbers):x}")

    def add(self, slot: NamedSlot, *, is_told: bool = True) -> None:
        """Count a slot as taken.

        Args:
            slot: The slot.
            is_told: The others know of it.
        """
        self._flying.add(slot)
        if is_told:
            self._latest = slot
        else:
            self._news[slot.name] = slot

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> bool:
        """Give a slot back; return whether it was taken."""
        if not isinstance(slot, NamedSlot) or slot not in self._flying:
            return False
        self._flying.remove(slot)
        if sent:
            slot.over_at = now
            self._over.append(slot)
        elif slot is self._latest:
            self._latest = None
        self._news[slot.name] = slot if sent else None
        return True

    def forget(self, slot: NamedSlot) -> None:
        """Tell the others that a slot is not used, which may have been taken for us or not."""
        self._news[slot.name] = None

    # -- what is known ----------------------------------------------------------------------------

    def taken(self, now: float) -> int:
        """Return how many slots are taken."""
        self._prune(now)
        return len(self._flying) + len(self._over)

    def by_priority(self, now: float) -> dict[Priority | None, int]:
        """Return how many slots are taken, by the priority of the calls."""
        self._prune(now)
        return dict(Counter(slot.priority for slot in (*self._flying, *self._over)))

    def next_free(self, now: float) -> float | None:
        """Return when the first slot comes free by itself."""
        self._prune(now)
        return self._frees(self._over[0]) if self._over else None

    @property
    def in_flight(self) -> bool:
        """Whether a call is under way."""
        return bool(self._flying)

    # -- what is told -----------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._news)

    def take_news(self) -> dict[str, NamedSlot | None]:
        """Return what is new, and count it as told."""
        news, self._news = self._news, {}
        return news

    def whole(self, now: float) -> dict[str, NamedSlot | None]:
        """Return all slots that are taken, and count everything as told."""
        self._prune(now)
        self._news = {}
        return {slot.name: slot for slot in (*self._flying, *self._over)}

    def put_back(self, news: dict[str, NamedSlot | None]) -> None:
        """Count as not told what could not be; what is newer stays."""
        self._news = {**news, **self._news}

    def renew(self) -> None:
        """Tell of all calls under way that they still are."""
        for slot in self._flying:
            self._news.setdefault(slot.name, slot)

    def witness(self, now: float) -> str:
        """Return the name of a slot that the others must know of; "" when there is none.

        The latest: in what was written before it, nothing is missing when it is there.
        """
        slot = self._latest
        if slot is None or self._news.get(slot.name, slot) is None:
            return ""
        is_sure = slot.over_at is None or now < slot.over_at + 0.9 * self._occupied
        return slot.name if is_sure else ""

    def _prune(self, now: float) -> None:
        while self._over and self._frees(self._over[0]) <= now:
            self._over.popleft()

    def _frees(self, slot: NamedSlot) -> float:
        return (slot.over_at or 0.0) + self._occupied


def told(news: dict[str, NamedSlot | None], now: float) -> Iterator[tuple[str, str]]:
    """Yield the names of slots, and what the script is told of each."""
    for name, slot in news.items():
        if slot is None:
            yield name, NOT_SENT
        elif slot.over_at is None:
            yield name, IN_FLIGHT
        else:
            yield name, str(max(0, micros(now - slot.over_at)))
