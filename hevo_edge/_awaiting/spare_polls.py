"""Polls beyond the schedule, out of what the call budget leaves free: ``poll_interval="eager"``."""

from __future__ import annotations

import random
from collections import Counter, deque

from hevo_edge._awaiting.poll_target import JobReader, PollTarget
from hevo_edge._awaiting.queues import DueQueue, FairQueue

SHORTEST = 1.0
"""Seconds from a poll of a target to a spare one, at least."""
RECHECK = 1.0
"""Seconds until it is asked again whether calls are free, when none were."""


class SparePolls:
    """Chooses the target of the next spare poll, and when that may be made.

    Of the calls that others leave free in a window, these polls take a share, evenly. Their own
    calls do not count among the others', so the share is kept and not halved again and again.

    Args:
        reader: Knows the call budget.
        chance: Draws the candidates of a choice.
    """

    def __init__(self, reader: JobReader, chance: random.Random) -> None:
        self._reader = reader
        self._shares: dict[PollTarget, float] = {}
        self._asked: Counter[float] = Counter()
        self._rested: DueQueue[PollTarget] = DueQueue()
        self._ready: FairQueue[PollTarget] = FairQueue(PollTarget.poll_value, chance)
        self._made: deque[float] = deque()
        self._not_before = float("-inf")

    def set(self, target: PollTarget, now: float) -> None:
        """Let a target that was polled have spare polls, if its subscribers want them."""
        self.discard(target)
        share = target.spare_share
        if share and target.failure is None:
            self._shares[target] = share
            self._asked[share] += 1
            last = now if target.polled_at is None else target.polled_at
            self._rested.set(target, last + SHORTEST)

    def discard(self, target: PollTarget) -> None:
        """Let a target have no spare poll, until it is set again."""
        share = self._shares.pop(target, None)
        if share is None:
            return
        self._rested.discard(target)
        self._ready.discard(target)
        self._asked[share] -= 1
        if not self._asked[share]:
            del self._asked[share]

    def pop(self, now: float) -> PollTarget | None:
        """Remove and return the target to poll now; None where it is too early, or nothing free."""
        for target in self._rested.pop_due(now):
            self._ready.add(target)
        if not self._ready or now < self._not_before:
            return None
        while self._made and self._made[0] <= now - self._reader.window:
            self._made.popleft()
        allowed = self._reader.spare_calls(max(self._asked), len(self._made))
        if len(self._made) >= allowed:
            self._not_before = now + RECHECK
            return None
        self._not_before = now + self._reader.window / allowed
        self._made.append(now)
        target = self._ready.pop_next(now)
        self.discard(target)
        return target

    def next_at(self, now: float) -> float | None:
        """Return when ``pop`` is worth a call; None while no target wants spare polls."""
        if not self._shares:
            return None
        rested = now if self._ready else self._rested.next_at()
        at = max(self._not_before, now if rested is None else rested)
        # What is overdue waits for a poll in flight, and is thought of when that is over.
        return at if at > now else now + RECHECK
