"""Looking at Jobs, one by one or by a Pipeline's list, for the watcher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hevo_edge import api
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge.models import JobData

LAST_LOOK = 5.0
"""Seconds that the last look, at a deadline, may take once its turn has come."""

AT_ONCE = 50
"""How many last looks are sure to be under way at once."""


class Eyes:
    """Reads Jobs over a transport.

    Args:
        transport: Sends.
        limiter: Knows the call budget.
    """

    def __init__(self, transport: Transport, limiter: RateLimiter) -> None:
        self._transport = transport
        self._limiter = limiter

    async def job(
        self, key: tuple[int, str], *, last: bool, sending: Callable[[], None]
    ) -> JobData:
        """Return a Job's snapshot.

        Raises:
            RequestError: when it could not be read.
        """
        data: JobData = await self._send(api.get_job(*key), last=last, sending=sending)
        return data

    async def jobs(
        self, pipeline_id: int, *, last: bool, sending: Callable[[], None]
    ) -> list[JobData]:
        """Return the rows on the first page of a Pipeline's jobs list.

        Raises:
            RequestError: when it could not be read.
        """
        page = await self._send(api.list_jobs(pipeline_id), last=last, sending=sending)
        rows: list[JobData] = page.data
        return rows

    def room(self, *, last: bool) -> int:
        """Return how many looks could be sent at once now."""
        return self._limiter.free_slots(priority_of(last=last))

    def patience(self, looks: int) -> float:
        """Return the seconds in which so many last looks can be made, and answered."""
        budget = self._limiter.time_for(looks, Priority.DISCOVERY)
        return budget + LAST_LOOK * (2 + looks / AT_ONCE)

    async def _send(
        self, request: api.Request[Any], *, last: bool, sending: Callable[[], None]
    ) -> Any:
        return await self._transport.send(
            request,
            priority_of(last=last),
            reply_timeout=LAST_LOOK if last else None,
            before_sending=sending,
        )


def priority_of(*, last: bool) -> Priority:
    """Return a look's place in the limiter: one at a deadline goes before those on schedule."""
    return Priority.DISCOVERY if last else Priority.POLL
