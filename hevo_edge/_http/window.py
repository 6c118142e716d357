"""The window that calls are taken from: what each kind of it can do, and the one in memory.

All times are loop times in seconds. Where several processes share a window, they must mean the same
in all of them.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from hevo_edge._common.processes import owner_name
from hevo_edge._http.ratelimit import Priority


@dataclass(eq=False)
class Slot:
    """The place of one call in a window, from before it is sent until it is given back."""

    priority: Priority = Priority.LIST


@dataclass(frozen=True)
class WindowState:
    """What is known of a window.

    Args:
        taken: The slots that are taken.
        next_free: When the first of them comes free by itself; None if no time is known.
        held_until: No slot can be taken before.
        share: The part of the limit for what can wait, as of ``held_until``; all who share the
            window regain it together.
        part: The part of the limit that this process keeps to while it is alone, of which
            ``taken`` then counts as if it were the whole; else 1.
    """

    taken: int
    next_free: float | None
    held_until: float
    share: float = 1.0
    part: float = 1.0

    def room(self, at_most: int, own: int) -> int:
        """Return how many slots more may be taken of so many, while ``own`` are this process's."""
        return max(0, min(at_most - self.taken, int(at_most * self.part) - own))


@dataclass(frozen=True)
class Holder:
    """Who holds slots of a window.

    Args:
        owner: The process, by machine and pid.
        taken: How many slots, by the priority of the calls; None where that is not told.
    """

    owner: str
    taken: dict[Priority | None, int]


class SharedWindow(Protocol):
    """The slots that several clients share, be it in one process, on one machine, or on many.

    A slot is taken before a call is sent, and comes free one period after the reply. When what is
    shared cannot be reached, an implementation goes on with the slots of its own process, and comes
    back by itself: no method raises for that.
    """

    @property
    def recheck_in(self) -> float | None:
        """Seconds after which a refused ``take`` is worth another try, whatever ``state`` says.

        None only in memory, where nothing happens between the refusal and the state.
        """
        ...

    @property
    def place(self) -> str | None:
        """What it is shared through: a file's path, or a Redis's URL without secrets."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether that cannot be reached now, so that this process goes on by itself."""
        ...

    async def take(
        self, now: float, at_most: int, priority: Priority = Priority.LIST, wanted: int = 0
    ) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held.

        The more urgent a call, the larger its ``at_most``. It waits for no slot, and for what is
        shared a moment at most. Cancelling it loses no slot.

        Args:
            now: The loop's time.
            at_most: How many slots may be taken, this one included.
            priority: What the slot is for.
            wanted: How many slots the caller waits for, this one included; 0 if it does not wait.
                Where machines share a window, those that have had more leave one that waits its
                part.

        Raises:
            ConfigurationError: from the first call only, when what is shared refuses us for a
                reason that no time mends, such as a wrong password.
        """
        ...

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now.

        It never waits: the others may learn of it a moment later. A slot that is not taken, or was
        taken before a fork, is ignored.
        """
        ...

    def hold(self, now: float, until: float, share: float = 1.0) -> None:
        """Let nobody take a slot before ``until``: a 429 came. It never shortens a hold.

        Args:
            now: The loop's time.
            until: When the pause is over.
            share: The part of the limit that what can wait has from then on.
        """
        ...

    def state(self, now: float) -> WindowState:
        """Return what is known; it may be a moment old, as others go on."""
        ...

    async def holders(self, now: float) -> list[Holder]:
        """Ask who holds how many slots now; it brings ``state`` up to date as well."""
        ...

    async def close(self) -> None:
        """Let go of what this event loop has opened; what is noted for the others is told first."""
        ...


class LocalWindow:
    """A SharedWindow of one process, exact.

    Args:
        occupied: Seconds for which a slot stays taken once its call is over: period and margin.
    """

    recheck_in: float | None = None
    place: str | None = None
    is_alone: bool = False

    def __init__(self, occupied: float) -> None:
        self._occupied = occupied
        self._in_flight: set[Slot] = set()
        # When the slots of calls that are over come free, sorted, and what those were for.
        self._over: list[tuple[float, Priority]] = []
        self._held_until = float("-inf")
        self._share = 1.0

    async def take(
        self, now: float, at_most: int, priority: Priority = Priority.LIST, wanted: int = 0
    ) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held."""
        return self.take_now(now, at_most, priority)

    def take_now(self, now: float, at_most: int, priority: Priority = Priority.LIST) -> Slot | None:
        """Take a slot like ``take``."""
        if now < self._held_until or self.taken(now) >= at_most:
            return None
        slot = Slot(priority)
        self._in_flight.add(slot)
        return slot

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        if slot not in self._in_flight:
            return
        self._in_flight.remove(slot)
        if sent:
            insort(self._over, (now + self._occupied, slot.priority))

    def hold(self, now: float, until: float, share: float = 1.0) -> None:
        """Let nobody take a slot before ``until``."""
        if until > now:
            self._share = min(self._share, share) if now < self._held_until else share
            self._held_until = max(self._held_until, until)

    def state(self, now: float) -> WindowState:
        """Return what is known."""
        over = self.over(now)
        free = over[0] if over else None
        return WindowState(self.taken(now), free, self._held_until, self._share)

    async def holders(self, now: float) -> list[Holder]:
        """Return this process, if it holds slots."""
        taken = self.by_priority(now)
        return [Holder(owner_name(), taken)] if taken else []

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def by_priority(self, now: float) -> dict[Priority | None, int]:
        """Return how many slots are taken, by the priority of the calls."""
        self._prune(now)
        flying = (slot.priority for slot in self._in_flight)
        return dict(Counter([*flying, *(priority for _, priority in self._over)]))

    def taken(self, now: float) -> int:
        """Return how many slots are taken."""
        self._prune(now)
        return len(self._in_flight) + len(self._over)

    @property
    def in_flight(self) -> int:
        """How many calls are not over."""
        return len(self._in_flight)

    def over(self, now: float) -> list[float]:
        """Return when the slots of the calls that are over come free, sorted."""
        self._prune(now)
        return [at for at, _ in self._over]

    def _prune(self, now: float) -> None:
        if self._over and self._over[0][0] <= now:
            del self._over[: bisect_right(self._over, now, key=lambda each: each[0])]
