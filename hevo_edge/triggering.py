"""Read, post, reconcile: start exactly one run, and find the Job that it became.

The API takes no idempotency key and returns no job id. So: read what is there, POST once, and look
for what is new. Only what surely was not sent, or was refused, is ever sent again.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from hevo_edge import api
from hevo_edge.authorship import Found
from hevo_edge.clock import Clock
from hevo_edge.discovering import Discovery
from hevo_edge.enums import Certainty, Dialect, IfRunning, PipelineAction
from hevo_edge.errors import (
    ApiError,
    HevoError,
    JobInProgress,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)
from hevo_edge.history import Watermark
from hevo_edge.models import JobData
from hevo_edge.preparing import Busy, Hidden, Preparing, Restarting
from hevo_edge.ratelimit import Priority
from hevo_edge.ticket import UNDER_WAY, UNKNOWN, OnTicket, Post, TriggerTicket
from hevo_edge.timetable import Timetable
from hevo_edge.transport import Transport

__all__ = ["TriggerTicket", "Triggers"]

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

PAUSE = 3.0
"""Seconds before a trigger that was refused is sent again."""
FRESH = 15.0
"""Seconds for which a prepared ticket is fired without reading again. What changes meanwhile does
no harm: Hevo refuses, or the Job is older than the POST.
"""
REMEMBERED = 10_000
"""How many tickets a client keeps in mind."""
_BAD_REQUEST = 400


@dataclass
class _Memory:
    """What this client knows of a ticket.

    Attributes:
        ticket: The ticket as it was last read; from its POST on, as it was then.
        on_ticket: Whom to tell when more is known of it.
        read_at: When it was read, in loop time; None when it has to be before it is posted.
        is_foreign: Whether it comes from elsewhere, where it may have been posted.
        earlier: The ticket as it may have been posted when nothing came of that: what turns up
            late may still be its Job.
    """

    ticket: TriggerTicket
    on_ticket: OnTicket | None = None
    read_at: float | None = None
    is_foreign: bool = False
    earlier: TriggerTicket | None = None

    async def learn(self, **news: Any) -> None:
        """Note what is known of the ticket now, and tell."""
        self.ticket = self.ticket.model_copy(update=news)
        if self.on_ticket is not None:
            told = self.on_ticket(self.ticket)
            if inspect.isawaitable(told):
                await told


_turns: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, int], asyncio.Lock]
] = WeakKeyDictionary()


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
        self._discovery = Discovery(preparing, clock)
        self._transport = transport
        self._clock = clock
        self._dialect = dialect
        self._scope = scope
        self._memory: OrderedDict[str, _Memory] = OrderedDict()

    async def trigger(self, wish: TriggerTicket, on_ticket: OnTicket | None = None) -> Found:
        """Start what is wished for and find its Job.

        Raises:
            PipelineNotReady, JobInProgress: see ``Preparing``; nothing was started.
            RequestError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        self._remember(wish)
        return await self.fire(wish, on_ticket)

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way as ``if_running`` says, then note what is there."""
        while True:
            try:
                ticket, read_at = await self.preparing.read(wish)
            except Restarting:
                await self.preparing.until_ready(wish.pipeline_id)
            except Busy as busy:
                joined = await self.preparing.make_way(wish, busy.running)
                if joined is not None:
                    known = {"job_id": joined.job_id, "certainty": Certainty.JOINED}
                    return wish.model_copy(update=known)
            else:
                self._remember(ticket).read_at = read_at
                return ticket

    async def fire(self, ticket: TriggerTicket, on_ticket: OnTicket | None = None) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises: as ``trigger``; and what ``on_ticket`` raises.
        """
        hidden_since: float | None = None  # since when a Job runs that cannot be seen
        while True:
            try:
                return await self._take_turn(ticket, on_ticket)
            except Restarting:
                await self.preparing.until_ready(ticket.pipeline_id)
                continue
            except (Busy, Hidden) as error:
                obstacle = error
            except ApiError as refusal:
                if not await self._will_pass(ticket, refusal):
                    raise
                continue
            if isinstance(obstacle, Busy):
                hidden_since = None
                found = await self._make_way(ticket, obstacle)
            else:
                hidden_since = hidden_since or self._clock.now()
                late = self._clock.now() - hidden_since >= ticket.discovery_timeout
                found = await self._wait_for_it(ticket, obstacle.refusal, late=late)
            if found is not None:
                return found

    async def _make_way(self, ticket: TriggerTicket, busy: Busy) -> Found | None:
        """Return the running Job if it is the one to return, else do what ``if_running`` says."""
        earlier = await self._came_of_earlier(ticket, busy.running)
        if earlier is not None:
            return earlier
        joined = await self.preparing.make_way(ticket, busy.running, busy.refusal)
        if joined is not None:
            return Found(joined, Certainty.JOINED)
        memory = self._memory.get(ticket.ticket_id)
        if memory is not None:
            memory.read_at = None  # what was read is from before that Job
        return None

    async def _wait_for_it(
        self, ticket: TriggerTicket, refusal: JobInProgress, *, late: bool
    ) -> Found | None:
        """Give a running Job that the list does not show some time to show up.

        Raises:
            TriggerOutcomeUnknown: when an earlier POST of the ticket may have started it.
            JobInProgress: when waiting until it shows is of no use.
        """
        memory = self._memory.get(ticket.ticket_id)
        if memory is not None and memory.earlier is not None:
            found = await self._discovery.seek(memory.earlier, UNKNOWN)
            if found is None:
                raise self._discovery.hidden(memory.earlier, refusal) from refusal
            return await self._note_found(memory, found)
        if late or ticket.if_running is IfRunning.FAIL:
            raise self.preparing.in_progress(ticket, None, refusal=refusal) from refusal
        await self._clock.sleep(PAUSE)
        return None

    async def _will_pass(self, ticket: TriggerTicket, refusal: ApiError) -> bool:
        """Say whether Hevo refused because the Pipeline was restarting, after waiting for that."""
        restarts = refusal.status == _BAD_REQUEST and refusal.method == "POST"
        return restarts and await self.preparing.until_ready(ticket.pipeline_id)

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Looks for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the
        POST may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
            JobNotFoundAfterTrigger: when Hevo has accepted the POST, and there is no Job still.
        """
        turn = self._turn(ticket.pipeline_id)
        async with turn:
            memory = self._recall(ticket)
            found = await self._look_for(memory)
            if found is None:
                self._set_free(memory)
            return found

    async def _look_for(self, memory: _Memory) -> Found | None:
        """Return the Job that came of a ticket; None when none has, or it was not fired."""
        ticket, post = memory.ticket, memory.ticket.post
        found: Found | None
        if ticket.job_id is not None or (post is not None and post.accepted):
            return await self._find(memory)
        if post is None and memory.earlier is None and not memory.is_foreign:
            return None
        found = await self._discovery.seek(memory.earlier or ticket, post or UNKNOWN)
        return None if found is None else await self._note_found(memory, found)

    @staticmethod
    def _set_free(memory: _Memory) -> None:
        """Note that nothing has come of a ticket, so that it may be fired."""
        if memory.is_foreign or memory.ticket.post is not None:
            memory.earlier, memory.is_foreign, memory.read_at = memory.ticket, False, None
            memory.ticket = memory.ticket.model_copy(update={"post": None})

    # -- post -------------------------------------------------------------------------------------

    async def _take_turn(self, ticket: TriggerTicket, on_ticket: OnTicket | None) -> Found:
        """Read, post and look, while nobody else triggers the Pipeline."""
        turn = self._turn(ticket.pipeline_id)
        async with turn:
            memory = self._recall(ticket)
            memory.on_ticket = on_ticket
            if self._may_have_been_left_behind(memory):
                found = await self._look_for(memory)
                if found is not None:
                    return found
                self._set_free(memory)
            if memory.ticket.job_id is None and memory.ticket.post is None:
                if memory.earlier is not None:
                    found = await self._discovery.glance(memory.earlier, UNKNOWN)
                    if found is not None:
                        return await self._note_found(memory, found)
                await self._read(memory)
                await self._post(memory)
            return await self._find(memory)

    @staticmethod
    def _may_have_been_left_behind(memory: _Memory) -> bool:
        """Say whether a ticket is from elsewhere, and does not say whether it was posted there."""
        known = memory.ticket.job_id is not None or (memory.ticket.post or UNKNOWN).is_over
        return memory.is_foreign and not known

    async def _find(self, memory: _Memory) -> Found:
        """Return the Job of a ticket that was posted."""
        ticket = memory.ticket
        if ticket.job_id is not None:
            request = api.get_job(ticket.pipeline_id, ticket.job_id)
            job = await self._transport.send(request, Priority.DISCOVERY)
            return Found(job, ticket.certainty or Certainty.POSSIBLE)
        return await self._note_found(
            memory, await self._discovery.find(ticket, ticket.post or UNKNOWN)
        )

    async def _read(self, memory: _Memory) -> None:
        age = None if memory.read_at is None else self._clock.now() - memory.read_at
        # A negative one is by another loop's clock.
        if age is None or not 0 <= age <= FRESH:
            memory.ticket, memory.read_at = await self.preparing.read(memory.ticket)

    async def _post(self, memory: _Memory) -> None:
        """Send it once, and note what is known of that.

        Raises:
            Busy, Hidden: when Hevo refused because of a running Job.
            HevoError: when Hevo refused for another reason, or it was never sent.
        """
        ticket, read_at = memory.ticket, memory.read_at
        assert read_at is not None  # noqa: S101 -- for the type checkers
        sent_at: float | None = None

        def note() -> None:
            # It may have waited for the call budget since it was read. What was created before it
            # goes out cannot be its Job, so the watermark moves on with Hevo's clock.
            nonlocal sent_at
            sent_at = self._clock.now()
            later = ticket.later(sent_at - read_at)
            memory.ticket = later.model_copy(update={"post": UNDER_WAY})

        try:
            # Told before anything leaves: nothing is posted that is not known to whoever resumes.
            await memory.learn(post=UNDER_WAY)
            post = await self._send(self._request(ticket), note)
        except BaseException as error:
            if sent_at is None or isinstance(error, HevoError):
                memory.ticket = ticket
            if not isinstance(error, HevoError):
                raise
            await memory.learn(post=None)
            if not isinstance(error, JobInProgress):
                raise
            refusal = error
        else:
            took = self._clock.now() - (sent_at or self._clock.now())
            await memory.learn(post=post.model_copy(update={"took": took}))
            return
        running = await self.preparing.who_runs(ticket.pipeline_id)
        raise Hidden(refusal) if running is None else Busy(running, refusal)

    async def _send(self, request: api.Request[Any], before_sending: Callable[[], None]) -> Post:
        try:
            await self._transport.send(request, Priority.TRIGGER, before_sending=before_sending)
        except (ServerError, RequestOutcomeUnknown, UnexpectedResponse) as error:
            return Post(doubt=str(error))
        return Post()

    def _request(self, ticket: TriggerTicket) -> api.Request[Any]:
        pipeline_id, drop = ticket.pipeline_id, ticket.drop_and_load
        if ticket.object_ids is not None:
            return api.resync_objects(
                pipeline_id, ticket.object_ids, drop_and_load=drop, dialect=self._dialect
            )
        if ticket.action is PipelineAction.RESYNC:
            return api.resync_pipeline(pipeline_id, drop_and_load=drop, dialect=self._dialect)
        return api.sync_now(pipeline_id)

    # -- memory -----------------------------------------------------------------------------------

    async def _came_of_earlier(self, ticket: TriggerTicket, running: JobData) -> Found | None:
        """Return the running Job if it may have come of an earlier POST of this ticket."""
        memory = self._memory.get(ticket.ticket_id)
        earlier = None if memory is None else memory.earlier
        if memory is None or earlier is None:
            return None
        if not (earlier.fits(running) and earlier.watermark.is_news(running)):
            return None
        return await self._note_found(memory, Found(running, Certainty.POSSIBLE))

    @staticmethod
    async def _note_found(memory: _Memory, found: Found) -> Found:
        """Keep in mind what came of a ticket, and not what is long and of no more use."""
        memory.earlier = None
        await memory.learn(
            job_id=found.job.job_id,
            certainty=found.certainty,
            watermark=Watermark(),
            timetable=Timetable(),
        )
        memory.on_ticket = None
        return found

    def _recall(self, ticket: TriggerTicket) -> _Memory:
        """Return what is known of a ticket, here or by its own word."""
        memory = self._memory.get(ticket.ticket_id)
        if memory is None:
            memory = self._remember(ticket)
            memory.is_foreign = True
        mine = memory.ticket
        news = ticket.post is not None and mine.post is None and memory.earlier is None
        if mine.job_id is None and (ticket.job_id is not None or news):
            # It has been fired elsewhere since.
            memory.ticket, memory.is_foreign = ticket, True
        return memory

    def _turn(self, pipeline_id: int) -> asyncio.Lock:
        """Return the Pipeline's lock, one for all clients of this event loop; hold on to it."""
        of_loop = _turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), asyncio.Lock())

    def _remember(self, ticket: TriggerTicket) -> _Memory:
        memory = self._memory[ticket.ticket_id] = _Memory(ticket)
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return memory
