"""What is told of each call: to the observers, and one DEBUG line for who wants to see them all."""

from __future__ import annotations

import logging
import sys
from typing import Any

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import Granted, RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.retry import Call
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import RequestError
from hevo_edge.observing._events import BudgetEvent, RequestEvent, ThrottledEvent
from hevo_edge.observing._observer import Observers

log: logging.Logger = get_logger("hevo_edge.http")


class CallReport:
    """Tells of the calls of one client.

    Args:
        observers: Those who want to know.
        limiter: Grants the slots.
        clock: Time.
    """

    def __init__(self, observers: Observers, limiter: RateLimiter, clock: Clock) -> None:
        self._observers = observers
        self._limiter = limiter
        self._clock = clock

    async def slot(self, call: Call) -> Granted | None:
        """Take a slot of the call budget, and tell of the wait if there is one."""
        until = call.deadline if call.slot_deadline is None else call.slot_deadline
        if not self._observers:
            return await self._limiter.acquire(call.priority, until)
        asked, is_waiting = self._clock.now(), False

        def on_stall(expected: float) -> None:
            nonlocal is_waiting
            is_waiting = True
            self._budget(call, expected, None)

        try:
            return await self._limiter.acquire(call.priority, until, on_stall)
        finally:
            if is_waiting:
                call.waited = self._clock.now() - asked
                self._budget(call, 0.0, call.waited)

    def attempt_over(self, call: Call, status: int | None, error: RequestError | None) -> None:
        """Tell that one attempt of a call is over."""
        logs = log.isEnabledFor(logging.DEBUG)
        if not (logs or self._observers):
            return
        elapsed = 0.0 if call.sent_at is None else self._clock.now() - call.sent_at
        free = self._limiter.free_slots(Priority.TRIGGER)
        left = None if free == sys.maxsize else max(0, free)
        if logs:
            log.debug(
                "%s %s: %s in %.0f ms, attempt %d%s",
                call.request.method,
                call.request.path,
                status or type(error).__name__,
                elapsed * 1000,
                call.attempts,
                "" if left is None else f", {left} calls left",
            )
        if self._observers:
            self._observers.notify(
                RequestEvent(
                    **_named(call),
                    method=call.request.method,
                    path=call.request.path.partition("?")[0],
                    job_id=call.request.job_id,
                    attempt=call.attempts,
                    waited=call.waited,
                    elapsed=elapsed,
                    status=status,
                    error=error,
                    calls_left=left,
                )
            )
            call.waited = 0.0

    def throttled(self, call: Call, retry_after: float | None) -> None:
        """Tell that Hevo has refused a call (429)."""
        if self._observers:
            pause = self._limiter.pause_left()
            self._observers.notify(
                ThrottledEvent(name=call.request.name, retry_after=retry_after, pause=pause)
            )

    def _budget(self, call: Call, expected: float, waited: float | None) -> None:
        self._observers.notify(BudgetEvent(**_named(call), expected=expected, waited=waited))


def _named(call: Call) -> dict[str, Any]:
    """Return what several events have in common."""
    return {
        "name": call.request.name,
        "pipeline_id": call.request.pipeline_id,
        "priority": call.priority.name.lower(),
    }
