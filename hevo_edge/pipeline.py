"""A Pipeline, which moves data: trigger it, await its Jobs, administer it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import Any, cast

from pydantic import ValidationError
from typing_extensions import Unpack

from hevo_edge import api
from hevo_edge._awaiting.last_good_job import last_good_job
from hevo_edge._awaiting.next_job import JobFilter
from hevo_edge._common import validation
from hevo_edge._common.copies import KeepsClient
from hevo_edge._common.has_data import PipelineDataT_co
from hevo_edge._common.signatures import with_options
from hevo_edge._jobs.listing import (
    is_of_type,
    is_real_run,
    jobs_newest_first,
    read_newest,
    running_job,
)
from hevo_edge._jobs.newest import newest_jobs
from hevo_edge._pipeline_objects import HasObjects
from hevo_edge._pipeline_switch import CanBeSwitched
from hevo_edge._text.durations import format_seconds
from hevo_edge._triggering.keywords import TriggerKeywords
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge.enums import (
    Certainty,
    Freshness,
    IfRunning,
    JobStatus,
    JobType,
    PipelineAction,
    normalized,
)
from hevo_edge.errors import ConfigurationError, JobDidNotSucceed, JobTimeout
from hevo_edge.history import JobHistory
from hevo_edge.job import Job, WaitKeywords
from hevo_edge.models import JobData, PipelineData
from hevo_edge.objects import ObjectRef
from hevo_edge.options import (
    TRIGGER_DEFAULTS,
    WAIT_DEFAULTS,
    TriggerOptions,
    WaitOptions,
    optional_known_word,
)

__all__ = ["Pipeline", "TriggerKeywords"]

HISTORY_LIMIT = 50
"""How many Jobs ``job_history`` returns when nothing else is asked for; one page has them."""
FRESH_DEFAULTS: dict[str, Any] = {**TRIGGER_DEFAULTS, "if_running": IfRunning.JOIN}
"""Those of ``ensure_fresh``."""


class Pipeline(KeepsClient, CanBeSwitched[PipelineDataT_co], HasObjects[PipelineDataT_co]):
    """A Pipeline. ``HevoClient.pipeline(id)`` makes one without any request.

    Attributes:
        id: The Pipeline's id.
    """

    async def refresh(self) -> Pipeline[PipelineData]:
        """Read the Pipeline again. Returns itself, of which type checkers know that it has data.

        Raises:
            NotFound: when there is no such Pipeline.
        """
        return self._saw(await self._core.send(api.get_pipeline(self.id)))

    # -- trigger ----------------------------------------------------------------------------------

    @with_options(TriggerKeywords, TRIGGER_DEFAULTS)
    async def trigger(
        self,
        action: PipelineAction | str = PipelineAction.SYNC_NOW,
        *,
        drop_and_load: bool = False,
        **options: Unpack[TriggerKeywords],
    ) -> Job[JobData]:
        """Start exactly one run, and return its Job.

        Reads the Jobs that there are, posts once, and polls for a new one. After a POST whose
        outcome is unknown it polls too, and never posts again. ``job.certainty`` says how certain
        it is that this call started the Job. Calls for one Pipeline never interleave, whichever
        clients of this event loop make them.

        Args:
            action: SYNC_NOW, or RESYNC to restart the historical load.
            job_type: Accept only a Job of this type; by default any that can come of the action
                (a sync of newly included objects is HISTORICAL).
            drop_and_load: With RESYNC, drop and recreate the Destination tables.
            if_running: ``"fail"``: raise JobInProgress. ``"join"``: return the running Job.
                ``"replace"``: cancel it, wait for its end, start a new one. ``"wait"``: wait until
                it ends, then start a new one.
            timeout: Seconds for all phases together, waiting for a running Job included. With it,
                an outage before the POST is outlasted; without, it is raised within seconds.
            discovery_timeout: Seconds in which the new Job must be listed, not counting the time in
                which a resync restarts the Pipeline.
            on_ticket: Called with the ticket to store it: right before the POST, when its answer is
                known, and when the Job is found. May be a coroutine function. If it raises, the
                trigger ends; before the POST, nothing is sent then.
            progress: Show what it is doing, such as waiting for the call budget, and for how long;
                see ``Job.await_completion``.

        Raises:
            ConfigurationError: for wrong options, before any request.
            JobInProgress: see ``if_running``; ``error.job`` is the running Job.
            PipelineNotReady: when no run can start in the Pipeline's state.
            TriggerTimeout: when ``timeout`` passed before the POST; nothing was started.
            RequestError: reading or posting failed, and nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: a run was started, or may have been;
                pass ``error.ticket`` to ``HevoClient.reconcile``.
        """
        checked = TriggerOptions.check(action, drop_and_load=drop_and_load, **options)
        return await self._trigger(checked)

    @with_options(TriggerKeywords, TRIGGER_DEFAULTS)
    async def prepare_trigger(
        self,
        action: PipelineAction | str = PipelineAction.SYNC_NOW,
        *,
        drop_and_load: bool = False,
        **options: Unpack[TriggerKeywords],
    ) -> TriggerTicket:
        """Do everything that ``trigger`` does before the POST, and return the ticket to fire.

        For callers that must survive a crash: store ``ticket.dumps()``, then
        ``await hevo.fire(ticket)``; after a crash, fire the stored ticket. ``on_ticket`` of
        ``trigger`` does the same in one call. Arguments and errors are those of ``trigger``;
        ``on_ticket`` is called once, when the ticket is ready.
        """
        checked = TriggerOptions.check(action, drop_and_load=drop_and_load, **options)
        deadline = self._core.deadline(checked.timeout)
        ticket = TriggerTicket.of(self.id, checked, account=self._core.account)
        with self._core.shown(ticket, progress=checked.progress):
            return await self._core.triggers.prepare(ticket, deadline, checked.on_ticket)

    @with_options(TriggerKeywords, TRIGGER_DEFAULTS)
    async def sync_now(self, **options: Unpack[TriggerKeywords]) -> Job[JobData]:
        """Trigger a sync, which loads what is new since the last good offset. See ``trigger``."""
        return await self.trigger(PipelineAction.SYNC_NOW, **options)

    @with_options(TriggerKeywords, TRIGGER_DEFAULTS)
    async def resync(
        self, *, drop_and_load: bool = False, **options: Unpack[TriggerKeywords]
    ) -> Job[JobData]:
        """Trigger a resync, the historical load of all active objects. See ``trigger``."""
        return await self.trigger(PipelineAction.RESYNC, drop_and_load=drop_and_load, **options)

    @with_options(TriggerKeywords, FRESH_DEFAULTS)
    async def ensure_fresh(
        self,
        within: validation.Duration,
        *,
        accept_completed_with_failures: bool = False,
        **options: Unpack[TriggerKeywords],
    ) -> Job[JobData]:
        """Have data that is not too old: return a Job that has brought it, or will.

        The last Job that ended well, if that was within the time; else the Job that runs; else a
        new sync. ``job.freshness`` says which; await the Job in any case. A Job of some tables
        alone does not count, and is waited for; to tell takes two calls, unless it is INCREMENTAL.

        Args:
            within: Seconds, or a timedelta, before now by Hevo's clock.
            accept_completed_with_failures: Count COMPLETED_WITH_FAILURES as a good end.
            **options: Those of ``trigger``; ``if_running`` is ``"join"`` by default.

        Raises:
            ConfigurationError: for wrong options, before any request.
            RequestError, JobInProgress, TriggerOutcomeUnknown, ...: as ``trigger``.
        """
        checked = TriggerOptions.check(**{**FRESH_DEFAULTS, **options})
        wait = WaitOptions.check(accept_completed_with_failures=accept_completed_with_failures)
        deadline = self._core.deadline(checked.timeout)
        seconds = validation.seconds(within, "within")
        pages = self._core.timed_pages(self.id)
        good = await last_good_job(pages, seconds, wait.accepts, self._has_all)
        job = await self._trigger(checked, None, deadline) if good is None else self._job(good)
        if job.certainty is Certainty.JOINED and not await self._has_all(job.data):
            options["if_running"] = IfRunning.WAIT
            job = await self._trigger(TriggerOptions.check(**options), None, deadline)
        started = Freshness.JOINED if job.certainty is Certainty.JOINED else Freshness.STARTED
        job.freshness = started if good is None else Freshness.FRESH
        return job

    # -- jobs -------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Return a handle of one of the Pipeline's Jobs, without any request.

        Args:
            job_id: The Job's id, or its ref.

        Raises:
            ConfigurationError: when it is invalid, or of another Pipeline.
        """
        if isinstance(job_id, str) and re.match(r"\d+:", job_id):
            pipeline_id, of_ref = validation.job_ref(job_id)
            if pipeline_id != self.id:
                raise ConfigurationError(f"{job_id!r} is a Job of another Pipeline than {self.id}")
            return Job(self._core, self.id, of_ref, None)
        return Job(self._core, self.id, validation.identifier(job_id, "job_id"), None)

    async def list_jobs(
        self,
        *,
        job_type: JobType | str | None = None,
        status: JobStatus | str | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[Job[JobData], None]:
        """Yield the Pipeline's Jobs, newest first, reading pages as they are needed.

        Args:
            job_type: Only Jobs of this type; a word that nobody knows is logged, and looked for.
            status: Only Jobs of this status; likewise.
            limit: At most so many.

        Raises:
            ConfigurationError: for wrong options, before any request.
        """
        wanted_type = optional_known_word(job_type, "job_type", JobType)
        wanted_status = optional_known_word(status, "status", JobStatus)
        left = None if limit is None else validation.count(limit, "limit")
        filtered = wanted_type is not None or wanted_status is not None
        size = api.PAGE_LIMIT if left is None or filtered else min(left, api.PAGE_LIMIT)
        async for data in jobs_newest_first(self._core.pages(self.id, size)):
            has_status = wanted_status in {None, normalized(data.status)}
            if has_status and is_of_type(data, wanted_type):
                yield self._job(data)
                left = None if left is None else left - 1
                if left == 0:
                    return

    async def job_history(
        self, *, limit: int | None = None, since: datetime | None = None
    ) -> JobHistory:
        """Read the newest Jobs, to look at, to count, and as a table of pandas or polars.

        Args:
            limit: At most so many; by default 50, or all there are with ``since``.
            since: Only Jobs that were created at this time or later, by Hevo's clock.

        Raises:
            ConfigurationError: for wrong options, before any request.
            UnexpectedResponse: when more than 500 pages (50,000 Jobs) would have to be read.
        """
        at_most = None if limit is None else validation.count(limit, "limit")
        earliest = validation.parse_timestamp(since, "since")
        if at_most is None and earliest is None:
            at_most = HISTORY_LIMIT
        found = await newest_jobs(self._core.pages(self.id), limit=at_most, since=earliest)
        return JobHistory(map(self._job, found))

    async def active_job(self, job_type: JobType | str | None = None) -> Job[JobData] | None:
        """Return the Job that runs now, or None.

        Args:
            job_type: Only a Job of this type.
        """
        wanted = optional_known_word(job_type, "job_type", JobType)
        running = running_job((await read_newest(self._core.pages(self.id), is_real_run)).jobs)
        return self._job(running) if running and is_of_type(running, wanted) else None

    @with_options(WaitKeywords, WAIT_DEFAULTS)
    async def await_completion(
        self,
        *,
        job_type: JobType | str | None = None,
        ended_since: datetime | None = None,
        started_since: datetime | None = None,
        **wait: Unpack[WaitKeywords],
    ) -> Job[JobData]:
        """Await the Job that runs now, else the next one to start, whoever starts it.

        For a Pipeline that runs on Hevo's schedule, pass a time by Hevo's clock: then a Job that
        ended before this call counts too.

        Args:
            job_type: Only a Job of this type.
            ended_since: Also accept a Job that ended at this time or later. One that succeeded is
                returned at once; else the running Job is awaited; else one that did not succeed
                raises its error. SKIPPED and DEFERRED rows do not count, nor ends before it.
            started_since: Only a Job that was created at this time or later, the first of them; a
                Job that was running before is not awaited.
            **wait: The keywords of ``Job.await_completion``; ``timeout`` includes the time until
                the Job starts.

        Raises:
            ConfigurationError: for wrong options, or both times.
            JobTimeout: with ``job`` None when none started in time, whatever ``on_timeout`` says.
                Else see ``Job.await_completion``.
        """
        options = WaitOptions.check(**wait)
        job_filter = JobFilter.check(job_type, ended_since, started_since, options.accepts)
        return await self._wait(job_filter, options, self._core.deadline(options.timeout))

    # -- objects ----------------------------------------------------------------------------------

    @with_options(TriggerKeywords, TRIGGER_DEFAULTS)
    async def resync_objects(
        self,
        objects: Iterable[ObjectRef] | ObjectRef,
        *,
        drop_and_load: bool = False,
        **options: Unpack[TriggerKeywords],
    ) -> Job[JobData]:
        """Restart the historical load of some objects, and return its Job.

        The body's form is weakly known: ``object_ids`` in the newest generation, ``objects`` in
        the one before (``HevoClient(dialect=...)``). Options and errors are those of ``trigger``.

        Args:
            objects: Names, ids, or what ``objects`` or ``Job.list_objects`` has told of them. To
                find a name, the objects are read, a call for each hundred; ids that are UUIDs are
                sent as they are.

        Raises:
            ConfigurationError: before the POST, for a name that no object has, or several have; or
                for an object that no run loads, such as one that is excluded.
            JobInProgress, PipelineNotReady, TriggerOutcomeUnknown, ...: as ``trigger``.
        """
        checked = TriggerOptions.check(
            PipelineAction.RESYNC, drop_and_load=drop_and_load, **options
        )
        deadline = self._core.deadline(checked.timeout)
        return await self._trigger(checked, await self._resync_ids(objects), deadline)

    # -- administration ---------------------------------------------------------------------------

    async def update(self, **fields: Any) -> Pipeline[PipelineData]:
        """Change fields such as ``name`` or ``schedule``; only what is given. Returns itself.

        Raises:
            ConfigurationError: when nothing is given.
        """
        if not fields:
            raise ConfigurationError("update needs at least one field to change")
        reply = await self._core.send(api.update_pipeline(self.id, fields))
        try:
            return self._saw(PipelineData.model_validate(reply))
        except ValidationError:
            # The reply is a Pipeline in vendor code; read it if it is not.
            return await self.refresh()

    # -- inside -----------------------------------------------------------------------------------

    def _saw(self, data: PipelineData) -> Pipeline[PipelineData]:
        seen = cast("Pipeline[PipelineData]", self)
        seen._data = data
        self._core.names.note(data)
        return seen

    def _job(self, data: JobData) -> Job[JobData]:
        return Job(self._core, self.id, data.job_id, data)

    async def _trigger(
        self,
        options: TriggerOptions,
        object_ids: tuple[str, ...] | None = None,
        deadline: float | None = None,
    ) -> Job[JobData]:
        deadline = self._core.deadline(options.timeout) if deadline is None else deadline
        ticket = TriggerTicket.of(self.id, options, object_ids, self._core.account)
        with self._core.shown(ticket, progress=options.progress):
            found = await self._core.triggers.trigger(ticket, deadline, options.on_ticket)
        return Job._found(self._core, self.id, found)._with_data()

    async def _wait(
        self, job_filter: JobFilter, options: WaitOptions, deadline: float | None
    ) -> Job[JobData]:
        while True:
            job = self._job(await self._next_job(job_filter, options, deadline))
            try:
                await job._wait(options, deadline)
            except JobDidNotSucceed:
                if not job_filter.ended_too_early(job.data):
                    raise
            if not job_filter.ended_too_early(job.data):
                return job

    async def _next_job(
        self, job_filter: JobFilter, options: WaitOptions, deadline: float | None
    ) -> JobData:
        data = await self._core.next_jobs.next_job(self.id, job_filter, options.schedule, deadline)
        if data is None or isinstance(data, Exception):
            seen = "started" if data is None else "was seen to start"
            what = f"no {job_filter.job_type or 'new'} Job of Pipeline {self.id} {seen} within"
            raise JobTimeout(f"{what} {format_seconds(options.timeout or 0)}", job=None) from data
        return data
