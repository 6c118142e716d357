"""The window that calls are taken from: what each kind of it can do, and the one in memory.

All times are loop times in seconds. Where several processes share a window, they must mean the same
in all of them.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import Protocol


@dataclass(eq=False)
class Slot:
    """The place of one call in a window, from before it is sent until it is given back."""


@dataclass(frozen=True)
class WindowState:
    """What is known of a window.

    Args:
        taken: The slots that are taken.
        next_free: When the first of them comes free by itself; None if no time is known.
        held_until: No slot can be taken before.
    """

    taken: int
    next_free: float | None
    held_until: float


class SharedWindow(Protocol):
    """The slots that several clients share, be it in one process or in many.

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

    async def take(self, now: float, at_most: int) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held.

        The more urgent a call, the larger its ``at_most``. It waits for no slot, and for what is
        shared a moment at most. Cancelling it loses no slot.
        """
        ...

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now.

        It never waits: the others may learn of it a moment later. A slot that is not taken, or was
        taken before a fork, is ignored.
        """
        ...

    def hold(self, now: float, until: float) -> None:
        """Let nobody take a slot before ``until``: a 429 came. It never shortens a hold."""
        ...

    def state(self, now: float) -> WindowState:
        """Return what is known; it may be a moment old, as others go on."""
        ...


class LocalWindow:
    """A SharedWindow of one process, exact.

    Args:
        occupied: Seconds for which a slot stays taken once its call is over: period and margin.
    """

    recheck_in: float | None = None

    def __init__(self, occupied: float) -> None:
        self._occupied = occupied
        self._in_flight: set[Slot] = set()
        self._over: list[float] = []  # when the slots of calls that are over come free, sorted
        self._held_until = float("-inf")

    async def take(self, now: float, at_most: int) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held."""
        return self.take_now(now, at_most)

    def take_now(self, now: float, at_most: int) -> Slot | None:
        """Take a slot like ``take``."""
        if now < self._held_until or self.taken(now) >= at_most:
            return None
        slot = Slot()
        self._in_flight.add(slot)
        return slot

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        if slot not in self._in_flight:
            return
        self._in_flight.remove(slot)
        if sent:
            insort(self._over, now + self._occupied)

    def hold(self, now: float, until: float) -> None:
        """Let nobody take a slot before ``until``."""
        if until > now:
            self._held_until = max(self._held_until, until)

    def state(self, now: float) -> WindowState:
        """Return what is known."""
        over = self.over(now)
        return WindowState(self.taken(now), over[0] if over else None, self._held_until)

    def taken(self, now: float) -> int:
        """Return how many slots are taken."""
        return len(self._in_flight) + len(self.over(now))

    @property
    def in_flight(self) -> int:
        """How many calls are not over."""
        return len(self._in_flight)

    def over(self, now: float) -> list[float]:
        """Return when the slots of the calls that are over come free, sorted."""
        if self._over and self._over[0] <= now:
            del self._over[: bisect_right(self._over, now)]
        return self._over
