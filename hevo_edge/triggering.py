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
from hevo_edge.preparing import Busy, Preparing, Restarting
from hevo_edge.ratelimit import Priority
from hevo_edge.schedules import geometric
from hevo_edge.ticket import TriggerTicket
from hevo_edge.transport import Transport

__all__ = ["Found", "TriggerTicket", "Triggers"]

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

DISCOVERY = geometric(share=0.25, shortest=1.0, longest=10.0)
"""When to look for the new Job: early, then spaced, by the seconds since the POST."""
PAUSE = 3.0
"""Seconds before a trigger that was refused is sent again."""
UNSURE = 30.0
"""Seconds after which a Job is taken that may have been created just before the ticket was."""
REMEMBERED = 10_000
"""How many tickets a client keeps in mind."""
_BAD_REQUEST = 400


@dataclass
class _Memory:
    """A ticket as it was last read, and whether it may have been posted."""

    ticket: TriggerTicket
    posted: bool = False


_turns: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, int], asyncio.Lock]
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
        self._memory: OrderedDict[str, _Memory] = OrderedDict()

    async def trigger(self, wish: TriggerTicket) -> Found:
        """Start what is wished for and find its Job.

        Raises:
            PipelineNotReady, JobInProgress: see ``Preparing``; nothing was started.
            RequestError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        self._remember(wish)
        return await self.fire(wish)

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way as ``if_running`` says, then note what is there."""
        while True:
            try:
                ticket = await self.preparing.read(wish)
            except Restarting:
                await self.preparing.until_ready(wish.pipeline_id)
            except Busy as busy:
                joined = await self.preparing.make_way(wish, busy.running)
                if joined is not None:
                    return wish.model_copy(update={"join_job_id": joined.job_id})
            else:
                self._remember(ticket)
                return ticket

    async def fire(self, ticket: TriggerTicket) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises: as ``trigger``.
        """
        unexplained: float | None = None  # since when Hevo refuses for what cannot be seen
        while True:
            running: JobData | None = None
            try:
                return await self._take_turn(ticket)
            except Restarting:
                await self.preparing.until_ready(ticket.pipeline_id)
            except Busy as busy:
                running = busy.running
            except ApiError as refusal:
                now = self._clock.now()
                unexplained = now if unexplained is None else unexplained
                late = now - unexplained >= ticket.discovery_timeout
                running = await self._refused(ticket, refusal, late=late)
                if running is None:
                    continue
            unexplained = None
            if running is not None:
                joined = await self.preparing.make_way(ticket, running)
                if joined is not None:
                    return Found(joined, adopted=True)

    async def _refused(
        self, ticket: TriggerTicket, refusal: ApiError, *, late: bool
    ) -> JobData | None:
        """Return the Job because of which Hevo refused, None if there is another passing reason.

        Raises the refusal where trying again is of no use.
        """
        if isinstance(refusal, JobInProgress):
            running = await self.preparing.who_runs(ticket.pipeline_id)
            if late or ticket.if_running is IfRunning.FAIL:
                raise self.preparing.in_progress(ticket, running, refusal=refusal) from refusal
            # A Job that is not in the list yet soon will be.
            await self._clock.sleep(PAUSE)
            return running
        restarting = refusal.status == _BAD_REQUEST and not late
        if restarting and await self.preparing.until_ready(ticket.pipeline_id):
            return None
        raise refusal

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Looks for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the
        POST may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
        """
        turn = self._turn(ticket.pipeline_id)
        async with turn:
            return await self._look_for(ticket)

    async def _look_for(self, ticket: TriggerTicket) -> Found | None:
        if ticket.join_job_id is not None:
            request = api.get_job(ticket.pipeline_id, ticket.join_job_id)
            return Found(await self._transport.send(request, Priority.DISCOVERY), adopted=True)
        memory = self._memory.get(ticket.ticket_id)
        if memory is None:
            return await self._search(ticket, "it is not known whether it was fired", {})
        if not memory.posted:
            return None
        return await self._search(memory.ticket, "it was fired before", {})

    # -- post -------------------------------------------------------------------------------------

    async def _take_turn(self, ticket: TriggerTicket) -> Found:
        """Read, post and look, while nobody else triggers the Pipeline."""
        turn = self._turn(ticket.pipeline_id)
        async with turn:
            memory = self._memory.get(ticket.ticket_id)
            if memory is not None and memory.posted:
                return await self._discover(memory.ticket, "it was fired before")
            if memory is None or ticket.join_job_id is not None:
                found = await self._look_for(ticket)
                if found is not None:
                    return found
                # Of a ticket from elsewhere, nothing has come.
                self._remember(ticket)
            ticket = await self.preparing.read(ticket)
            memory = self._remember(ticket)
            doubt = await self._post(memory)
            return await self._discover(memory.ticket, doubt)

    async def _post(self, memory: _Memory) -> str | None:
        """Send it once; return None when Hevo accepted, else why that cannot be known."""
        ticket, read_at = memory.ticket, self._clock.now()

        def note() -> None:
            # It may have waited for the call budget since it was read. What was created before it
            # goes out cannot be its Job, so the watermark moves on with Hevo's clock.
            memory.ticket = ticket.later(self._clock.now() - read_at)
            memory.posted = True

        try:
            await self._transport.send(self._request(ticket), Priority.TRIGGER, before_sending=note)
        except (ServerError, RequestOutcomeUnknown, UnexpectedResponse) as error:
            return str(error)
        except HevoError:
            # Refused, or never sent.
            memory.posted = False
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
            missing += await self.preparing.state_of(ticket.pipeline_id)
            raise JobNotFoundAfterTrigger(
                f"Hevo accepted {ticket.action} of Pipeline {ticket.pipeline_id}, but {missing}. "
                "Do not trigger again blindly: HevoClient.reconcile(error.ticket) looks again",
                ticket=ticket,
            )
        raise TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} may or may not have reached Hevo "
            f"({doubt}), and {missing}. HevoClient.reconcile(error.ticket) looks again; "
            "when it returns None, none has come of it",
            ticket=ticket,
        )

    async def _search(
        self, ticket: TriggerTicket, doubt: str | None, others: dict[str, JobData]
    ) -> Found | None:
        """Look until the Job shows up; None when it has not by the end of the discovery time.

        New Jobs that do not fit go to ``others``.
        """
        log.info(
            "looking for the Job of %s of Pipeline %s, for up to %g s",
            ticket.action,
            ticket.pipeline_id,
            ticket.discovery_timeout,
        )
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
            surely = [job for job in fitting if ticket.watermark.is_surely_news(job)]
            if surely:
                return self._became(ticket, surely, doubt)
            if fitting and (late or self._clock.now() - started >= UNSURE):
                return self._became(ticket, fitting, "it may have begun just before")
            others.update((job.job_id, job) for job in news if job not in fitting)
            if late:
                return None

    @staticmethod
    def _became(ticket: TriggerTicket, fitting: list[JobData], doubt: str | None) -> Found:
        # One Job of a Pipeline runs at a time. So where Hevo accepted, the first Job since is ours;
        # if there are more already, ours may not be in the list yet.
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

    def _turn(self, pipeline_id: int) -> asyncio.Lock:
        """Return the Pipeline's lock, one for all clients of this event loop; hold on to it."""
        of_loop = _turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), asyncio.Lock())

    def _remember(self, ticket: TriggerTicket) -> _Memory:
        """Note a ticket as it was read; that it was posted is never forgotten."""
        memory = self._memory.setdefault(ticket.ticket_id, _Memory(ticket))
        memory.ticket = ticket
        self._memory.move_to_end(ticket.ticket_id)
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return memory
