"""Read, post, reconcile: start exactly one run, and find the Job that it became.

The API takes no idempotency key and returns no job id. So: read what is there, POST once, and look
for what is new. Only what surely was not sent, or was refused, is ever sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from hevo_edge import api
from hevo_edge.awaiting import LAST_LOOK, PASSING
from hevo_edge.clock import Clock
from hevo_edge.enums import Dialect, IfRunning, PipelineAction
from hevo_edge.errors import (
    ApiError,
    HevoError,
    JobInProgress,
    JobNotFoundAfterTrigger,
    RequestOutcomeUnknown,
    ServerError,
    TriggerOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.models import JobData
from hevo_edge.preparing import Preparing
from hevo_edge.ratelimit import Priority
from hevo_edge.schedules import geometric
from hevo_edge.ticket import TriggerTicket
from hevo_edge.transport import Transport

__all__ = ["Found", "TriggerTicket", "Triggers"]

log = logging.getLogger("hevo_edge.triggering")

DISCOVERY = geometric(share=0.25, shortest=1.0, longest=10.0)
"""When to look for the new Job: early, then spaced, by the seconds since the POST."""
PAUSE = 3.0
"""Seconds before a trigger that was refused is sent again."""
REMEMBERED = 10_000
"""How many tickets a client keeps in mind."""
_BAD_REQUEST = 400
_FIRST_ERROR = 400

_LockKey = tuple[str, int]
_locks: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[_LockKey, asyncio.Lock]
] = WeakKeyDictionary()


@dataclass(frozen=True)
class Found:
    """The Job of a trigger; ``adopted`` when it cannot be known that this trigger started it."""

    job: JobData
    adopted: bool


class Triggers:
    """Fires triggers and finds their Jobs.

    Args:
        transport: Sends.
        preparing: Does the read step.
        clock: Time.
        dialect: Which form a resync's body has.
        scope: Tells apart the accounts whose Pipelines must not be triggered at once.
    """

    def __init__(
        self,
        transport: Transport,
        preparing: Preparing,
        clock: Clock,
        *,
        dialect: Dialect,
        scope: str,
    ) -> None:
        self.preparing = preparing
        self._transport = transport
        self._clock = clock
        self._dialect = dialect
        self._scope = scope
        # By ticket: False while it is only prepared here, True once its POST may have arrived.
        self._posted: OrderedDict[str, bool] = OrderedDict()

    def lock(self, pipeline_id: int) -> asyncio.Lock:
        """Return the lock under which a Pipeline is triggered; one a process and event loop."""
        of_loop = _locks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), asyncio.Lock())

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way and read; see ``Preparing.prepare``."""
        ticket = await self.preparing.prepare(wish)
        if ticket.join_job_id is None:
            self._remember(ticket, posted=False)
        return ticket

    async def fire(self, ticket: TriggerTicket) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises:
            RequestNotSent, ApiError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        if ticket.join_job_id is not None:
            request = api.get_job(ticket.pipeline_id, ticket.join_job_id)
            return Found(await self._transport.send(request, Priority.DISCOVERY), adopted=True)
        posted = self._posted.get(ticket.ticket_id)
        if posted:
            return await self._discover(ticket, doubt="it was fired before")
        if posted is None:
            # From another process, which may have posted it before it ended.
            found = await self.reconcile(ticket)
            if found is not None:
                return found
        return await self._post_and_discover(ticket)

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Looks for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the
        POST may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
        """
        if ticket.join_job_id is not None:
            return await self.fire(ticket)
        if self._posted.get(ticket.ticket_id) is False:
            return None
        return await self._search(ticket, "only looking for what came of it", {})

    # -- post -------------------------------------------------------------------------------------

    async def _post_and_discover(self, ticket: TriggerTicket) -> Found:
        give_up = self._clock.now() + ticket.discovery_timeout
        while True:
            try:
                doubt = await self._post(ticket)
                return await self._discover(ticket, doubt)
            except JobInProgress as refusal:
                running = await self.preparing.who_runs(ticket.pipeline_id)
                if ticket.if_running is IfRunning.FAIL or self._clock.now() >= give_up:
                    raise self.preparing.in_progress(ticket, running, refusal=refusal) from refusal
                if running is not None:
                    # It can be joined, waited for or cancelled; only hidden ones use up the time.
                    give_up = self._clock.now() + ticket.discovery_timeout
            except ApiError as refusal:
                if refusal.status != _BAD_REQUEST or self._clock.now() >= give_up:
                    raise
                if not await self.preparing.until_ready(ticket.pipeline_id):
                    raise
            # It was refused, so it may be sent again; a Job not in the list yet soon will be.
            await self._clock.sleep(PAUSE)
            again = await self.prepare(ticket)
            if again.join_job_id is not None:
                return await self.fire(again)
            ticket = again

    async def _post(self, ticket: TriggerTicket) -> str | None:
        """Send it once; return None when Hevo accepted, else why it cannot be known."""
        self._remember(ticket, posted=True)
        try:
            await self._transport.send(self._request(ticket), Priority.TRIGGER)
        except (ServerError, RequestOutcomeUnknown) as error:
            return str(error)
        except UnexpectedResponse as error:
            if error.status is None or error.status < 300 or error.status >= _FIRST_ERROR:  # noqa: PLR2004
                return str(error)
            self._remember(ticket, posted=False)
            raise
        except HevoError:
            # Refused, or never sent.
            self._remember(ticket, posted=False)
            raise
        return None

    def _request(self, ticket: TriggerTicket) -> api.Request[Any]:
        pipeline_id, drop = ticket.pipeline_id, ticket.drop_and_load
        if ticket.object_ids is not None:
            return api.resync_objects(
                pipeline_id, ticket.object_ids, drop_and_load=drop, dialect=self._dialect
            )
        if ticket.action is PipelineAction.RESYNC:
            return api.resync_pipeline(pipeline_id, drop_and_load=drop, dialect=self._dialect)
        return api.sync_now(pipeline_id)

    # -- reconcile --------------------------------------------------------------------------------

    async def _discover(self, ticket: TriggerTicket, doubt: str | None) -> Found:
        others: dict[str, JobData] = {}
        found = await self._search(ticket, doubt, others)
        if found is not None:
            return found
        wanted = "new" if ticket.job_type is None else f"new {ticket.job_type}"
        missing = f"no {wanted} Job showed up within {ticket.discovery_timeout:.0f} s"
        for job in others.values():
            missing += f"; but {job.type} Job {job.job_id} did: leave job_type out to take any"
        if doubt is None:
            raise JobNotFoundAfterTrigger(
                f"Hevo accepted {ticket.action} of Pipeline {ticket.pipeline_id}, but {missing}. "
                "Do not trigger again blindly: HevoClient.reconcile(error.ticket) looks again",
                ticket=ticket,
            )
        raise TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} may or may not have reached Hevo "
            f"({doubt}), and {missing}. HevoClient.reconcile(error.ticket) looks again; when it "
            "returns None, none has come of it",
            ticket=ticket,
        )

    async def _search(
        self, ticket: TriggerTicket, doubt: str | None, others: dict[str, JobData]
    ) -> Found | None:
        """Look until the Job shows up; None when it has not by the end of the discovery time.

        New Jobs that do not fit go to ``others``.
        """
        started = self._clock.now()
        deadline = started + ticket.discovery_timeout
        fetch = self.preparing.fetch(ticket.pipeline_id, deadline + LAST_LOOK)
        while True:
            wait = DISCOVERY.gap(self._clock.now() - started)
            await self._clock.sleep(max(0.0, min(wait, deadline - self._clock.now())))
            late = self._clock.now() >= deadline
            try:
                news = await ticket.watermark.news(fetch)
            except HevoError as error:
                if late or not isinstance(error, PASSING):
                    raise self._unknown(ticket, error) from error
                log.warning("could not look for the Job of a trigger, will repeat: %s", error)
                continue
            fitting = [job for job in news if ticket.fits(job)]
            if fitting:
                return self._became(ticket, fitting, doubt)
            others.update((job.job_id, job) for job in news)
            if late:
                return None

    @staticmethod
    def _became(ticket: TriggerTicket, fitting: list[JobData], doubt: str | None) -> Found:
        # One Job of a Pipeline runs at a time: where Hevo accepted, a single new Job is ours; of
        # several the first is likelier, but it cannot be known.
        found = Found(fitting[0], adopted=doubt is not None or len(fitting) > 1)
        log.info(
            "%s of Pipeline %s became %s Job %s%s",
            ticket.action,
            ticket.pipeline_id,
            found.job.type,
            found.job.job_id,
            ", probably" if found.adopted else "",
        )
        return found

    def _unknown(self, ticket: TriggerTicket, error: HevoError) -> TriggerOutcomeUnknown:
        return TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} was, or may have been, sent, but "
            f"the Jobs could not be listed: {error}. HevoClient.reconcile(error.ticket) looks "
            "again",
            ticket=ticket,
        )

    def _remember(self, ticket: TriggerTicket, *, posted: bool) -> None:
        self._posted[ticket.ticket_id] = posted
        self._posted.move_to_end(ticket.ticket_id)
        while len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)
