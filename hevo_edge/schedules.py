"""When to look again: small pure objects, to pass as ``poll_interval``.

A schedule answers one question: a Job has this age, how long until the next look? Anything with a
``gap(age)`` method will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from hevo_edge import checks
from hevo_edge.errors import ConfigurationError

LONGEST_GAP = 24 * 3600.0
"""Seconds; a schedule that waits longer than a day is taken for a mistake."""


@runtime_checkable
class Schedule(Protocol):
    """Says when to look at a Job again."""

    def gap(self, age: float) -> float:
        """Return the seconds until the next look at a Job of this age (seconds)."""
        ...


@dataclass(frozen=True)
class Fixed:
    """The same interval at any age."""

    seconds: float

    def __post_init__(self) -> None:
        checks.seconds(self.seconds, "poll_interval")

    def gap(self, age: float) -> float:  # noqa: ARG002 -- the same at any age
        """Return the interval."""
        return float(self.seconds)


@dataclass(frozen=True)
class Geometric:
    """Gaps that grow with the age: an ending is noticed within a share of the Job's duration."""

    share: float
    shortest: float
    longest: float

    def __post_init__(self) -> None:
        for name in ("share", "shortest", "longest"):
            checks.seconds(getattr(self, name), f"geometric schedule: {name}")
        if self.shortest > self.longest:
            raise ConfigurationError("geometric schedule: shortest must not exceed longest")

    def gap(self, age: float) -> float:
        """Return a share of the age, within the bounds."""
        return min(max(self.share * age, self.shortest), self.longest)


def fixed(seconds: float) -> Fixed:
    """Look every so many seconds.

    Raises:
        ConfigurationError: unless positive and finite.
    """
    return Fixed(seconds)


def geometric(*, share: float = 0.1, shortest: float = 5.0, longest: float = 60.0) -> Geometric:
    """Look after a share of the Job's age, at least ``shortest``, at most ``longest`` seconds.

    Raises:
        ConfigurationError: unless all are positive and finite, and shortest <= longest.
    """
    return Geometric(share, shortest, longest)


def as_schedule(poll_interval: Any) -> Schedule:
    """Return seconds or a schedule as a schedule.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(poll_interval, Schedule) and not isinstance(poll_interval, type):
        return poll_interval
    return Fixed(checks.seconds(poll_interval, "poll_interval, unless it is a schedule,"))


def next_gap(schedule: Schedule, age: float) -> float:
    """Ask a schedule, and check its answer.

    Raises:
        ConfigurationError: when it is not positive, or longer than a day; names the schedule.
    """
    gap = checks.seconds(schedule.gap(age), f"the gap of schedule {schedule!r} at age {age:.0f} s")
    if gap > LONGEST_GAP:
        raise ConfigurationError(f"schedule {schedule!r} waits {gap:.0f} s, longer than a day")
    return gap
