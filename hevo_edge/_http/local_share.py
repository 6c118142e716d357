"""The part of a shared limit that a process keeps to alone, while the others cannot be asked."""

from __future__ import annotations

import random

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two tries to reach the others: the first pause, and the longest."""
_STEADY_AFTER = 60.0
"""Seconds with the others after which the pauses begin small again."""


class LocalShare:
    """How much of the limit is ours, and when to try the others again. All times are loop times.

    As many as were seen last divide the limit, and what the others had taken then counts for a
    period. So together they keep to it, if each knew of all the others.

    Args:
        occupied: Seconds for which a slot stays taken once its call is over.
        share: The part of the limit; None: by the clients last seen, half of it at most.
    """

    def __init__(self, occupied: float, share: float | None) -> None:
        self.is_on: bool = False
        self.members: int = 0
        self._occupied = occupied
        self._given = share
        self._others, self._others_until = 0, float("-inf")
        self._took_at = self._ended_at = self._try_at = self._binds_until = float("-inf")
        self._pause = _FIRST_PAUSE

    @property
    def share(self) -> float:
        """The part of the limit."""
        return self._given or 1 / max(2, self.members)

    @property
    def part(self) -> float:
        """The part of the limit to keep to now."""
        return self.share if self.is_on else 1.0

    def begin(self, now: float, others: int) -> None:
        """Keep to the share from now on; ``others`` had so many slots."""
        self.is_on = True
        self._others, self._others_until = others, now + self._occupied
        if now > self._ended_at + _STEADY_AFTER:
            self._pause = _FIRST_PAUSE
        self.failed(now)

    def end(self, now: float) -> None:
        """The others can be asked again; the share binds until they have come back as well.

        They have lost them when we did, so their pauses are not more than one step longer.
        """
        self.is_on, self._ended_at = False, now
        self._binds_until = now + min(2 * self._pause, _LONGEST_PAUSE) + _FIRST_PAUSE

    def binds(self, now: float) -> bool:
        """Say whether to keep to the share."""
        return self.is_on or now < self._binds_until

    def failed(self, now: float) -> None:
        """Note that the others could not be reached; set when to try again."""
        self._try_at = now + self._pause * (0.5 + random.random() / 2)  # noqa: S311 -- jitter
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def heard(self, members: int, now: float) -> None:
        """Note how many there are; those who have not come back yet are counted as before."""
        self.members = max(members, self.members) if self.binds(now) else members

    def is_time_to_try(self, now: float) -> bool:
        """Say whether to try the others now."""
        return now >= self._try_at

    def has_room(self, own: int, at_most: int, now: float) -> bool:
        """Say whether one more slot is ours, of ``at_most`` for all; if so, it counts as taken.

        Args:
            own: How many slots this process has.
            at_most: How many all together may have.
            now: The loop's time.
        """
        if now < self._others_until and own + self._others >= at_most:
            return False
        part = at_most * self.share
        if part >= 1:
            is_free = own < int(part)
        else:  # there are more clients than slots: each has one in several periods
            is_free = own == 0 and now >= self._took_at + self._occupied / part
        if is_free:
            self._took_at = now
        return is_free

    def seeming_others(self, own: int, now: float) -> int:
        """Return how many slots others seem to have: of the whole limit, so much is used."""
        scaled = int(own / self.share) - own
        return max(scaled, self._others) if now < self._others_until else scaled
