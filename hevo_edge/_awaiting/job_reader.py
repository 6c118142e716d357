"""Reads Jobs over HTTP for the watcher: one by its id, or a page of a Pipeline's list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hevo_edge import api
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge.models import JobData, Page

T = TypeVar("T")

FINAL_POLL_TIMEOUT = 5.0
"""Seconds that the final poll, at a deadline, may take once it has its slot."""

SURE_IN_FLIGHT = 50
"""How many final polls are sure to be in flight at once."""


class HttpJobReader:
    """Reads Jobs over a transport.

    Args:
        transport: Sends.
        limiter: Knows the call budget.
    """

    def __init__(self, transport: Transport, limiter: RateLimiter) -> None:
        self._transport = transport
        self._limiter = limiter

    async def read_job(
        self, key: tuple[int, str], *, final: bool, on_slot: Callable[[], None]
    ) -> JobData:
        """Return a Job's snapshot.

        Raises:
            RequestError: when it could not be read.
        """
        return await self._send(api.get_job(*key), final=final, on_slot=on_slot)

    async def read_page(
        self,
        pipeline_id: int,
        cursor: str | None = None,
        *,
        final: bool,
        on_slot: Callable[[], None],
    ) -> Page[JobData]:
        """Return a page of a Pipeline's jobs list; the first page without a cursor.

        Raises:
            RequestError: when it could not be read.
        """
        request = api.list_jobs(pipeline_id, cursor=cursor)
        return await self._send(request, final=final, on_slot=on_slot)

    def free_slots(self, *, final: bool) -> int:
        """Return how many polls could be sent at once now."""
        return self._limiter.free_slots(_priority(final=final))

    def final_poll_timeout(self, polls: int) -> float:
        """Return the seconds in which so many final polls can be made, and answered."""
        budget = self._limiter.time_for(polls, Priority.DISCOVERY)
        return budget + FINAL_POLL_TIMEOUT * (2 + polls / SURE_IN_FLIGHT)

    @property
    def window(self) -> float:
        """The seconds of a window of the call budget."""
        return self._limiter.window

    def spare_calls(self, share: float, own: int) -> float:
        """Return a share of the calls of a window that others leave; infinity without a limit."""
        return self._limiter.spare_calls(share, own)

    async def _send(
        self, request: api.Request[T], *, final: bool, on_slot: Callable[[], None]
    ) -> T:
        return await self._transport.send(
            request,
            _priority(final=final),
            reply_timeout=FINAL_POLL_TIMEOUT if final else None,
            before_sending=on_slot,
        )


def _priority(*, final: bool) -> Priority:
    """Return a poll's priority: one at a deadline goes before those on schedule."""
    return Priority.DISCOVERY if final else Priority.POLL
