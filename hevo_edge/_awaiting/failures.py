"""Which failures of polls end a wait: at once, when they last, or never.

One odd reply among good ones says nothing, and neither does an outage, however long. What no time
can mend ends the wait: the caller has to change something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hevo_edge.errors import (
    NotFound,
    RateLimited,
    RequestError,
    RequestNotSent,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)

UNANSWERED = (
    RequestNotSent,
    RequestOutcomeUnknown,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
"""What says nothing of what was asked for: ask again later."""
CONFIRMING_INTERVAL = 10.0
"""Seconds between polls of what seems to be gone, whatever the schedule; and between those that
fail in another way that may last, at least. A Job is listed 5 to 15 s after it has started, and a
copy of Hevo's data may be later still to show it by its id."""


@dataclass(frozen=True)
class Limit:
    """How long failures may last before they are believed: so many in a row, over so many seconds.

    Attributes:
        count: How many polls in a row, at least.
        seconds: From the first of them to the last, at least.
    """

    count: int
    seconds: float = 0.0


class Failure(Enum):
    """What a failed poll may mean."""

    PASSING = "passing"
    """The network, 429, 5xx, an unreadable body: says nothing of what is polled."""
    MISSING = "missing"
    """404."""
    CODE = "code"
    """What was raised is no error of the network: a middleware or a trace of the session."""
    WRONG_SERVER = "wrong server"
    """A gateway's page, a reply of another shape or encoding, a certificate that is not trusted."""
    FINAL = "final"
    """Hevo refuses, or the client cannot go on."""


def failure_of(error: Exception) -> Failure:
    """Return what the error of a poll may mean."""
    if isinstance(error, NotFound):
        return Failure.MISSING
    if isinstance(error, ServerError) and error.from_gateway:
        return Failure.WRONG_SERVER
    if isinstance(error, RequestError) and error.transient:
        return Failure.PASSING
    if isinstance(error, RequestOutcomeUnknown):
        return Failure.CODE
    if isinstance(error, (UnexpectedResponse, RequestNotSent)):
        return Failure.WRONG_SERVER
    return Failure.FINAL


UNREAD: Mapping[Failure, Limit] = {
    Failure.MISSING: Limit(3),
    Failure.CODE: Limit(3),
    Failure.WRONG_SERVER: Limit(5, 60.0),
    Failure.FINAL: Limit(1),
}
"""For what was never read. What is passing has no limit."""
READ: Mapping[Failure, Limit] = {
    # Only an old copy of Hevo's data is likely to know nothing of a Job that was read.
    Failure.MISSING: Limit(7),
    Failure.CODE: Limit(3),
    Failure.WRONG_SERVER: Limit(10, 600.0),
    Failure.FINAL: Limit(1),
}
"""For what was read before."""


class Streak:
    """The failures of one target in a row that are of one kind, and may last."""

    __slots__ = ("_began", "_count", "_failure")

    def __init__(self) -> None:
        self._failure: Failure | None = None
        self._count = 0
        self._began = 0.0

    def failed(self, error: Exception, now: float, limits: Mapping[Failure, Limit]) -> bool:
        """Count the failure of a poll at a loop time; return whether it has lasted too long."""
        failure = failure_of(error)
        if failure is not self._failure:
            self._failure, self._count, self._began = failure, 0, now
        self._count += 1
        limit = limits.get(failure)
        if limit is None:
            return False
        return self._count >= limit.count and now - self._began >= limit.seconds

    def gap(self, scheduled: float) -> float:
        """Return the seconds to the next poll, where the schedule says ``scheduled``."""
        if self._failure is Failure.PASSING:
            return scheduled
        if self._failure is Failure.MISSING:
            return CONFIRMING_INTERVAL
        return max(scheduled, CONFIRMING_INTERVAL)
