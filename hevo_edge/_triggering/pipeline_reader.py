"""Reading a Pipeline for a trigger: whether it is ready, what runs, which Jobs there are."""

from __future__ import annotations

import logging

from hevo_edge import api
from hevo_edge._awaiting.failures import UNANSWERED
from hevo_edge._common.clock import Clock
from hevo_edge._common.pagination import Fetch
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.listing import (
    Reading,
    any_running_job,
    is_real_run,
    read_newest,
    running_job,
)
from hevo_edge._jobs.pipeline_names import PipelineNames
from hevo_edge._jobs.watermark import Watermark
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge.enums import RESTARTING_STATUSES, UNRUNNABLE_STATUSES
from hevo_edge.errors import HevoError, JobInProgress, NotFound, PipelineNotReady
from hevo_edge.models import JobData, Page, PipelineData

log: logging.Logger = get_logger("hevo_edge.triggering")

READY_POLL_INTERVAL = 5.0
"""Seconds between polls of a Pipeline that is restarting."""
READY_TIMEOUT = 1800.0
"""Seconds that a Pipeline may be RESTARTING before that is an error; a resync takes long."""


class PipelineRestarting(Exception):
    """The Pipeline is restarting, which ends by itself."""


class JobRunning(Exception):
    """A Job runs; ``refusal`` is Hevo's reply to a POST, if there was one."""

    def __init__(self, running: JobData, refusal: JobInProgress | None = None) -> None:
        super().__init__(running.job_id)
        self.running: JobData = running
        self.refusal: JobInProgress | None = refusal


class RunningJobUnlisted(Exception):
    """Hevo refused a POST because of a running Job that the list does not show yet."""

    def __init__(self, refusal: JobInProgress) -> None:
        super().__init__()
        self.refusal: JobInProgress = refusal


