"""A Job under watch: what is known of it, who follows it, and when a look is worth its price."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from typing import Protocol

from hevo_edge._awaiting.duration_history import Experience
from hevo_edge.enums import PUT_ASIDE_STATUSES, JobStatus
from hevo_edge.models import JobData
from hevo_edge.schedules import LONGEST_GAP, Auto, Learned, Schedule
from hevo_edge.schedules._basic import next_gap

JobKey = tuple[int, str]
"""Pipeline id and Job id."""
log: logging.Logger = logging.getLogger("hevo_edge.awaiting")

CONFIRMED_MISSING = 3
"""How many 404s in a row it takes to believe that a Job seen before is gone."""
MOST_ROWS = 3
"""How often in a row the list may speak for a Job, before it is looked at itself."""
CONFIRMING = 5.0
"""Seconds between looks at a Job that seems to be gone, at most."""


class OwnLook(Protocol):
    """Looks in a way of its own, and tells its follower itself what it has seen."""

    async def __call__(self, *, last: bool, sending: Callable[[], None]) -> None:
        """Look; for the arguments, see ``looks.Eyes``."""
        ...


class Follower:
    """One who waits for a Job; what it hears, it must take in without waiting.

    Attributes:
        schedule: How often it wants a look.
        watched: What it follows; None before and after.
        is_late: Whether its deadline has passed, and its last look is awaited.
    """

    __slots__ = ("is_late", "schedule", "watched")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule: Schedule = schedule
        self.watched: Watched | None = None
        self.is_late: bool = False

    def hear(self, news: JobData | Exception) -> None:
        """Take a snapshot, one a change; or what ends the wait."""
        raise NotImplementedError

    def time_is_up(self) -> None:
        """The deadline has passed, and the last look, if one could be made, has been heard of."""
        raise NotImplementedError


class Watched:
    """A Job under watch.

    Attributes:
        key: Pipeline id and Job id.
        latest: The last snapshot.
        tried_at: The loop time of the last look, whether or not it saw anything.
        failure: Why the last look failed; None when it did not.
        followers: Who follows it.
        is_looked_at, is_looked_at_last: Whether a look, a last look, is under way.
        rows_seen: How often in a row it was seen in the list only.
        wants_last_look: Whether a deadline has passed and nobody looks yet.
        is_unlisted: Whether the jobs list does not show it, so that only a look of its own will do.
        own_look: How to look at it, when that is neither by its id nor by the list.
        is_over: Whether nobody watches it any more.
    """

    __slots__ = (
        "_born",
        "_eager",
        "_gap",
        "_learners",
        "_missing",
        "_schedules",
        "_seen_at",
        "_unseen",
        "failure",
        "followers",
        "is_looked_at",
        "is_looked_at_last",
        "is_over",
        "is_unlisted",
        "key",
        "latest",
        "own_look",
        "rows_seen",
        "tried_at",
        "wants_last_look",
    )

    def __init__(self, key: JobKey, now: float, own_look: OwnLook | None = None) -> None:
        self.key: JobKey = key
        self.own_look: OwnLook | None = own_look
        self.latest: JobData | None = None
        self.tried_at: float | None = None
        self.failure: Exception | None = None
        self.followers: dict[Follower, None] = {}
        self.is_looked_at: bool = False
        self.is_looked_at_last: bool = False
        self.wants_last_look: bool = False
        self.rows_seen: int = 0
        self.is_unlisted: bool = own_look is not None
        self.is_over: bool = False
        # Followers share schedules, so that thousands of one Job cost no more than one.
        self._schedules: dict[object, tuple[Schedule, int]] = {}
        self._eager: Schedule | None = None
        self._gap = LONGEST_GAP
        self._learners = 0
        self._unseen: Callable[[float, float], float] | None = None
        self._born = now
        self._seen_at: float | None = None
        self._missing = 0

    # -- followers --------------------------------------------------------------------------------

    def add(self, follower: Follower) -> None:
        """Take in a follower."""
        follower.watched = self
        self.followers[follower] = None
        key = _key(follower.schedule)
        schedule, count = self._schedules.get(key, (follower.schedule, 0))
        self._schedules[key] = (schedule, count + 1)
        self._learners += isinstance(schedule, Auto)

    def remove(self, follower: Follower) -> bool:
        """Let a follower go; return whether it, alone, has set the pace."""
        follower.watched = None
        del self.followers[follower]
        key = _key(follower.schedule)
        schedule, count = self._schedules.pop(key)
        self._learners -= isinstance(schedule, Auto)
        if count > 1:
            self._schedules[key] = (schedule, count - 1)
            return False
        return schedule is self._eager

    def tell(self, news: JobData | Exception) -> None:
        """Let all followers hear something; each gets a traceback of its own."""
        for follower in list(self.followers):
            follower.hear(_own(news) if isinstance(news, Exception) else news)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """What logs call it."""
        what = f"Pipeline {self.key[0]}"
        return what if self.own_look is not None else f"Job {self.key[1]} of {what}"

    @property
    def has_ended(self) -> bool:
        """Whether the last snapshot shows that the Job has ended."""
        return self.latest is not None and self.latest.is_terminal

    @property
    def was_put_aside(self) -> bool:
        """Whether it has ended in a way that need not be the end, such as DEFERRED."""
        return self.latest is not None and self.latest.status in PUT_ASIDE_STATUSES

    @property
    def may_be_listed(self) -> bool:
        """Whether the list may speak for it; now and then it is looked at itself."""
        return not self.is_unlisted and self.rows_seen < MOST_ROWS

    def is_news(self, seen_at: float, now: float) -> bool:
        """Say whether a snapshot of a loop time is newer than the last look."""
        # A time after now is another loop's.
        return seen_at <= now and (self.latest is None or (self.tried_at or -1.0) < seen_at)

    def publish(self, snapshot: JobData, seen_at: float) -> None:
        """Take in a snapshot; where it says something new, the followers hear it."""
        self.note_look(seen_at)
        if snapshot.duration_seconds is not None:
            # It never becomes younger, not even where its duration stands still.
            self._born = min(self._born, seen_at - snapshot.duration_seconds)
        if snapshot == self.latest:
            return
        if self.latest is not None and snapshot.is_older_than(self.latest):
            return
        known = None if self.latest is None else self.latest.status
        if not isinstance(snapshot.status, JobStatus) and snapshot.status != known:
            log.warning(
                "%s has the unknown status %r; taken as still running",
                self.label,
                snapshot.status,
            )
        self.latest = snapshot
        self.tell(snapshot)

    def note_look(self, seen_at: float) -> None:
        """Note that a look has succeeded."""
        self.tried_at = self._seen_at = seen_at
        self.failure = None
        self._missing = 0

    def take_row(self, row: JobData, seen_at: float) -> None:
        """Take in what the list shows, which may be less, or older, than the Job itself does.

        An end without its counts is not taken from there; the Job is looked at, at once.
        """
        self.rows_seen += 1
        lacks = row.events_loaded is None or row.duration is None
        if row.is_terminal and lacks:
            self.is_unlisted, self.tried_at = True, None
        elif not lacks or self.latest is None:
            self.publish(row, seen_at)
        else:
            self.note_look(seen_at)

    def fail(self, failure: Exception, now: float) -> None:
        """Note that a look has failed."""
        self.tried_at, self.failure = now, failure

    def miss(self) -> bool:
        """Take in a 404; return whether it is certain now that there is no such Job."""
        self._missing += 1
        return self.latest is None or self._missing >= CONFIRMED_MISSING

    # -- when to look -----------------------------------------------------------------------------

    def gap(self, now: float, experience: Experience) -> float:
        """Return the seconds from the last look to the next, as the most eager follower wants."""
        least, eager = math.inf, None
        for passed, _ in list(self._schedules.values()):
            try:
                schedule = self._learnt(passed, experience)
                gap = next_gap(schedule, self._age(now))
            except Exception as error:  # noqa: BLE001 -- handed to those who passed the schedule
                self._refuse(passed, error)
                schedule, gap = passed, LONGEST_GAP
            if gap < least:
                least, eager = gap, schedule
                self._eager = passed
        # Asked for at every choice, so what does not change between looks is kept.
        self._gap = min(least, CONFIRMING) if self._missing else least
        self._unseen = eager.unseen if isinstance(eager, Learned) else None
        return self._gap

    def worth(self, now: float) -> float:
        """Return the seconds for which the Job is expected to have ended unseen by now."""
        last = self._born if self._seen_at is None else self._seen_at
        if self._unseen is not None:
            return self._unseen(self._age(last), self._age(now))
        return expected_unseen(self._gap, now - last)

    def wants_experience(self, now: float, experience: Experience) -> bool:
        """Say whether a follower would learn from the Pipeline's Jobs, and nothing is known."""
        return self._learners > 0 and not experience.is_fresh(self.key[0], now)

    def _learnt(self, schedule: Schedule, experience: Experience) -> Schedule:
        # Without its duration it cannot be told how old a Job is that somebody else has started.
        if (
            isinstance(schedule, Auto)
            and self.latest is not None
            and self.latest.duration is not None
        ):
            return experience.schedule(self.key[0], self.latest.type, schedule)
        return schedule

    def _age(self, now: float) -> float:
        """Return how long the Job has run, in seconds."""
        return max(0.0, now - self._born)

    def _refuse(self, schedule: Schedule, error: Exception) -> None:
        for follower in [one for one in self.followers if _key(one.schedule) == _key(schedule)]:
            follower.hear(error)


