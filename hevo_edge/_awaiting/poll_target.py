"""What the watcher polls, and who subscribes to it: what all kinds of target have in common.

A target knows its subscribers, when its next poll is due, and what that poll is worth. Each kind
knows how it is polled: ``watched_job.WatchedJob``, and the target in ``next_job``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from hevo_edge._awaiting.failures import READ, UNREAD, Failure, Limit, Streak, failure_of
from hevo_edge.models import JobData, Page
from hevo_edge.schedules import LONGEST_GAP, Eager, Learned, Schedule
from hevo_edge.schedules._basic import next_gap


class JobReader(Protocol):
    """Reads Jobs. ``on_slot`` is called when a request has its slot in the call budget.

    A final poll is quick or fails, and goes before the polls on schedule.
    """

    async def read_job(
        self, key: tuple[int, str], *, final: bool, on_slot: Callable[[], None]
    ) -> JobData:
        """Return a Job's snapshot."""
        ...

    async def read_page(
        self,
        pipeline_id: int,
        cursor: str | None = None,
        *,
        final: bool,
        on_slot: Callable[[], None],
    ) -> Page[JobData]:
        """Return a page of a Pipeline's jobs list; the first page without a cursor."""
        ...

    def free_slots(self, *, final: bool) -> int:
        """Return how many polls could be sent at once now."""
        ...

    def final_poll_timeout(self, polls: int) -> float:
        """Return the seconds in which so many final polls can be made."""
        ...

    @property
    def window(self) -> float:
        """The seconds of a window of the call budget."""
        ...

    def spare_calls(self, share: float, own: int) -> float:
        """Return a share of the calls of a window that others leave; infinity without a limit.

        Args:
            share: Of what is left.
            own: How many of the calls in the window are no others'.
        """
        ...


class Subscriber:
    """Receives what is read of one target. Its methods must not block.

    Attributes:
        schedule: How often it wants a poll.
        target: What it subscribes to; None before and after.
        awaits_final_poll: Whether its deadline has passed, and its final poll is not over yet.
    """

    __slots__ = ("awaits_final_poll", "schedule", "target")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule: Schedule = schedule
        self.target: PollTarget | None = None
        self.awaits_final_poll: bool = False

    def unanswered_since(self) -> float | None:
        """Return the loop time of the last answer, where the last poll has failed."""
        return None if self.target is None else self.target.unanswered_since

    def on_update(self, news: JobData | Exception) -> None:
        """Take a snapshot, one a change; or the error that ends the wait."""
        raise NotImplementedError

    def on_deadline(self) -> None:
        """The deadline has passed, and the final poll, if one could be made, is published."""
        raise NotImplementedError


