"""What may be repeated, and when.

A read is repeated on connection errors, time-outs, 429, 5xx, what gateways send in place of a 5xx,
and a success that is not JSON; any other request only when it surely was not sent. Beside this, a
trigger repeats its POST when that is safe, and ``_jobs.cancel`` a cancel.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import backoff

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.outage_log import OutageLog
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.responses import Reply
from hevo_edge._http.throttle import MAX_PAUSE
from hevo_edge._text.logger import get_logger
from hevo_edge.api import Request
from hevo_edge.errors import (
    ApiError,
    RateLimited,
    RequestError,
    RequestNotSent,
    UnexpectedResponse,
)

log: logging.Logger = get_logger("hevo_edge.http")

BACKOFF_FACTOR = 0.5
BACKOFF_MAX = 30.0
"""Full jitter: the n-th retry waits anything up to factor * 2**n seconds, at most BACKOFF_MAX."""
JITTER = 0.5
"""Seconds of jitter on top of a wait that the server sets: it gave everybody the same moment."""


@dataclass(slots=True)
class Call:
    """One request on its way through its attempts."""

    request: Request[Any]
    priority: Priority
    deadline: float | None
    reply_timeout: float | None
    before_sending: Callable[[], None]
    started: float
    slot_deadline: float | None = None
    """Loop time until which it may wait for its first slot, if that is not the deadline."""
    attempts: int = 0
    failure: AttemptFailed | None = None
    sent_at: float | None = None
    waited: float = 0.0
    """Seconds that the current attempt has waited for the call budget, if anybody observes."""
    is_reused: bool = False
    """Whether the last attempt may have used a connection that an earlier request had used."""


class AttemptFailed(Exception):
    """One attempt of a call has failed.

    Args:
        call: The call.
        error: What its caller gets, unless it is repeated.
        cause: What aiohttp raised, without credentials.
    """

    def __init__(self, call: Call, error: RequestError, cause: Exception | None = None) -> None:
        self.call = call
        self.error = error
        self.cause = cause


class Retries:
    """Repeats the attempts of a call where that is safe.

    Args:
        attempt: Makes one attempt.
        limiter: Knows the pause after a 429.
        clock: Time and jitter.
        max_retries: How often a call is repeated.
    """

    def __init__(
        self,
        attempt: Callable[[Call], Awaitable[Reply[Any]]],
        limiter: RateLimiter,
        clock: Clock,
        max_retries: int,
    ) -> None:
        self._attempt = attempt
        self._limiter = limiter
        self._clock = clock
        self._max_retries = max_retries
        self.outages: OutageLog = OutageLog(clock.now)

    async def run(self, call: Call) -> Reply[Any]:
        """Repeat a call whose first attempt has failed.

        Nearly all calls succeed at once; they need not pay for the machinery of retries.

        Raises:
            AttemptFailed: the last failure.
        """
        retries = 0
        ceilings = backoff.expo(factor=BACKOFF_FACTOR, max_value=BACKOFF_MAX)
        next(ceilings)
        while True:
            failed = call.failure
            assert failed is not None  # noqa: S101 -- for the type checkers
            self._log(failed)
            if retries == self._max_retries or self._gives_up(failed):
                raise failed
            wait = self._wait(failed, ceilings)
            log.debug("retrying in %.1f s: %s", wait, failed.error)
            await self._clock.sleep(wait)
            retries += 1
            with suppress(AttemptFailed):  # the call has it
                return await self._attempt(call)

    def is_unproven(self, call: Call) -> bool:
        """Tell whether a final error may be the reply to an earlier request on its connection."""
        error = None if call.failure is None else call.failure.error
        is_in_time = call.deadline is None or self._clock.now() < call.deadline
        if not isinstance(error, (ApiError, UnexpectedResponse)):
            return False
        return call.is_reused and is_in_time and not error.transient

    def _gives_up(self, failed: AttemptFailed) -> bool:
        """Tell whether the request must not, or need not, be sent again."""
        call, error = failed.call, failed.error
        if call.deadline is not None and self._clock.now() >= call.deadline:
            return True
        if isinstance(error, RequestNotSent):
            return not error.transient
        if not call.request.is_read or not error.transient:
            return True
        return isinstance(error, ApiError) and (error.retry_after or 0.0) > MAX_PAUSE

    def _wait(self, failed: AttemptFailed, ceilings: Iterator[float]) -> float:
        """Return the seconds until the next attempt; the ceilings are those of the backoff."""
        call, error = failed.call, failed.error
        if isinstance(error, RateLimited):
            # The pause of the whole client; how long it is, the limiter decides.
            wait = self._limiter.pause_left() + self._jitter()
        else:
            wait = self._clock.random.uniform(0, next(ceilings))
            if isinstance(error, ApiError) and error.retry_after is not None:
                # Not less than the backoff: a server that asks for next to nothing gets time.
                wait = max(wait, error.retry_after + self._jitter())
        if call.deadline is not None:
            wait = max(0.0, min(wait, call.deadline - self._clock.now()))
        return wait

    def _log(self, failed: AttemptFailed) -> None:
        # Without a cause, the call budget had no slot for it.
        if failed.cause is not None or not isinstance(failed.error, RequestNotSent):
            self.outages.failed(failed.error)

    def _jitter(self) -> float:
        return self._clock.random.uniform(0, JITTER)