class PipelineReader:
    """Reads a Pipeline's state and Jobs, before and after the POST.

    Args:
        transport: Sends requests.
        clock: Time.
        names: Takes the names of the Pipelines that are read.
    """

    def __init__(self, transport: Transport, clock: Clock, names: PipelineNames) -> None:
        self._names = names
        self._transport = transport
        self._clock = clock

    async def read(self, request: TriggerTicket) -> tuple[TriggerTicket, float]:
        """Read the Pipeline and its Jobs, if a run can start now.

        Returns:
            The ticket with the Jobs that there are, and the loop time of the reading.

        Raises:
            PipelineNotReady: when no run can start in the Pipeline's state.
            PipelineRestarting: when the Pipeline is restarting.
            JobRunning: when a Job runs. For a sync, one of an unknown status does not count, nor
                one under a run that has ended: Hevo refuses the POST if it runs. A resync would
                cancel it.
        """
        pipeline = await self._pipeline(request.pipeline_id)
        if pipeline.status in RESTARTING_STATUSES:
            raise PipelineRestarting
        reading, server_time, read_at = await self._read_jobs(request.pipeline_id)
        running = (
            any_running_job(reading.jobs)
            if request.restarts
            else running_job(reading.jobs, known_only=True)
        )
        if running is not None:
            raise JobRunning(running)
        known = {
            "watermark": Watermark.of(reading, server_time),
            "schedule_grid": ScheduleGrid.of(pipeline.schedule, reading.jobs),
        }
        return request.model_copy(update=known), read_at

    async def until_ready(self, pipeline_id: int) -> bool:
        """Wait while the Pipeline is RESTARTING; return False when it was not.

        Raises:
            PipelineNotReady: when no run can start, or it has been RESTARTING for half an hour.
        """
        give_up = self._clock.now() + READY_TIMEOUT
        waited = False
        while True:
            pipeline = await self._pipeline(pipeline_id)
            if pipeline.status not in RESTARTING_STATUSES:
                return waited
            if self._clock.now() >= give_up:
                raise _not_ready(pipeline, f"and has been so for {READY_TIMEOUT / 60:.0f} min")
            if not waited:
                log.info(
                    "Pipeline %s is %s; waiting until it is ready",
                    pipeline_id,
                    short(pipeline.status),
                )
            waited = True
            await self._clock.sleep(READY_POLL_INTERVAL)

    async def status_of(self, pipeline_id: int, deadline: float) -> str | None:
        """Return the Pipeline's status; None when it cannot be read before a loop time."""
        request = api.get_pipeline(pipeline_id)
        try:
            pipeline = await self._transport.send(request, Priority.DISCOVERY, deadline=deadline)
        except HevoError as error:
            log.warning("could not read Pipeline %s: %s", pipeline_id, error)
            return None
        return str(pipeline.status)

    async def running_job(self, pipeline_id: int) -> JobData | None:
        """Return the running Job because of which Hevo refused a POST, if it is listed."""
        try:
            reading = await read_newest(self.pages(pipeline_id), is_real_run)
        except UNANSWERED as error:
            log.warning("could not list the Jobs of Pipeline %s: %s", pipeline_id, error)
            return None
        return running_job(reading.jobs)

    async def job(
        self, pipeline_id: int, job_id: str, deadline: float | None = None
    ) -> JobData | None:
        """Return a Job's snapshot; None when a transient error prevents that.

        The Job was listed, so a 404 is one of those: a copy of Hevo's data may be late.
        """
        try:
            return await self._transport.send(
                api.get_job(pipeline_id, job_id), Priority.DISCOVERY, deadline=deadline
            )
        except (*UNANSWERED, NotFound) as error:
            log.warning(
                "could not read Job %s of Pipeline %s: %s", short(job_id), pipeline_id, error
            )
            return None

    def pages(self, pipeline_id: int) -> Fetch[JobData]:
        """Return a function that fetches a page of the Pipeline's Jobs."""

        async def fetch(cursor: str | None) -> Page[JobData]:
            request = api.list_jobs(pipeline_id, cursor=cursor)
            return await self._transport.send(request, Priority.DISCOVERY)

        return fetch

    def pages_until(
        self, pipeline_id: int, deadline: float, slot_deadline: float
    ) -> Fetch[JobData]:
        """Return the same for one reading, which must be over at a deadline.

        Args:
            pipeline_id: The Pipeline.
            deadline: Loop time (seconds) at which all pages must have come.
            slot_deadline: Until when the first may wait for the call budget; what it waits is added
                to the deadline. What the others wait is not: a list may have no end.
        """
        asked = self._clock.now()
        waited: float | None = None

        async def fetch(cursor: str | None) -> Page[JobData]:
            def on_slot() -> None:
                nonlocal waited
                if waited is None:  # at the first attempt
                    waited = self._clock.now() - asked

            reply = await self._transport.exchange(
                api.list_jobs(pipeline_id, cursor=cursor),
                Priority.DISCOVERY,
                deadline=deadline + (waited or 0.0),
                slot_deadline=slot_deadline if cursor is None else None,
                before_sending=on_slot if cursor is None else lambda: None,
            )
            return reply.value

        return fetch

    async def _pipeline(self, pipeline_id: int) -> PipelineData:
        pipeline = await self._transport.send(api.get_pipeline(pipeline_id), Priority.DISCOVERY)
        self._names.note(pipeline)
        if pipeline.status in UNRUNNABLE_STATUSES:
            raise _not_ready(
                pipeline,
                "no run can start before it is enabled and initialized. Enable it "
                "(Pipeline.enable), or see its page in Hevo",
            )
        return pipeline

    async def _read_jobs(self, pipeline_id: int) -> tuple[Reading, float | None, float]:
        """Return the newest Jobs, and when they were read, by Hevo's and by the loop's clock."""
        times: list[tuple[float | None, float]] = []

        async def fetch(cursor: str | None) -> Page[JobData]:
            reply = await self._transport.exchange(
                api.list_jobs(pipeline_id, cursor=cursor), Priority.DISCOVERY
            )
            times.append((reply.server_time, self._clock.now()))
            return reply.value

        reading = await read_newest(fetch, is_real_run)
        return (reading, *times[0])


def _not_ready(pipeline: PipelineData, why: str) -> PipelineNotReady:
    return PipelineNotReady(
        f"Pipeline {pipeline.id} is {short(pipeline.status)}; {why}",
        status=str(pipeline.status),
        pipeline_id=pipeline.id,
    )
