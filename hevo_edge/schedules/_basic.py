"""The schedules that a user passes as ``poll_interval``, and the checks of what they answer.

A schedule answers one question: a Job has this age, how long until the next poll? Anything with a
``gap(age)`` method will do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from hevo_edge._common import validation
from hevo_edge._common.validation import Duration
from hevo_edge._text.field_docs import show_fields
from hevo_edge.errors import ConfigurationError
from hevo_edge.schedules import _learned as learned

LONGEST_GAP = 24 * 3600.0
"""Seconds; a schedule that waits longer than a day is taken for a mistake."""


@runtime_checkable
class Schedule(Protocol):
    """Says when to poll a Job again."""

    def gap(self, age: float) -> float:
        """Return the seconds until the next poll of a Job of this age (seconds)."""
        ...


@show_fields
@dataclass(frozen=True)
class Fixed:
    """The same interval at any age."""

    seconds: float
    """Seconds from one poll to the next."""

    def __post_init__(self) -> None:
        _set_seconds(self, "seconds", "poll_interval")
        if self.seconds > LONGEST_GAP:
            raise ConfigurationError(f"{self!r} waits longer than a day")

    def gap(self, age: float) -> float:  # noqa: ARG002 -- the same at any age
        """Return the interval."""
        return self.seconds


@show_fields
@dataclass(frozen=True)
class Auto:
    """Learns from the Pipeline's finished Jobs; the same interval at any age until it has."""

    seconds: float
    """Seconds from one poll to the next."""

    def __post_init__(self) -> None:
        _set_seconds(self, "seconds", "auto schedule: interval")
        if self.seconds > LONGEST_GAP:
            raise ConfigurationError(f"{self!r} waits longer than a day")

    def gap(self, age: float) -> float:  # noqa: ARG002 -- nothing is learnt yet
        """Return the interval."""
        return self.seconds


@show_fields
@dataclass(frozen=True)
class Eager(Auto):
    """As ``Auto``, and more polls out of what the call budget leaves free."""

    share: float = 0.5
    """The part of the free calls for these polls; all waits that are eager use it together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (validation.is_number(self.share) and 0 < self.share <= 1):
            raise ConfigurationError(
                f"eager schedule: share must be above 0, and 1 at most, not {self.share!r}"
            )


@show_fields
@dataclass(frozen=True)
class Geometric:
    """Gaps that grow with the age: an end is detected within a share of the Job's duration."""

    share: float
    """The gap, as a share of the Job's age."""
    shortest: float
    """Seconds; no gap is shorter."""
    longest: float
    """Seconds; no gap is longer."""

    def __post_init__(self) -> None:
        for name in ("share", "shortest", "longest"):
            _set_seconds(self, name, f"geometric schedule: {name}")
        if self.shortest > self.longest:
            raise ConfigurationError("geometric schedule: shortest must not exceed longest")

    def gap(self, age: float) -> float:
        """Return a share of the age, within the bounds."""
        return min(max(self.share * age, self.shortest), self.longest)


def _set_seconds(schedule: Any, field: str, name: str) -> None:
    """Check a field, and make it a float of seconds; the dataclass is frozen."""
    object.__setattr__(schedule, field, validation.seconds(getattr(schedule, field), name))


def fixed(seconds: Duration) -> Fixed:
    """Poll every so many seconds.

    Raises:
        ConfigurationError: unless positive and finite.
    """
    return Fixed(validation.seconds(seconds, "poll_interval"))


def geometric(
    *, share: float = 0.1, shortest: Duration = 5.0, longest: Duration = 60.0
) -> Geometric:
    """Poll after a share of the Job's age, at least ``shortest``, at most ``longest`` seconds.

    Raises:
        ConfigurationError: unless all are positive and finite, and shortest <= longest.
    """
    of = "geometric schedule:"
    return Geometric(
        share,
        validation.seconds(shortest, f"{of} shortest"),
        validation.seconds(longest, f"{of} longest"),
    )


