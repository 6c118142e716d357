"""The read step of a trigger: is the Pipeline ready, what runs, what is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from hevo_edge import api
from hevo_edge._awaiting.poll import TRANSIENT_ERRORS
from hevo_edge._awaiting.snapshots import until_ended
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.clock import Clock
from hevo_edge._common.pagination import Fetch
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.cancel import cancel_job
from hevo_edge._jobs.listing import Reading, read_newest, running_job, tells_what_runs
from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.schedule_grid import Timetable
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge.enums import RESTARTING_STATUSES, IfRunning, JobStatus, PipelineStatus
from hevo_edge.errors import HevoError, JobInProgress, PipelineNotReady
from hevo_edge.models import JobData, Page, PipelineData
from hevo_edge.schedules import fixed

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

UNTIL_ENDED = fixed(15.0)
UNTIL_GONE = fixed(3.0)
UNTIL_READY = 5.0
READY_TIMEOUT = 1800.0
"""Seconds that a Pipeline may be RESTARTING before that is reported; a resync takes its time."""

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


class Restarting(Exception):
    """The Pipeline is restarting; that passes."""


class Busy(Exception):
    """A Job runs; ``refusal`` is Hevo's word for it, if it was asked."""

    def __init__(self, running: JobData, refusal: JobInProgress | None = None) -> None:
        super().__init__(running.job_id)
        self.running: JobData = running
        self.refusal: JobInProgress | None = refusal


class Hidden(Exception):
    """A Job runs, Hevo says, but the list does not show it yet."""

    def __init__(self, refusal: JobInProgress) -> None:
        super().__init__()
        self.refusal: JobInProgress = refusal


