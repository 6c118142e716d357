"""The wait for a Pipeline's Job that runs now, or for the next one to start, whoever starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hevo_edge._awaiting.failures import UNANSWERED, UNREAD, Failure, Limit
from hevo_edge._awaiting.poll_target import JobReader, PollTarget, Subscriber
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common import validation
from hevo_edge._common.pagination import Fetch
from hevo_edge._common.per_loop import loop_time, running_loop
from hevo_edge._jobs.listing import (
    Reading,
    is_of_type,
    is_real_run,
    read_newest,
    running_job,
)
from hevo_edge._jobs.watermark import KNOWN_IDS
from hevo_edge.enums import JobStatus, JobType
from hevo_edge.errors import ApiError, ConfigurationError
from hevo_edge.models import JobData, Page
from hevo_edge.options import optional_known_word
from hevo_edge.schedules import Schedule

CLOCK_TOLERANCE_MS = 60_000
"""Milliseconds by which Hevo's clock may be behind the caller's."""


@dataclass(frozen=True)
class JobFilter:
    """Which Job of a Pipeline to await.

    Attributes:
        job_type: Only a Job of this type; None for any.
        accepts: Says of a status whether it is a good end.
        ended_since: A Job that ended at this moment or later will do as well; ms since 1970.
        started_since: Only a Job that was created at this moment or later will do; ms since 1970.
    """

    job_type: str | None
    accepts: Callable[[str], bool]
    ended_since: int | None = None
    started_since: int | None = None

    @classmethod
    def check(
        cls, job_type: Any, ended_since: Any, started_since: Any, accepts: Callable[[str], bool]
    ) -> JobFilter:
        """Check what ``Pipeline.await_completion`` was given.

        Raises:
            ConfigurationError: for a wrong value, or both times.
        """
        if ended_since is not None and started_since is not None:
            raise ConfigurationError("pass ended_since or started_since, not both")
        return cls(
            optional_known_word(job_type, "job_type", JobType),
            accepts,
            validation.parse_timestamp(ended_since, "ended_since"),
            validation.parse_timestamp(started_since, "started_since"),
        )

    def matches(self, job: JobData) -> bool:
        """Say whether a Job is of the right type."""
        return is_of_type(job, self.job_type)

    def is_too_old(self, job: JobData) -> bool:
        """Say whether neither a run nor any before it can do: a Pipeline runs one Job at a time."""
        if not is_real_run(job):
            return False
        if self.started_since is not None:
            return not self._started_since(job)
        return self.ended_since is None or not self._ended_since(job)

    def select(self, jobs: list[JobData]) -> JobData | None:
        """Return the Job to await of the newest rows, newest first; None to await the next.

        One that ended well since goes first; then what runs; then one that ended otherwise.
        """
        runs = [job for job in jobs if is_real_run(job) and self.matches(job)]
        if self.started_since is not None:
            return next((job for job in reversed(runs) if self._started_since(job)), None)
        ended = [job for job in runs if self._ended_since(job)]
        good = next((job for job in ended if self.accepts(job.status)), None)
        if good is not None:
            return good
        running = running_job(jobs)
        if running is not None and self.matches(running):
            return running
        return next(iter(ended), None)

    def is_next(self, job: JobData) -> bool:
        """Say whether a run that was not there at the first poll is the one to await."""
        if not self.matches(job) or self.ended_too_early(job):
            return False
        return self.started_since is None or self._started_since(job)

    def ended_too_early(self, job: JobData | None) -> bool:
        """Say whether a Job ended before ``ended_since``, which lay in the future then.

        Of a Job whose end was awaited, a minute counts for nothing: Hevo's clock may be behind that
        of the caller, who meant now.
        """
        if self.ended_since is None or job is None or job.ended_ts is None:
            return False
        return job.ended_ts < self.ended_since - CLOCK_TOLERANCE_MS

    def _ended_since(self, job: JobData) -> bool:
        if self.ended_since is None or job.ended_ts is None:
            return False
        return job.ended_ts >= self.ended_since

    def _started_since(self, job: JobData) -> bool:
        if self.started_since is None or job.created_ts is None:
            return False
        return job.created_ts >= self.started_since


class NextJobs:
    """Waits for Jobs to start.

    Args:
        watcher: Polls, so that these polls and those of Jobs share the call budget.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    async def next_job(
        self,
        pipeline_id: int,
        job_filter: JobFilter,
        schedule: Schedule,
        deadline: float | None,
    ) -> JobData | Exception | None:
        """Return the matching Job that is there already, else the next one to start.

        At the deadline, return why the final poll failed, or None when it did not. A Job that began
        before the call, but is not in the list yet, is the one that runs.

        Args:
            pipeline_id: The Pipeline.
            job_filter: Which Job will do.
            schedule: How often to poll, by the seconds since the call.
            deadline: Loop time (seconds) at which a final poll is made.

        Raises:
            RequestError: what makes further polls pointless, such as AuthenticationError.
        """
        wait = _Wait(schedule)
        target = NextJobTarget(pipeline_id, job_filter, loop_time())
        self._watcher.subscribe(wait, target, deadline=deadline)
        try:
            return await wait.result
        finally:
            self._watcher.unsubscribe(wait)
            await self._watcher.settle()