def from_history(
    durations: Iterable[Any], *, interval: Duration = 15.0, longest: Duration | None = None
) -> Schedule:
    """Poll when the Job is likely to end, by the durations of the Jobs before it.

    In expectation it polls as often as the fixed interval would: seldom while an end is unlikely,
    often when it is near (after Keller 1974 and Barlow, Hunter and Proschan 1963: the next poll
    comes when the expected detection delay, the seconds for which the Job is expected to have ended
    undetected, reaches the same price at any age; see ``hevo_edge/schedules/_learned.py``). Guard
    rails: a poll after one interval, because what fails at once fails early (and one after half of
    it, if enough did); no gap longer than ``longest``, nor shorter than a tenth of the interval;
    the plain interval again for a Job that outlives its history.

    It pays only where durations are alike. With fewer than 12 Jobs that took longer than one
    interval, a typical duration below 3 intervals, or widely spread durations (a standard deviation
    of their logarithms above 0.8), the answer is ``fixed(interval)``. It takes no Job into account
    that ends after it was made: make a new one for each wait.

    Args:
        durations: Of the Pipeline's finished Jobs, **newest first**: seconds, ``JobData``, or
            ``Job``. Those without a duration (None) are left out. The first 40 count.
        interval: The fixed interval that it replaces, in seconds.
        longest: The longest gap, in seconds, not below the interval; 15 intervals if None.
            Widely spread durations make it shorter.

    Raises:
        ConfigurationError: for durations that are no numbers, or negative, or not finite; for an
            interval or a longest gap that is not positive, or longer than a day; for a longest gap
            below the interval.
    """
    each = validation.seconds(interval, "from_history: interval")
    most = validation.optional_seconds(longest, "from_history: longest")
    if most is None:
        most = min(learned.LONGEST * each, max(LONGEST_GAP, each))
    if not each <= most <= LONGEST_GAP:
        raise ConfigurationError(
            f"from_history: interval ({each:g} s) must not exceed longest ({most:g} s), "
            "nor longest a day"
        )
    return learned.learn(_seconds_of(durations), each, most) or Fixed(each)


def _seconds_of(durations: Any) -> list[float]:
    """Return durations as floats, without the unknown ones."""
    if isinstance(durations, (str, bytes)) or not isinstance(durations, Iterable):
        raise ConfigurationError(
            f"from_history: durations must be an iterable of seconds or Jobs, not {durations!r}"
        )
    found = []
    for each in durations:
        value = each
        if not validation.is_number(each):  # NumPy's numbers have a ``data`` of their own
            job = getattr(each, "data", each)
            value = getattr(job, "duration_seconds", job)
        if value is None:
            continue
        if isinstance(value, timedelta):
            value = value.total_seconds()
        if not validation.is_number(value):
            raise ConfigurationError(f"from_history: a duration must be seconds, not {value!r}")
        seconds = validation.to_float(value)
        if not 0 <= seconds < math.inf:
            raise ConfigurationError(
                f"from_history: a duration must be finite and not negative, not {value!r} seconds"
            )
        found.append(seconds)
    return found


def auto(*, interval: Duration = 15.0) -> Auto:
    """Learn from the Pipeline's finished Jobs when to poll; ``poll_interval="auto"`` is this.

    Args:
        interval: The seconds between polls that it replaces: it makes as many polls, but places
            them better. Where the past teaches nothing, this is the interval.

    Raises:
        ConfigurationError: unless positive and finite.
    """
    return Auto(validation.seconds(interval, "auto schedule: interval"))


def eager(*, share: float = 0.5, interval: Duration = 15.0) -> Eager:
    """Poll as ``auto``, and beyond that out of what the call budget leaves free.

    ``poll_interval="eager"`` is this. Of the calls that nobody else has made in the last period, a
    share goes to these polls: evenly, or where history has taught that an end is likely. They stop
    as soon as triggers, other waits, or other machines that share the budget need the calls. No Job
    is polled twice within a second.

    Args:
        share: The part of the free calls for all such polls of a client together; above 0, up to 1.
        interval: Seconds between polls, as in ``auto``, where nothing is free.

    Raises:
        ConfigurationError: for a share or an interval out of bounds.
    """
    return Eager(validation.seconds(interval, "eager schedule: interval"), share)


PollInterval: TypeAlias = "float | timedelta | Schedule | Literal['auto', 'eager']"
"""What a wait takes as ``poll_interval``."""
WORDS: dict[str, Schedule] = {"auto": Auto(15.0), "eager": Eager(15.0)}
"""What ``poll_interval="auto"`` and ``"eager"`` stand for."""


def as_schedule(poll_interval: Any) -> Schedule:
    """Return seconds, a word or a schedule as a schedule that has given a first answer.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(poll_interval, Schedule) and not isinstance(poll_interval, type):
        next_gap(poll_interval, 0.0)
        return poll_interval
    if isinstance(poll_interval, str) and poll_interval in WORDS:
        return WORDS[poll_interval]
    what = 'poll_interval, unless it is "auto", "eager" or a schedule,'
    return _fixed(validation.seconds(poll_interval, what))


@lru_cache(maxsize=256)
def _fixed(seconds: float) -> Fixed:
    """Return one schedule for equal intervals: the waits of a Job share what is the same."""
    return Fixed(seconds)


def next_gap(schedule: Schedule, age: float) -> float:
    """Ask a schedule, and check its answer.

    Raises:
        ConfigurationError: when it is not positive, or longer than a day; names the schedule.
    """
    if type(schedule) is Fixed:
        return schedule.seconds  # checked when it was made
    gap = validation.seconds(
        schedule.gap(age), f"the gap of schedule {schedule!r} at age {age:.0f} s"
    )
    if gap > LONGEST_GAP:
        raise ConfigurationError(f"schedule {schedule!r} waits {gap:.0f} s, longer than a day")
    return gap
