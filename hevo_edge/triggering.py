"""Read, post, reconcile: start exactly one run, and find the Job that it became.

The API takes no idempotency key and returns no job id. So: read what is there, POST once, and look
for what is new. Only what surely was not sent, or was refused, is ever sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
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

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

DISCOVERY = geometric(share=0.25, shortest=1.0, longest=10.0)
"""When to look for the new Job: early, then spaced, by the seconds since the POST."""
PAUSE = 3.0
"""Seconds before a trigger that was refused is sent again."""
FRESH = 5.0
"""Seconds for which what was read before a trigger is good enough to POST on."""
UNSURE = 30.0
"""Seconds after which a Job is taken that may have been created just before the ticket was."""
REMEMBERED = 10_000
"""How many tickets a client keeps in mind."""
_BAD_REQUEST = 400


@dataclass(eq=False)
class _Turn:
    """Whose turn it is to trigger a Pipeline, and how many have had theirs."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    count: int = 0


@dataclass
class _Memory:
    """What a client knows of a ticket: whether its POST may have arrived, and how fresh it is."""

    posted: bool
    read_at: float
    turn: _Turn
    turns_before: int


class _Stale(Exception):
    """What the ticket says was there before may not be all any more."""


_turns: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, int], _Turn]
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

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way and read; see ``Preparing.prepare``."""
        turn = self._turn(wish.pipeline_id)
        turns_before = turn.count
        ticket = await self.preparing.prepare(wish)
        self._remember(ticket, _Memory(False, self._clock.now(), turn, turns_before))
        return ticket

    async def fire(self, ticket: TriggerTicket) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises:
            RequestNotSent, ApiError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        give_up = self._clock.now() + ticket.discovery_timeout
        while True:
            try:
                async with self._turn(ticket.pipeline_id).lock:
                    return await self._fire_once(ticket)
            except _Stale:
                pass
            except JobInProgress as refusal:
                running = await self.preparing.who_runs(ticket.pipeline_id)
                if ticket.if_running is IfRunning.FAIL or self._clock.now() >= give_up:
                    raise self.preparing.in_progress(ticket, running, refusal=refusal) from refusal
                if running is not None:
                    # It can be joined, waited for or cancelled; only hidden ones use up the time.
                    give_up = self._clock.now() + ticket.discovery_timeout
                await self._clock.sleep(PAUSE)
            except ApiError as refusal:
                if refusal.status != _BAD_REQUEST or self._clock.now() >= give_up:
                    raise
                if not await self.preparing.until_ready(ticket.pipeline_id):
                    raise
            # Nothing came of it, so it may be sent again, on what is there now.
            ticket = await self.prepare(ticket)

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Looks for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the
        POST may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
        """
        async with self._turn(ticket.pipeline_id).lock:
            return await self._reconcile(ticket)

    async def _reconcile(self, ticket: TriggerTicket) -> Found | None:
        if ticket.join_job_id is not None:
            request = api.get_job(ticket.pipeline_id, ticket.join_job_id)
            return Found(await self._transport.send(request, Priority.DISCOVERY), adopted=True)
        memory = self._memory.get(ticket.ticket_id)
        if memory is not None and not memory.posted:
            return None
        return await self._search(ticket, "only looking for what came of it", {})

    # -- post -------------------------------------------------------------------------------------

    async def _fire_once(self, ticket: TriggerTicket) -> Found:
        memory = self._memory.get(ticket.ticket_id)
        if memory is not None and memory.posted:
            return await self._discover(ticket, doubt="it was fired before")
        if memory is None or ticket.join_job_id is not None:
            # A ticket of another process, which may have posted it before it ended.
            found = await self._reconcile(ticket)
            if found is not None:
                return found
        # A Job that came and went since the reading would look like ours.
        if (
            memory is None
            or memory.turn.count != memory.turns_before
            or self._clock.now() - memory.read_at > FRESH
        ):
            raise _Stale
        memory.turn.count += 1
        memory.posted = True
        try:
            doubt = await self._post(ticket)
        except HevoError:
            # Refused, or never sent.
            memory.posted = False
            raise
        return await self._discover(ticket, doubt)

    async def _post(self, ticket: TriggerTicket) -> str | None:
        """Send it once; return None when Hevo accepted, else why it cannot be known."""
        try:
            await self._transport.send(self._request(ticket), Priority.TRIGGER)
        except (ServerError, RequestOutcomeUnknown, UnexpectedResponse) as error:
            return str(error)
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

    def _turn(self, pipeline_id: int) -> _Turn:
        """Return the Pipeline's turn, shared by all clients of this process's event loop."""
        of_loop = _turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), _Turn())

    def _remember(self, ticket: TriggerTicket, memory: _Memory) -> None:
        self._memory[ticket.ticket_id] = memory
        self._memory.move_to_end(ticket.ticket_id)
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