class Preparing:
    """Reads a Pipeline's state and Jobs, and makes way for a run where the caller asked for it.

    Args:
        transport: Sends.
        watcher: Waits for a running Job to end.
        clock: Time.
        as_job: Makes the resource that errors carry.
    """

    def __init__(
        self,
        transport: Transport,
        watcher: Watcher,
        clock: Clock,
        as_job: Callable[[int, JobData], Any],
    ) -> None:
        self._transport = transport
        self._watcher = watcher
        self._clock = clock
        self._as_job = as_job

    async def read(self, wish: TriggerTicket) -> tuple[TriggerTicket, float]:
        """Note what is there, if a run can start now; return that and its loop time.

        Raises:
            PipelineNotReady: when no run can start in the Pipeline's state.
            Restarting: when it may soon.
            Busy: when a Job runs. One of an unknown status is left to Hevo, which refuses a sync;
                a resync would cancel it.
        """
        pipeline = await self._pipeline(wish.pipeline_id)
        if pipeline.status in RESTARTING_STATUSES:
            raise Restarting
        reading, server_time, read_at = await self._read_jobs(wish.pipeline_id)
        running = running_job(reading.jobs, surely=not wish.restarts)
        if running is not None:
            raise Busy(running)
        known = {
            "watermark": Watermark.of(reading, server_time),
            "timetable": Timetable.of(pipeline.schedule, reading.jobs),
        }
        return wish.model_copy(update=known), read_at

    async def make_way(
        self, wish: TriggerTicket, running: JobData, refusal: JobInProgress | None = None
    ) -> JobData | None:
        """Do what ``if_running`` says; return the Job to join, or None when the way is clear.

        Raises:
            JobInProgress: when ``if_running`` is "fail", or is "join" and the Job is not what was
                asked for; caused by Hevo's ``refusal``, if there was one.
        """
        if wish.if_running is IfRunning.FAIL:
            raise self.in_progress(wish, running, refusal=refusal) from refusal
        if wish.if_running is IfRunning.JOIN:
            if wish.fits(running):
                return running
            why = "is not what was asked for"
            raise self.in_progress(wish, running, why, refusal=refusal) from refusal
        if wish.if_running is IfRunning.WAIT and not isinstance(running.status, JobStatus):
            # It may have ended for all that can be told, and another one may run: ask Hevo again.
            await self._clock.sleep(UNTIL_ENDED.seconds)
            return None
        key = (wish.pipeline_id, running.job_id)
        seen = (running, self._clock.now())
        if wish.if_running is IfRunning.REPLACE:
            log.info("cancelling Job %s of Pipeline %s to start a new one", key[1], key[0])
            await cancel_job(self._transport, key)
            await until_ended(self._watcher, key, UNTIL_GONE, seen)
        else:
            log.info("waiting for Job %s of Pipeline %s to end", key[1], key[0])
            await until_ended(self._watcher, key, UNTIL_ENDED, seen)
        return None

    async def until_ready(self, pipeline_id: int) -> bool:
        """Wait while the Pipeline is RESTARTING; return whether there was anything to wait for.

        Raises:
            PipelineNotReady: when no run can start, or it is RESTARTING for half an hour.
        """
        give_up = self._clock.now() + READY_TIMEOUT
        waited = False
        while True:
            pipeline = await self._pipeline(pipeline_id)
            if pipeline.status not in RESTARTING_STATUSES:
                return waited
            if self._clock.now() >= give_up:
                raise self._not_ready(pipeline, f"and has been so for {READY_TIMEOUT / 60:.0f} min")
            if not waited:
                log.info(
                    "Pipeline %s is %s; waiting until that is over", pipeline_id, pipeline.status
                )
            waited = True
            await self._clock.sleep(UNTIL_READY)

    async def status_of(self, pipeline_id: int, deadline: float) -> str | None:
        """Return the Pipeline's status; None when it cannot be read in time."""
        request = api.get_pipeline(pipeline_id)
        try:
            pipeline = await self._transport.send(request, Priority.DISCOVERY, deadline=deadline)
        except HevoError as error:
            log.warning("could not read Pipeline %s: %s", pipeline_id, error)
            return None
        return str(pipeline.status)

    async def who_runs(self, pipeline_id: int) -> JobData | None:
        """Return the Job because of which Hevo refused, if the list shows it."""
        try:
            reading = await read_newest(self.fetch(pipeline_id), tells_what_runs)
        except TRANSIENT_ERRORS as error:
            log.warning("could not list the Jobs of Pipeline %s: %s", pipeline_id, error)
            return None
        return running_job(reading.jobs)

    def fetch(
        self,
        pipeline_id: int,
        deadline: float | None = None,
        priority: Priority = Priority.DISCOVERY,
    ) -> Fetch[JobData]:
        """Return a function that fetches a page of the Pipeline's Jobs."""

        async def fetch(cursor: str | None) -> Page[JobData]:
            request = api.list_jobs(pipeline_id, cursor=cursor)
            return await self._transport.send(request, priority, deadline=deadline)

        return fetch

    def in_progress(
        self,
        ticket: TriggerTicket,
        running: JobData | None,
        why: str = "is running",
        *,
        refusal: JobInProgress | None = None,
    ) -> JobInProgress:
        """Make the error that names the running Job."""
        joins = "" if running is not None and not ticket.fits(running) else '"join", '
        advice = f'Pass if_running={joins}"replace" or "wait", or try again when it has ended'
        if ticket.if_running is not IfRunning.FAIL:
            advice = f'if_running="{ticket.if_running}" could not help; try again when it has ended'
        which = "a Job that is not in the list yet is running"
        if running is not None:
            which = f"Job {running.job_id} ({running.type}, {running.status}) {why}"
        return JobInProgress(
            f"Pipeline {ticket.pipeline_id}: {which}, so {ticket.action} was not started. {advice}",
            job=None if running is None else self._as_job(ticket.pipeline_id, running),
            status=None if refusal is None else refusal.status,
            code=None if refusal is None else refusal.code,
            body="" if refusal is None else refusal.body,
        )

    async def _pipeline(self, pipeline_id: int) -> PipelineData:
        pipeline = await self._transport.send(api.get_pipeline(pipeline_id), Priority.DISCOVERY)
        if pipeline.status in _CANNOT_RUN:
            raise self._not_ready(
                pipeline,
                "no run can start before it is enabled and initialized. Enable it "
                "(Pipeline.enable), or see its page in Hevo",
            )
        return pipeline

    async def _read_jobs(self, pipeline_id: int) -> tuple[Reading, float | None, float]:
        """Return the newest Jobs, and when they were read by Hevo's clock and by the loop's."""
        times: list[tuple[float | None, float]] = []

        async def fetch(cursor: str | None) -> Page[JobData]:
            reply = await self._transport.exchange(
                api.list_jobs(pipeline_id, cursor=cursor), Priority.DISCOVERY
            )
            times.append((reply.server_time, self._clock.now()))
            return reply.value

        reading = await read_newest(fetch, tells_what_runs)
        return (reading, *times[0])

    @staticmethod
    def _not_ready(pipeline: PipelineData, why: str) -> PipelineNotReady:
        return PipelineNotReady(
            f"Pipeline {pipeline.id} is {pipeline.status}; {why}",
            status=str(pipeline.status),
            pipeline_id=pipeline.id,
        )
