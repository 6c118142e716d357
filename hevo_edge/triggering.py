"""Read, post, reconcile: start exactly one run, and find the Job that it became.

The API takes no idempotency key and returns no job id. So: read what is there, POST once, and look
for what is new. Only what surely was not sent, or was refused, is ever sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from hevo_edge import api
from hevo_edge.awaiting import LAST_LOOK, PASSING, Watcher
from hevo_edge.clock import Clock
from hevo_edge.enums import Dialect, IfRunning, PipelineAction, PipelineStatus
from hevo_edge.errors import (
    ApiError,
    HevoError,
    JobInProgress,
    JobNotFoundAfterTrigger,
    PipelineNotReady,
    RequestOutcomeUnknown,
    ServerError,
    TriggerOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.history import Fetch, Watermark, read_newest, running_job, tells_what_runs
from hevo_edge.models import JobData, Page
from hevo_edge.ratelimit import Priority
from hevo_edge.schedules import Schedule, fixed, geometric, next_gap
from hevo_edge.ticket import TriggerTicket
from hevo_edge.transport import Transport

__all__ = ["Found", "TriggerTicket", "Triggers"]

log = logging.getLogger("hevo_edge.triggering")

DISCOVERY = geometric(share=0.25, shortest=1.0, longest=10.0)
"""When to look for the new Job: early, then spaced, by the seconds since the POST."""
UNTIL_ENDED = fixed(15.0)
UNTIL_GONE = fixed(3.0)
UNTIL_READY = 5.0
READY_TIMEOUT = 1800.0
"""Seconds that a Pipeline may be RESTARTING before that is reported; a resync takes its time."""
REMEMBERED = 10_000
_BAD_REQUEST = 400
_FIRST_ERROR = 400

# The server is the judge of readiness; only these cannot work whatever it says.
_CANNOT_RUN: frozenset[str] = frozenset(
    {
        PipelineStatus.DISABLING,
        PipelineStatus.DISABLED,
        PipelineStatus.DISABLE_FAILED,
        PipelineStatus.ENABLE_FAILED,
        PipelineStatus.INITIALIZE_FAILED,
        PipelineStatus.RESTART_FAILED,
        PipelineStatus.DELETING,
        PipelineStatus.DELETED,
        PipelineStatus.DELETE_FAILED,
        PipelineStatus.PAUSED,
        PipelineStatus.STOPPED,
        PipelineStatus.FAILED,
        PipelineStatus.INCOMPLETE,
    }
)

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
        watcher: Waits for a running Job to end, where the caller asked for that.
        clock: Time.
        dialect: Which form a resync's body has.
        scope: Tells apart the accounts whose Pipelines must not be triggered at once.
        as_job: Makes the resource that errors carry.
    """

    def __init__(
        self,
        transport: Transport,
        watcher: Watcher,
        clock: Clock,
        *,
        dialect: Dialect,
        scope: str,
        as_job: Callable[[int, JobData], Any],
    ) -> None:
        self._transport = transport
        self._watcher = watcher
        self._clock = clock
        self._dialect = dialect
        self._scope = scope
        self._as_job = as_job
        # By ticket: False while it is only prepared here, True once its POST may have arrived.
        self._posted: OrderedDict[str, bool] = OrderedDict()

    def lock(self, pipeline_id: int) -> asyncio.Lock:
        """Return the lock under which a Pipeline is triggered; one a process and event loop."""
        of_loop = _locks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return of_loop.setdefault((self._scope, pipeline_id), asyncio.Lock())

    async def prepare(self, wish: TriggerTicket) -> TriggerTicket:
        """Make way for a run as ``if_running`` says, then note what is there.

        Raises:
            PipelineNotReady: when no run can start in the Pipeline's state.
            JobInProgress: when a Job runs, and ``if_running`` is "fail", or is "join" and the Job
                is not what was asked for.
        """
        while True:
            await self._until_ready(wish.pipeline_id)
            watermark, running = await self._read(wish.pipeline_id)
            ticket = wish.model_copy(update={"watermark": watermark})
            if running is None:
                self._remember(ticket, posted=False)
                return ticket
            if wish.if_running is IfRunning.FAIL:
                raise self._in_progress(ticket, running)
            if wish.if_running is IfRunning.JOIN:
                if not ticket.fits(running):
                    raise self._in_progress(ticket, running, "is not what was asked for")
                return ticket.model_copy(update={"join_job_id": running.job_id})
            await self._make_way(ticket, running)

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
        return await self._search(ticket, doubt="only looking for what came of it")

    async def next_job(
        self,
        pipeline_id: int,
        fits: Callable[[JobData], bool],
        schedule: Schedule,
        deadline: float | None,
    ) -> JobData | None:
        """Return the Job that runs, else the next one to start; None at the deadline."""
        watermark, running = await self._read(pipeline_id)
        if running is not None and fits(running):
            return running
        started = self._clock.now()
        while True:
            wait = next_gap(schedule, self._clock.now() - started)
            if deadline is not None:
                wait = min(wait, deadline - self._clock.now())
            await self._clock.sleep(max(0.0, wait))
            try:
                news = await watermark.news(self._fetch(pipeline_id))
            except PASSING as error:
                log.warning(
                    "a look at Pipeline %s failed, and will be repeated: %s", pipeline_id, error
                )
                news = []
            for job in news:
                if fits(job):
                    return job
            if deadline is not None and self._clock.now() >= deadline:
                return None

    # -- read -------------------------------------------------------------------------------------

    async def _until_ready(self, pipeline_id: int) -> bool:
        """Wait while the Pipeline is RESTARTING; return whether there was anything to wait for."""
        give_up = self._clock.now() + READY_TIMEOUT
        waited = False
        while True:
            pipeline = await self._transport.send(api.get_pipeline(pipeline_id), Priority.DISCOVERY)
            restarting = pipeline.status == PipelineStatus.RESTARTING
            if pipeline.status in _CANNOT_RUN or (restarting and self._clock.now() >= give_up):
                raise PipelineNotReady(
                    f"Pipeline {pipeline_id} is {pipeline.status}; no run can start before it is "
                    "enabled and initialized. Enable it (Pipeline.enable), or see its page in Hevo",
                    status=str(pipeline.status),
                    pipeline_id=pipeline_id,
                )
            if not restarting:
                return waited
            if not waited:
                log.info("Pipeline %s is RESTARTING; waiting until that is over", pipeline_id)
            waited = True
            await self._clock.sleep(UNTIL_READY)

    def _fetch(self, pipeline_id: int, deadline: float | None = None) -> Fetch[JobData]:
        async def fetch(cursor: str | None) -> Page[JobData]:
            request = api.list_jobs(pipeline_id, cursor=cursor)
            return await self._transport.send(request, Priority.DISCOVERY, deadline=deadline)

        return fetch

    async def _read(self, pipeline_id: int) -> tuple[Watermark, JobData | None]:
        server_times: list[float | None] = []

        async def fetch(cursor: str | None) -> Page[JobData]:
            reply = await self._transport.exchange(
                api.list_jobs(pipeline_id, cursor=cursor), Priority.DISCOVERY
            )
            server_times.append(reply.server_time)
            return reply.value

        reading = await read_newest(fetch, tells_what_runs)
        running = running_job(reading.jobs, surely=True)
        return Watermark.of(reading, server_times[0]), running

    async def _make_way(self, ticket: TriggerTicket, running: JobData) -> None:
        key = (ticket.pipeline_id, running.job_id)
        seen = (running, self._clock.now())
        if ticket.if_running is IfRunning.REPLACE:
            log.info("cancelling Job %s of Pipeline %s to start a new one", key[1], key[0])
            await self._cancel(key)
            await self._watcher.until_over(key, UNTIL_GONE, seen)
        else:
            log.info("waiting for Job %s of Pipeline %s to end", key[1], key[0])
            await self._watcher.until_over(key, UNTIL_ENDED, seen)

    async def _cancel(self, key: tuple[int, str]) -> None:
        try:
            await self._transport.send(api.cancel_job(*key), Priority.CANCEL)
        except (ApiError, RequestOutcomeUnknown, UnexpectedResponse):
            # It may have ended by itself just now; then there is nothing to cancel.
            job = await self._transport.send(api.get_job(*key), Priority.CANCEL)
            if not job.is_terminal and job.status != "CANCELLING":
                raise

    # -- post -------------------------------------------------------------------------------------

    async def _post_and_discover(self, ticket: TriggerTicket) -> Found:
        give_up = self._clock.now() + ticket.discovery_timeout
        while True:
            try:
                doubt = await self._post(ticket)
                return await self._discover(ticket, doubt)
            except JobInProgress as refusal:
                running = await self._who_runs(ticket)
                if ticket.if_running is IfRunning.FAIL or self._clock.now() >= give_up:
                    raise self._in_progress(ticket, running, refusal=refusal) from refusal
            except ApiError as refusal:
                if refusal.status != _BAD_REQUEST or self._clock.now() >= give_up:
                    raise
                if not await self._until_ready(ticket.pipeline_id):
                    raise
            # It was refused, so it may be sent again; a Job not in the list yet soon will be.
            await self._clock.sleep(UNTIL_GONE.seconds)
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

    async def _who_runs(self, ticket: TriggerTicket) -> JobData | None:
        try:
            reading = await read_newest(self._fetch(ticket.pipeline_id), tells_what_runs)
        except PASSING:
            return None
        return running_job(reading.jobs)

    # -- reconcile --------------------------------------------------------------------------------

    async def _discover(self, ticket: TriggerTicket, doubt: str | None) -> Found:
        found = await self._search(ticket, doubt)
        if found is not None:
            return found
        pipeline = f"Pipeline {ticket.pipeline_id}"
        waited = f"within {ticket.discovery_timeout:.0f} s"
        if doubt is None:
            raise JobNotFoundAfterTrigger(
                f"Hevo accepted {ticket.action} of {pipeline}, but no {_wanted(ticket)} Job showed "
                f"up {waited}. Do not trigger again blindly: HevoClient.reconcile(error.ticket) "
                "looks again",
                ticket=ticket,
            )
        raise TriggerOutcomeUnknown(
            f"{ticket.action} of {pipeline} may or may not have reached Hevo ({doubt}), and no "
            f"{_wanted(ticket)} Job showed up {waited}. HevoClient.reconcile(error.ticket) looks "
            "again; when it returns None, none has come of it",
            ticket=ticket,
        )

    async def _search(self, ticket: TriggerTicket, doubt: str | None) -> Found | None:
        """Look until the Job shows up; None when it has not by the end of the discovery time."""
        posted = self._clock.now()
        deadline = posted + ticket.discovery_timeout
        while True:
            wait = DISCOVERY.gap(self._clock.now() - posted)
            await self._clock.sleep(max(0.0, min(wait, deadline - self._clock.now())))
            try:
                fetch = self._fetch(ticket.pipeline_id, deadline + LAST_LOOK)
                news = [job for job in await ticket.watermark.news(fetch) if ticket.fits(job)]
            except PASSING as error:
                log.warning(
                    "looking for the Job of a trigger failed, and will be repeated: %s", error
                )
                if self._clock.now() >= deadline:
                    raise self._unknown(ticket, error) from error
            except HevoError as error:
                raise self._unknown(ticket, error) from error
            else:
                if news:
                    # One Job of a Pipeline runs at a time: where Hevo accepted, a single new Job
                    # is ours; of several the first is likelier, but it cannot be known.
                    found = Found(news[0], adopted=doubt is not None or len(news) > 1)
                    log.info(
                        "%s of Pipeline %s became Job %s (%s)%s",
                        ticket.action,
                        ticket.pipeline_id,
                        found.job.job_id,
                        found.job.type,
                        ", probably" if found.adopted else "",
                    )
                    return found
                if self._clock.now() >= deadline:
                    return None

    def _unknown(self, ticket: TriggerTicket, error: HevoError) -> TriggerOutcomeUnknown:
        return TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} was, or may have been, sent, but "
            f"the Jobs could not be listed: {error}. HevoClient.reconcile(error.ticket) looks "
            "again",
            ticket=ticket,
        )

    def _in_progress(
        self,
        ticket: TriggerTicket,
        running: JobData | None,
        why: str = "is running",
        *,
        refusal: JobInProgress | None = None,
    ) -> JobInProgress:
        which = "a Job that is not in the list yet is running"
        if running is not None:
            which = f"Job {running.job_id} ({running.type}, {running.status}) {why}"
        return JobInProgress(
            f"Pipeline {ticket.pipeline_id}: {which}, so {ticket.action} was not started. "
            'Pass if_running="join", "replace" or "wait", or try again when it has ended',
            job=None if running is None else self._as_job(ticket.pipeline_id, running),
            status=None if refusal is None else refusal.status,
            code=None if refusal is None else refusal.code,
            body="" if refusal is None else refusal.body,
        )

    def _remember(self, ticket: TriggerTicket, *, posted: bool) -> None:
        self._posted[ticket.ticket_id] = posted
        self._posted.move_to_end(ticket.ticket_id)
        while len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)


def _wanted(ticket: TriggerTicket) -> str:
    return "new" if ticket.job_type is None else f"new {ticket.job_type}"
