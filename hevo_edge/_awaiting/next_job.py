"""The wait for a Pipeline's Job that runs now, or for the next one to start, whoever starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hevo_edge._awaiting.poll_target import JobReader, PollTarget, Subscriber, loop_time
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._jobs.listing import is_real_run, read_newest, running_job
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.models import JobData, Page
from hevo_edge.schedules import Schedule


@dataclass(frozen=True)
class JobFilter:
    """Which Job of a Pipeline to await.

    Attributes:
        matches: Says of a Job whether it is of the right type.
        is_good: Says of a Job that has ended whether it ended well.
        ended_since: A Job that ended at this moment or later will do as well; ms since 1970.
        started_since: Only a Job that was created at this moment or later will do; ms since 1970.
    """

    matches: Callable[[JobData], bool]
    is_good: Callable[[JobData], bool]
    ended_since: int | None = None
    started_since: int | None = None

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
        good = next(filter(self.is_good, ended), None)
        if good is not None:
            return good
        running = running_job(jobs)
        if running is not None and self.matches(running):
            return running
        return next(iter(ended), None)

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

    __slots__ = ("_job_filter", "_pipeline_id", "_watermark")

    def __init__(self, pipeline_id: int, job_filter: JobFilter, now: float) -> None:
        super().__init__(now)
        self._pipeline_id = pipeline_id
        self._job_filter = job_filter
        self._watermark: Watermark | None = None

    @property
    def label(self) -> str:
        """What logs call it."""
        return f"Pipeline {self._pipeline_id}"

    async def poll(self, reader: JobReader, *, final: bool, on_slot: Callable[[], None]) -> None:
        """Read what is there; from the second successful poll on, what is new since the first."""

        async def fetch(cursor: str | None) -> Page[JobData]:
            return await reader.read_page(self._pipeline_id, cursor, final=final, on_slot=on_slot)

        found: JobData | None
        if self._watermark is None:
            reading = await read_newest(fetch, self._job_filter.is_too_old)
            self._watermark = Watermark.of(reading, None)
            found = self._job_filter.select(reading.jobs)
        else:
            new_jobs = await self._watermark.new_jobs(fetch)
            found = next(filter(self._job_filter.matches, new_jobs), None)
        if found is not None:
            self.notify(found)
        self.record_success(loop_time())


class _Wait(Subscriber):
    """The wait for a Job to start; the first Job, error or deadline is its result."""

    __slots__ = ("result",)

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self.result: asyncio.Future[JobData | Exception | None] = (
            asyncio.get_running_loop().create_future()
        )

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