class PollTarget:
    """What the watcher polls.

    Attributes:
        subscribers: Who receives what is read.
        polled_at: The loop time of the last poll, whether or not it succeeded.
        failure: Why the last poll failed; None when it did not.
        is_closed: Whether it is no longer polled.
    """

    __slots__ = (
        "_expected_delay",
        "_fastest",
        "_gap",
        "_read_at",
        "_schedules",
        "_started_at",
        "_streak",
        "failure",
        "is_closed",
        "polled_at",
        "subscribers",
    )

    unread_limits: ClassVar[Mapping[Failure, Limit]] = UNREAD
    """How often failures are repeated before they are believed of what was never read."""

    def __init__(self, now: float) -> None:
        self.subscribers: dict[Subscriber, None] = {}
        self.polled_at: float | None = None
        self.failure: Exception | None = None
        self.is_closed: bool = False
        # Subscribers share equal schedules, so that thousands on one Job cost no more than one.
        self._schedules: dict[object, tuple[Schedule, int]] = {}
        self._fastest: Schedule | None = None
        self._gap = LONGEST_GAP
        self._expected_delay: Callable[[float, float], float] | None = None
        self._started_at = now
        self._read_at: float | None = None
        self._streak: Streak | None = None

    # -- what each kind says ----------------------------------------------------------------------

    async def poll(self, reader: JobReader, *, final: bool, on_slot: Callable[[], None]) -> None:
        """Poll once and publish what was read; for the arguments, see ``JobReader``."""
        raise NotImplementedError

    @property
    def pipeline_id(self) -> int:
        """The Pipeline whose Jobs it is about."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """What logs call it."""
        raise NotImplementedError

    @property
    def has_ended(self) -> bool:
        """Whether polling it again would show nothing new."""
        return False

    def _effective(self, schedule: Schedule) -> Schedule:
        """Return the schedule to ask in place of the one that a subscriber has passed."""
        return schedule

    # -- subscribers ------------------------------------------------------------------------------

    def add(self, subscriber: Subscriber) -> None:
        """Add a subscriber."""
        subscriber.target = self
        self.subscribers[subscriber] = None
        key = _key(subscriber.schedule)
        schedule, count = self._schedules.get(key, (subscriber.schedule, 0))
        self._schedules[key] = (schedule, count + 1)

    def remove(self, subscriber: Subscriber) -> bool:
        """Remove a subscriber; return whether it alone has set the interval."""
        subscriber.target = None
        del self.subscribers[subscriber]
        key = _key(subscriber.schedule)
        schedule, count = self._schedules.pop(key)
        if count > 1:
            self._schedules[key] = (schedule, count - 1)
            return False
        return schedule is self._fastest

    def notify(self, news: JobData | Exception) -> None:
        """Hand a snapshot or an error to all subscribers; each gets a traceback of its own."""
        for subscriber in list(self.subscribers):
            subscriber.on_update(_own_copy(news) if isinstance(news, Exception) else news)

    @property
    def spare_share(self) -> float:
        """The part of the free calls that its subscribers want for polls beyond the schedule."""
        shares = [each.share for each, _ in self._schedules.values() if isinstance(each, Eager)]
        return max(shares, default=0.0)

    # -- what came of a poll ----------------------------------------------------------------------

    def record_success(self, read_at: float) -> None:
        """Record that a poll has succeeded."""
        self.polled_at = self._read_at = read_at
        self.failure = self._streak = None

    def record_failure(self, failure: Exception, now: float, *, final: bool) -> bool:
        """Record that a poll has failed; return whether further ones are pointless.

        Nothing confirms the failure of a final poll: it is believed of what was never read.
        """
        self.polled_at, self.failure = now, failure
        self._streak = self._streak or Streak()
        was_read = self._read_at is not None
        lasts = self._streak.failed(failure, now, READ if was_read else self.unread_limits)
        return lasts or (final and not was_read and failure_of(failure) is not Failure.PASSING)

    @property
    def unanswered_since(self) -> float | None:
        """The loop time of the last answer, or of the beginning, where the last poll has failed."""
        if self.failure is None:
            return None
        return self._started_at if self._read_at is None else self._read_at

    # -- when to poll -----------------------------------------------------------------------------

    def gap(self, now: float) -> float:
        """Return the seconds from the last poll to the next: the subscribers' shortest interval."""
        shortest, fastest = math.inf, None
        for passed, _ in list(self._schedules.values()):
            try:
                schedule = self._effective(passed)
                gap = next_gap(schedule, self._age(now))
            except Exception as error:  # noqa: BLE001 -- handed to those who passed the schedule
                self._reject(passed, error)
                schedule, gap = passed, LONGEST_GAP
            if gap < shortest:
                shortest, fastest = gap, schedule
                self._fastest = passed
        if self._streak is not None:
            shortest = self._streak.gap(shortest)
        # ``poll_value`` is called at every choice, so what holds between polls is kept.
        self._gap = shortest
        self._expected_delay = fastest.expected_delay if isinstance(fastest, Learned) else None
        return shortest

    def poll_value(self, now: float) -> float:
        """Return what a poll is worth: the seconds that an end is expected to be undetected."""
        last = self._started_at if self._read_at is None else self._read_at
        if self._expected_delay is not None:
            return self._expected_delay(self._age(last), self._age(now))
        return expected_detection_delay(self._gap, now - last)

    def _age(self, now: float) -> float:
        """Return how long it has run, in seconds."""
        return max(0.0, now - self._started_at)

    def _reject(self, schedule: Schedule, error: Exception) -> None:
        """Hand a schedule's error to those who passed the schedule."""
        for subscriber in [s for s in self.subscribers if _key(s.schedule) == _key(schedule)]:
            subscriber.on_update(error)


def _key(schedule: Schedule) -> object:
    """Return a key that equal schedules share."""
    try:
        hash(schedule)
    except TypeError:
        return id(schedule)
    return schedule


def _own_copy(error: Exception) -> Exception:
    """Return a copy, or the error itself where it cannot be copied."""
    try:
        own = copy.copy(error)
    except Exception:  # noqa: BLE001 -- a user's exception, whose constructor may not allow it
        return error
    own.__cause__ = error.__cause__
    return own


_TYPICAL_GAP = 15.0
_TYPICAL_DURATION = 600.0
"""What makes the polls of different schedules comparable: 15 s suit a Job of ten minutes. Half the
interval says that the Job is four times as likely to end in the next second, or matters so.
"""
_NEGLIGIBLE = 1e-6


def expected_detection_delay(gap: float, elapsed: float) -> float:
    """Return the seconds for which an end is expected to have gone undetected: a poll's value.

    A schedule that has learnt how long Jobs run says so itself, by ``expected_delay(since, age)``:
    of a Job that was read as running at the age ``since``, and has the age ``age`` now, in seconds.
    Of any other, the gap it asks for tells how likely an end is: when a gap has passed, its poll is
    worth the same, whoever asked for it. Either way it never exceeds the time since the last poll,
    so that no interval, however short, keeps others out for ever.

    Args:
        gap: The seconds between polls that the schedule wants.
        elapsed: The seconds since the last poll.
    """
    ends = _TYPICAL_GAP**2 / _TYPICAL_DURATION / gap**2 * elapsed
    if ends < _NEGLIGIBLE:
        return ends * elapsed / 2
    return elapsed * (1 + math.expm1(-ends) / ends)
