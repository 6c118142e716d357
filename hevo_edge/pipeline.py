"""A Pipeline: what moves data, to trigger, to await and to look after."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hevo_edge import api
from hevo_edge._awaiting.next_job import JobFilter
from hevo_edge._common import validation
from hevo_edge._common.pagination import rows
from hevo_edge._jobs.listing import jobs_newest_first, read_newest, running_job, tells_what_runs
from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.ticket import DISCOVERY_TIMEOUT, OnTicket, TriggerTicket
from hevo_edge.enums import (
    IfRunning,
    JobStatus,
    JobType,
    PipelineAction,
    PipelineStatus,
    same_job_type,
)
from hevo_edge.errors import ConfigurationError, JobTimeout
from hevo_edge.job import Job
from hevo_edge.models import JobData, ObjectData, Page, PipelineData
from hevo_edge.options import WaitKeywords, WaitOptions, trigger_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hevo_edge.client import HevoClient


log: logging.Logger = logging.getLogger("hevo_edge.pipeline")


class Pipeline:
    """A Pipeline. ``HevoClient.pipeline(id)`` makes one without any request.

    Attributes:
        id: The Pipeline's id.
        data: The last snapshot; None until something was read.
    """

    def __init__(
        self, hevo: HevoClient, pipeline_id: int | str, data: PipelineData | None = None
    ) -> None:
        self.id: int = validation.pipeline_id(pipeline_id)
        self.data = data
        self._hevo = hevo

    @property
    def name(self) -> str | None:
        """The name in the last snapshot."""
        return None if self.data is None else self.data.name

    @property
    def status(self) -> PipelineStatus | str | None:
        """The status in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.status

    async def refresh(self) -> Pipeline:
        """Read the Pipeline anew. Returns itself.

        Raises:
            NotFound: when there is no such Pipeline.
        """
        self.data = await self._hevo.send(api.get_pipeline(self.id))
        return self

    # -- trigger ----------------------------------------------------------------------------------

    async def trigger(
        self,
        action: PipelineAction | str = PipelineAction.SYNC_NOW,
        *,
        job_type: JobType | str | None = None,
        drop_and_load: bool = False,
        if_running: IfRunning | str = IfRunning.FAIL,
        discovery_timeout: float = DISCOVERY_TIMEOUT,
        on_ticket: OnTicket | None = None,
    ) -> Job:
        """Start exactly one run, and return the Job that it became.

        Reads what is there, posts once, and looks for what is new; a POST whose fate is unknown
        is answered by looking, never by another POST. ``job.certainty`` says how surely the Job
        is the one that was started. Calls for one Pipeline never interleave, of whichever client
        in this event loop they are.

        Args:
            action: SYNC_NOW, or RESYNC to restart the historical load.
            job_type: Accept only a Job of this type; by default any that can come of the action
                (a sync of newly included objects is HISTORICAL).
            drop_and_load: With RESYNC, drop and recreate the Destination tables.
            if_running: ``"fail"``: raise JobInProgress. ``"join"``: return the running Job.
                ``"replace"``: cancel it, wait until it is gone, start a new one. ``"wait"``: wait
                until it ends, then start a new one.
            discovery_timeout: Seconds in which the new Job must show up; while a resync restarts
                the Pipeline they do not count.
            on_ticket: Is given the ticket to store it: right before the POST, when its answer is
                known, and when the Job is found. May be a coroutine function. What it raises ends
                the trigger; if that is before the POST, nothing is sent.

        Raises:
            ConfigurationError: for wrong options, before any request.
            JobInProgress: see ``if_running``; ``error.job`` is the running Job.
            PipelineNotReady: when the Pipeline's state allows no run.
            RequestError: reading or posting failed, and nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been,
                started; ``error.ticket`` goes to ``HevoClient.reconcile``.
        """
        wish = self._wish(action, job_type, drop_and_load, if_running, discovery_timeout)
        return await self._trigger(wish, on_ticket)

    async def prepare_trigger(
        self,
        action: PipelineAction | str = PipelineAction.SYNC_NOW,
        *,
        job_type: JobType | str | None = None,
        drop_and_load: bool = False,
        if_running: IfRunning | str = IfRunning.FAIL,
        discovery_timeout: float = DISCOVERY_TIMEOUT,
    ) -> TriggerTicket:
        """Do all of ``trigger`` but the POST, and return the ticket to fire.

        For callers that must survive a crash: store ``ticket.dumps()``, then
        ``await hevo.fire(ticket)``; after a crash, fire what was stored. ``on_ticket`` of
        ``trigger`` does the same in one call. Arguments and errors are those of ``trigger``.
        """
        wish = self._wish(action, job_type, drop_and_load, if_running, discovery_timeout)
        return await self._hevo.triggers.prepare(wish)

    async def sync_now(
        self,
        *,
        job_type: JobType | str | None = None,
        if_running: IfRunning | str = IfRunning.FAIL,
        discovery_timeout: float = DISCOVERY_TIMEOUT,
        on_ticket: OnTicket | None = None,
    ) -> Job:
        """Trigger a sync: what is new since the last good offset. See ``trigger``."""
        return await self.trigger(
            PipelineAction.SYNC_NOW,
            job_type=job_type,
            if_running=if_running,
            discovery_timeout=discovery_timeout,
            on_ticket=on_ticket,
        )

    async def resync(
        self,
        *,
        drop_and_load: bool = False,
        job_type: JobType | str | None = None,
        if_running: IfRunning | str = IfRunning.FAIL,
        discovery_timeout: float = DISCOVERY_TIMEOUT,
        on_ticket: OnTicket | None = None,
    ) -> Job:
        """Trigger a resync: the historical load of all active objects again. See ``trigger``."""
        return await self.trigger(
            PipelineAction.RESYNC,
            job_type=job_type,
            drop_and_load=drop_and_load,
            if_running=if_running,
            discovery_timeout=discovery_timeout,
            on_ticket=on_ticket,
        )

    # -- jobs -------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Return a handle of one of the Pipeline's Jobs, without any request.

        Args:
            job_id: The Job's id, or its ref.

        Raises:
            ConfigurationError: when it is none, or of another Pipeline.
        """
        if isinstance(job_id, str) and re.match(r"\d+:", job_id):
            job = self._hevo.job(job_id)
            if job.pipeline_id != self.id:
                raise ConfigurationError(f"{job_id!r} is a Job of another Pipeline than {self.id}")
            return job
        return self._hevo.job(self.id, job_id)

    async def list_jobs(
        self,
        *,
        job_type: JobType | str | None = None,
        status: JobStatus | str | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[Job, None]:
        """Yield the Pipeline's Jobs, newest first, reading pages as they are needed.

        Args:
            job_type: Only Jobs of this type.
            status: Only Jobs of this status.
            limit: At most so many.

        Raises:
            ConfigurationError: for wrong options, before any request.
        """
        wanted_type = None if job_type is None else validation.word(job_type, "job_type")
        wanted_status = None if status is None else validation.word(status, "status")
        left = None if limit is None else validation.count(limit, "limit")
        filtered = wanted_type is not None or wanted_status is not None
        size = api.PAGE_LIMIT if left is None or filtered else min(left, api.PAGE_LIMIT)
        async for data in jobs_newest_first(self._pages(size)):
            if wanted_type is not None and not same_job_type(wanted_type, data.type):
                continue
            if wanted_status is not None and str(data.status).upper() != wanted_status:
                continue
            yield self._job(data)
            left = None if left is None else left - 1
            if left == 0:
                return

    async def active_job(self, job_type: JobType | str | None = None) -> Job | None:
        """Return the Job that runs now, or None.

        Args:
            job_type: Only a Job of this type.
        """
        wanted = None if job_type is None else validation.word(job_type, "job_type")
        reading = await read_newest(self._pages(), tells_what_runs)
        running = running_job(reading.jobs)
        if running is None or (wanted is not None and not same_job_type(wanted, running.type)):
            return None
        return self._job(running)

    async def await_completion(
        self,
        *,
        job_type: JobType | str | None = None,
        ended_since: datetime | None = None,
        started_since: datetime | None = None,
        **wait: Unpack[WaitKeywords],
    ) -> Job:
        """Await the Job that runs now, else the next one to start, whoever starts it.

        For a Pipeline that runs on Hevo's schedule, name a moment by Hevo's clock: a Job that was
        over before anybody looked counts too.

        Args:
            job_type: Only a Job of this type.
            ended_since: A Job that ended at this moment or later will do as well. One that ended
                well is returned at once; else the one that runs is awaited; else one that ended
                otherwise raises its error. SKIPPED and DEFERRED rows do not count.
            started_since: Only a Job that was created at this moment or later, the first of them;
                what was running before is not waited for.
            **wait: The keywords of ``Job.await_completion``; ``timeout`` covers the time until
                the Job starts as well.

        Raises:
            ConfigurationError: for wrong options, or both moments.
            JobTimeout: with ``job`` None when none started in time, also with
                ``on_timeout="return"``: there is no Job to return. Else see
                ``Job.await_completion``.
        """
        options = WaitOptions.of(wait)
        wanted = None if job_type is None else validation.word(job_type, "job_type")
        if ended_since is not None and started_since is not None:
            raise ConfigurationError("pass ended_since or started_since, not both")
        clock = self._hevo.clock
        deadline = None if options.timeout is None else clock.now() + options.timeout
        data = await self._hevo.starts.next_job(
            self.id,
            JobFilter(
                matches=lambda job: wanted is None or same_job_type(wanted, job.type),
                is_good=lambda job: job.status in options.accept,
                ended_since=validation.moment(ended_since, "ended_since"),
                started_since=validation.moment(started_since, "started_since"),
            ),
            options.schedule,
            deadline,
        )
        if data is None or isinstance(data, Exception):
            seen = "started" if data is None else "was seen to start"
            raise JobTimeout(
                f"no {wanted or 'new'} Job of Pipeline {self.id} {seen} within "
                f"{options.timeout:g} s",
                job=None,
            ) from data
        return await self._job(data).wait(options, deadline)

    # -- objects ----------------------------------------------------------------------------------

    async def list_objects(self) -> AsyncGenerator[ObjectData, None]:
        """Yield the Pipeline's objects; ``get_object`` tells more of each."""

        async def fetch(cursor: str | None) -> Page[ObjectData]:
            return await self._hevo.send(api.list_objects(self.id, cursor=cursor))

        async for row in rows(fetch):
            yield row

    async def get_object(self, object_id: str) -> ObjectData:
        """Return an object.

        Raises:
            NotFound: when there is no such object.
        """
        return await self._hevo.send(api.get_object(self.id, object_id))

    async def refresh_schema(self) -> None:
        """Let Hevo read the source's schema anew."""
        await self._hevo.send(api.refresh_schema(self.id))

    async def resync_objects(
        self,
        object_ids: Iterable[str],
        *,
        drop_and_load: bool = False,
        discovery_timeout: float = DISCOVERY_TIMEOUT,
        on_ticket: OnTicket | None = None,
    ) -> Job:
        """Restart the historical load of some objects, and return the Job that it became.

        The body's form is weakly known: ``object_ids`` in the newest generation, ``objects`` in
        the one before (``HevoClient(dialect=...)``).

        Raises:
            ConfigurationError: when no object is named.
            JobInProgress, PipelineNotReady, TriggerOutcomeUnknown, ...: as ``trigger``.
        """
        wish = self._wish(
            PipelineAction.RESYNC, None, drop_and_load, IfRunning.FAIL, discovery_timeout
        ).model_copy(update={"object_ids": tuple(api.checked_object_ids(object_ids))})
        return await self._trigger(wish, on_ticket)

    # -- administration ---------------------------------------------------------------------------

    async def enable(self) -> None:
        """Enable the Pipeline. ``refresh`` shows when it is ready."""
        await self._hevo.send(api.enable_pipeline(self.id))

    async def disable(self, *, cancel_active_jobs: bool = False) -> None:
        """Disable the Pipeline: no run starts any more.

        Args:
            cancel_active_jobs: Cancel what runs; staged data that is not loaded yet is discarded.
                By default a running Job completes.
        """
        await self._hevo.send(api.disable_pipeline(self.id, cancel_active_jobs=cancel_active_jobs))

    async def update(self, **fields: Any) -> Pipeline:
        """Change fields such as ``name`` or ``schedule``; only what is given. Returns itself.

        Raises:
            ConfigurationError: when nothing is given.
        """
        if not fields:
            raise ConfigurationError("update needs at least one field to change")
        reply = await self._hevo.send(api.update_pipeline(self.id, fields))
        try:
            self.data = PipelineData.model_validate(reply)
        except ValidationError:
            # The reply is a Pipeline in vendor code; should it not be, read it.
            await self.refresh()
        return self

    # -- inside -----------------------------------------------------------------------------------

    def _wish(
        self,
        action: PipelineAction | str,
        job_type: JobType | str | None,
        drop_and_load: bool,
        if_running: IfRunning | str,
        discovery_timeout: float,
    ) -> TriggerTicket:
        options = trigger_options(action, job_type, drop_and_load, if_running)
        return TriggerTicket(
            pipeline_id=self.id,
            **options._asdict(),
            discovery_timeout=validation.seconds(discovery_timeout, "discovery_timeout"),
            watermark=Watermark(),
        )

    def _pages(self, limit: int = api.PAGE_LIMIT) -> Any:
        async def fetch(cursor: str | None) -> Page[JobData]:
            return await self._hevo.send(api.list_jobs(self.id, limit=limit, cursor=cursor))

        return fetch

    def _job(self, data: JobData) -> Job:
        return Job(self._hevo, self.id, data.job_id, data)

    async def _trigger(self, wish: TriggerTicket, on_ticket: OnTicket | None) -> Job:
        validation.callback(on_ticket, "on_ticket")
        found = await self._hevo.triggers.trigger(wish, on_ticket)
        return Job(self._hevo, self.id, found.job_id, found.job, certainty=found.certainty)

    def __repr__(self) -> str:
        name = "" if self.name is None else f", name={self.name!r}"
        status = "" if self.status is None else f", status={str(self.status)!r}"
        return f"Pipeline({self.id}{name}{status})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)