class NextJobTarget(PollTarget):
    """A Pipeline whose next Job is awaited: polled by the newest rows of its list.

    Args:
        pipeline_id: The Pipeline.
        job_filter: Which Job will do.
        now: The loop time.
    """

    __slots__ = ("_baseline", "_is_whole", "_job_filter", "_last", "_pipeline_id", "_tail")

    unread_limits: ClassVar[Mapping[Failure, Limit]] = {**UNREAD, Failure.MISSING: Limit(1)}

    def __init__(self, pipeline_id: int, job_filter: JobFilter, now: float) -> None:
        super().__init__(now)
        self._pipeline_id = pipeline_id
        self._job_filter = job_filter
        # What is new is told by what was there at first, and reading ends where the last poll
        # began: so a poll reads one page, however many rows come by in the meantime.
        self._baseline: frozenset[str] | None = None
        self._is_whole = False  # the baseline is all that there was
        self._last: frozenset[str] = frozenset()
        self._tail: str | None = None

    @property
    def pipeline_id(self) -> int:
        """The Pipeline."""
        return self._pipeline_id

    @property
    def label(self) -> str:
        """What logs call it."""
        return f"Pipeline {self._pipeline_id}"

    async def poll(self, reader: JobReader, *, final: bool, on_slot: Callable[[], None]) -> None:
        """Read what is there; from the second successful poll on, what is new since the first."""

        async def fetch(cursor: str | None) -> Page[JobData]:
            return await reader.read_page(self._pipeline_id, cursor, final=final, on_slot=on_slot)

        found: JobData | None
        if self._baseline is None:
            reading = await read_newest(fetch, self._job_filter.is_too_old)
            rows = reading.rows
            self._is_whole = reading.is_whole and len(rows) <= KNOWN_IDS
            self._baseline = _ids(rows)
            found = self._job_filter.select(reading.jobs)
        else:
            reading = await self._read_on(fetch)
            rows = self._without_older(reading.rows, self._baseline | self._last)
            found = self._select_new(rows, self._baseline)
        self._last, self._tail = _ids(rows), reading.tail
        if found is not None:
            self.notify(found)
        self.record_success(loop_time())

    async def _read_on(self, fetch: Fetch[JobData]) -> Reading:
        """Read the newest rows, back to one that the last poll read."""

        def is_known(job: JobData) -> bool:
            return job.job_id in self._last

        try:
            return await read_newest(fetch, is_known, self._tail)
        except ApiError as error:
            if self._tail is None or isinstance(error, UNANSWERED):
                raise
            return await read_newest(fetch, is_known)  # a cursor may expire

    def _without_older(self, rows: list[JobData], known: frozenset[str]) -> list[JobData]:
        """Leave out what stands below all known rows: it was there before, further down."""
        places = [place for place, job in enumerate(rows) if job.job_id in known]
        return rows if self._is_whole or not places else rows[: places[-1] + 1]

    def _select_new(self, rows: list[JobData], baseline: frozenset[str]) -> JobData | None:
        """Return the oldest run that will do of those that were not there at first."""
        for job in reversed(rows):
            is_new = job.job_id not in baseline and job.status != JobStatus.SKIPPED
            if is_new and self._job_filter.is_next(job):
                return job
        return None


def _ids(rows: list[JobData]) -> frozenset[str]:
    return frozenset(job.job_id for job in rows[:KNOWN_IDS])


class _Wait(Subscriber):
    """The wait for a Job to start; the first Job, error or deadline is its result."""

    __slots__ = ("result",)

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self.result: asyncio.Future[JobData | Exception | None] = running_loop().create_future()

    def on_update(self, news: JobData | Exception) -> None:
        if self.result.done():
            return
        if isinstance(news, Exception):
            self.result.set_exception(news)
        else:
            self.result.set_result(news)

    def on_deadline(self) -> None:
        if not self.result.done():
            self.result.set_result(None if self.target is None else self.target.failure)
