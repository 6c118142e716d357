"""Read, post, reconcile: start exactly one run, and find the Job that it became.

The API takes no idempotency key and returns no job id. So: read what is there, POST once, and look
for what is new. Only what surely was not sent, or was refused, is ever sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from hevo_edge import api
from hevo_edge._awaiting.poll import TRANSIENT_ERRORS
from hevo_edge._common.clock import Clock
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._triggering.attribution import Found, choose
from hevo_edge._triggering.discovery import LISTED, Discovery
from hevo_edge._triggering.pipeline_reader import Busy, Hidden, Preparing, Restarting
from hevo_edge._triggering.registry import Memories, Memory
from hevo_edge._triggering.ticket import UNDER_WAY, UNKNOWN, OnTicket, Post, TriggerTicket
from hevo_edge.enums import Certainty, Dialect, IfRunning, PipelineAction
from hevo_edge.errors import (
    ApiError,
    HevoError,
    JobInProgress,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)
from hevo_edge.models import JobData
from hevo_edge.schedules import Geometric, geometric

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

PAUSES: Geometric = geometric(share=0.25, shortest=3.0, longest=15.0)
"""The pauses before a trigger that was refused for a Job which cannot be seen is sent again."""
FRESH = 15.0
"""Seconds for which a prepared sync is fired without reading again. What changes meanwhile does no
harm: Hevo refuses, or the Job is older than the POST. A resync is not refused, and cancels.
"""
_BAD_REQUEST = 400

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
        self.memories: Memories = Memories()
        self._discovery = Discovery(preparing, clock, self.memories.is_of_another)
        self._transport = transport
        self._clock = clock
        self._dialect = dialect
        self._scope = scope

    async def trigger(self, wish: TriggerTicket, on_ticket: OnTicket | None = None) -> Found:
        """Start what is wished for and find its Job.

        Raises:
            PipelineNotReady, JobInProgress: see ``Preparing``; nothing was started.
            RequestError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        return await self._fire(self.memories.remember(wish), on_ticket)

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way as ``if_running`` says, then note what is there."""
        while True:
            try:
                ticket, read_at = await self.preparing.read(wish)
            except Restarting:
                if not await self._outwait_restart(wish):
                    await self._clock.sleep(PAUSES.shortest)
            except Busy as busy:
                joined = await self.preparing.make_way(wish, busy.running)
                if joined is not None:
                    known = {"job_id": joined.job_id, "certainty": Certainty.JOINED}
                    return wish.model_copy(update=known)
            else:
                self.memories.remember(ticket).read_at = read_at
                return ticket

    async def fire(self, ticket: TriggerTicket, on_ticket: OnTicket | None = None) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises: as ``trigger``; and what ``on_ticket`` raises.
        """
        return await self._fire(self.memories.recall(ticket), on_ticket)

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Looks for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the
        POST may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
            JobNotFoundAfterTrigger: when Hevo has accepted the POST, and there is no Job still.
        """
        memory = self.memories.recall(ticket)
        if memory.ticket.job_id is None and not memory.may_have_been_posted:
            return None
        turn = self._turn(ticket.pipeline_id)
        async with turn:
            found = await self._look_for(memory)
            if found is None:
                memory.may_be_fired()
            return found

    # -- around the POST --------------------------------------------------------------------------

    async def _fire(self, memory: Memory, on_ticket: OnTicket | None) -> Found:
        if on_ticket is not None:
            memory.on_ticket = on_ticket
        try:
            return await self._fire_until_found(memory)
        finally:
            # Another task that fires the same ticket may have a callback of its own.
            if memory.on_ticket is on_ticket:
                memory.on_ticket = None

    async def _fire_until_found(self, memory: Memory) -> Found:
        ticket = memory.ticket
        hidden_since: float | None = None  # since when a Job runs that cannot be seen
        while True:
            try:
                return await self._take_turn(memory)
            except Restarting:
                if not await self._outwait_restart(ticket):
                    await self._clock.sleep(PAUSES.shortest)  # it says now this and now that
                memory.look_again()
                continue
            except (Busy, Hidden) as error:
                obstacle = error
            except ApiError as refusal:
                if refusal.status != _BAD_REQUEST or refusal.method != "POST":
                    raise
                if not await self._outwait_restart(ticket):
                    raise
                memory.look_again()
                continue
            if isinstance(obstacle, Busy):
                hidden_since = None
                found = await self._make_way(memory, obstacle)
            else:
                hidden_since = hidden_since or self._clock.now()
                found = await self._wait_for_it(memory, obstacle.refusal, hidden_since)
            if found is not None:
                return found

    async def _outwait_restart(self, ticket: TriggerTicket) -> bool:
        """Wait until the Pipeline has restarted; return whether it was restarting at all."""
        waited = await self.preparing.until_ready(ticket.pipeline_id)
        if waited and ticket.restarts:
            # The Job of somebody else's resync must be seen, or ours would cancel it.
            await self._clock.sleep(LISTED)
        return waited

    async def _make_way(self, memory: Memory, busy: Busy) -> Found | None:
        """Return the running Job if it is the one to return, else do what ``if_running`` says."""
        earlier = memory.earlier
        if earlier is not None and earlier.watermark.is_news(busy.running):
            post = memory.earlier_post
            long_ago = self._discovery.is_long_ago(post)
            found = choose(earlier, post, [busy.running], patient=False, long_ago=long_ago)
            if found is not None:
                return await memory.found(found)
        joined = await self.preparing.make_way(memory.ticket, busy.running, busy.refusal)
        memory.read_at = None  # what was read is from before that Job
        if joined is None:
            return None
        return await memory.found(Found(joined.job_id, Certainty.JOINED, joined))

    async def _wait_for_it(
        self, memory: Memory, refusal: JobInProgress, since: float
    ) -> Found | None:
        """Give a running Job that the list does not show some time to show up.

        Raises:
            TriggerOutcomeUnknown: when an earlier POST of the ticket may have started it.
            JobInProgress: when waiting until it shows is of no use.
        """
        ticket = memory.ticket
        if memory.earlier is not None:
            turn = self._turn(ticket.pipeline_id)
            async with turn:
                await memory.may_not_be_fired(f"Hevo says that a Job is running: {refusal}")
                return await self._find(memory)
        age = self._clock.now() - since
        if age >= ticket.discovery_timeout or ticket.if_running is IfRunning.FAIL:
            raise self.preparing.in_progress(ticket, None, refusal=refusal) from refusal
        await self._clock.sleep(min(PAUSES.gap(age), ticket.discovery_timeout - age))
        return None

    async def _look_for(self, memory: Memory) -> Found | None:
        """Return the Job that came of a ticket that may have been posted; None when none has."""
        ticket, post = memory.ticket, memory.ticket.post
        if ticket.job_id is not None or (post is not None and post.accepted):
            return await self._find(memory)
        found = await self._discovery.seek(memory.earlier or ticket, post or memory.earlier_post)
        return None if found is None else await memory.found(found)

    # -- the POST ---------------------------------------------------------------------------------

    async def _take_turn(self, memory: Memory) -> Found:
        """Read, post and look, while nobody else triggers the Pipeline."""
        turn = self._turn(memory.ticket.pipeline_id)
        async with turn:
            if memory.must_be_looked_for:
                found = await self._look_for(memory)
                if found is not None:
                    return found
                memory.may_be_fired()
            if memory.ticket.job_id is None and memory.ticket.post is None:
                if memory.earlier is not None:
                    found = await self._discovery.glance(memory.earlier, memory.earlier_post)
                    if found is not None:
                        return await memory.found(found)
                await self._read(memory)
                await self._post(memory)
            return await self._find(memory)

    async def _find(self, memory: Memory) -> Found:
        """Return the Job of a ticket that was posted."""
        ticket = memory.ticket
        if ticket.job_id is not None:
            data = await self._job(ticket.pipeline_id, ticket.job_id)
            return Found(ticket.job_id, ticket.certainty or Certainty.POSSIBLE, data)
        found = await self._discovery.find(ticket, ticket.post or UNKNOWN)
        self.memories.own(ticket, found)
        return await memory.found(found)

    async def _job(self, pipeline_id: int, job_id: str) -> JobData | None:
        """Read a Job that is known; without a snapshot it is as good a handle."""
        try:
            return await self._transport.send(api.get_job(pipeline_id, job_id), Priority.DISCOVERY)
        except TRANSIENT_ERRORS as error:
            log.warning("could not read Job %s of Pipeline %s: %s", job_id, pipeline_id, error)
            return None

    async def _read(self, memory: Memory) -> None:
        age = None if memory.read_at is None else self._clock.now() - memory.read_at
        # A negative one is by another loop's clock.
        if age is None or memory.ticket.restarts or not 0 <= age <= FRESH:
            memory.ticket, memory.read_at = await self.preparing.read(memory.ticket)

    async def _post(self, memory: Memory) -> None:
        """Send it once, and note what is known of that.

        Raises:
            Busy, Hidden: when Hevo refused because of a running Job.
            HevoError: when Hevo refused for another reason, or it was never sent.
        """
        ticket, read_at = memory.ticket, memory.read_at
        assert read_at is not None  # noqa: S101 -- for the type checkers
        sent_at: float | None = None
        wall = self._clock.wall()
        under_way = UNDER_WAY.model_copy(update={"sent_at": wall})

        def note() -> None:
            # It may have waited for the call budget since it was read. What was created before it
            # goes out cannot be its Job, so the watermark moves on with Hevo's clock.
            nonlocal sent_at
            sent_at = self._clock.now()
            later = ticket.later(sent_at - read_at)
            memory.ticket = later.model_copy(update={"post": under_way})

        try:
            # Told before anything leaves: nothing is posted that is not known to whoever resumes.
            await memory.learn(post=under_way)
            post = await self._send(self._request(ticket), note)
        except JobInProgress as error:
            memory.ticket, refusal = ticket, error
            # With an earlier POST, the refusal is evidence of that: the stored ticket still serves.
            if memory.earlier is None:
                await memory.learn(post=None)
        except HevoError:
            memory.ticket = ticket
            await memory.learn(post=None)
            raise
        except BaseException:
            if sent_at is None:
                memory.ticket = ticket
            raise
        else:
            took = self._clock.now() - (sent_at or self._clock.now())
            await memory.learn(post=post.model_copy(update={"took": took, "sent_at": wall}))
            return
        running = await self.preparing.who_runs(ticket.pipeline_id)
        raise Hidden(refusal) if running is None else Busy(running, refusal)

    async def _send(self, request: api.Request[Any], before_sending: Callable[[], None]) -> Post:
        try:
            reply = await self._transport.exchange(
                request, Priority.TRIGGER, before_sending=before_sending
            )
        except (ServerError, RequestOutcomeUnknown, UnexpectedResponse) as error:
            return Post(doubt=str(error))
        return Post(answered_at=reply.server_time)

    def _request(self, ticket: TriggerTicket) -> api.Request[Any]:
        pipeline_id, drop = ticket.pipeline_id, ticket.drop_and_load
        if ticket.object_ids is not None:
            return api.resync_objects(
                pipeline_id, ticket.object_ids, drop_and_load=drop, dialect=self._dialect
            )
        if ticket.action is PipelineAction.RESYNC:
            return api.resync_pipeline(pipeline_id, drop_and_load=drop, dialect=self._dialect)
        return api.sync_now(pipeline_id)

    def _turn(self, pipeline_id: int) -> asyncio.Lock:
        """Return the Pipeline's lock, one for all clients of this event loop; hold on to it."""
        of_loop = _turns.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), asyncio.Lock())