def _key(schedule: Schedule) -> object:
    """Return what schedules that are equal have in common."""
    try:
        hash(schedule)
    except TypeError:
        return id(schedule)
    return schedule


def _own(error: Exception) -> Exception:
    """Return a copy, or the error itself where it cannot be copied."""
    try:
        own = copy.copy(error)
    except Exception:  # noqa: BLE001 -- one of somebody's own, with arguments of its own
        return error
    own.__cause__ = error.__cause__
    return own


_TYPICAL_GAP = 15.0
_TYPICAL_DURATION = 600.0
"""What makes the looks of different schedules comparable: 15 s suit a Job of ten minutes. Half the
interval says that the Job is four times as likely to end in the next second, or matters so.
"""
_NEGLIGIBLE = 1e-6


def expected_unseen(gap: float, elapsed: float) -> float:
    """Return the seconds for which a Job may be expected to have ended unseen.

    A schedule that has learnt how long Jobs run says so itself, by a method ``unseen(since, age)``:
    of a Job that was seen running at the age ``since``, and has the age ``age`` now, in seconds. Of
    any other, the gap it asks for tells how likely an end is: when a gap has passed, its look is
    worth the same, whoever asked for it. Either way it never exceeds the time since the last look,
    so that no interval, however short, keeps others out for ever.

    Args:
        gap: The seconds between looks that the schedule wants.
        elapsed: The seconds since the last look.
    """
    ends = _TYPICAL_GAP**2 / _TYPICAL_DURATION / gap**2 * elapsed
    if ends < _NEGLIGIBLE:
        return ends * elapsed / 2
    return elapsed * (1 + math.expm1(-ends) / ends)
