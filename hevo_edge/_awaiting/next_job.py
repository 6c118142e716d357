"""The Job that runs in a Pipeline, or the next one to start, whoever starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hevo_edge import api
from hevo_edge._awaiting.job_reader import LAST_LOOK, priority_of
from hevo_edge._awaiting.watched_job import Follower
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.listing import is_real_run, read_newest, running_job
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.models import JobData, Page
from hevo_edge.schedules import Schedule


@dataclass(frozen=True)
class Wanted:
    """Which Job of a Pipeline will do.

    Attributes:
        fits: Says of a Job whether it is of the right type.
        is_good: Says of a Job that has ended whether it ended well.
        ended_since: A Job that ended at this moment or later will do as well; ms since 1970.
        started_since: Only a Job that was created at this moment or later will do; ms since 1970.
    """

    fits: Callable[[JobData], bool]
    is_good: Callable[[JobData], bool]
    ended_since: int | None = None
    started_since: int | None = None

    def is_too_old(self, job: JobData) -> bool:
        """Say whether a run, and with it all before it, tells nothing: one Job runs at a time."""
        if not is_real_run(job):
            return False
        if self.started_since is not None:
            return not self._started_since(job)
        return self.ended_since is None or not self._ended_since(job)

    def among(self, jobs: list[JobData]) -> JobData | None:
        """Return the Job to await of the newest rows, newest first; None to await the next.

        One that ended well since goes first; then what runs; then one that ended otherwise.
        """
        runs = [job for job in jobs if is_real_run(job) and self.fits(job)]
        if self.started_since is not None:
            return next((job for job in reversed(runs) if self._started_since(job)), None)
        ended = [job for job in runs if self._ended_since(job)]
        good = next(filter(self.is_good, ended), None)
        if good is not None:
            return good
        running = running_job(jobs)
        if running is not None and self.fits(running):
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


class Starts:
    """Waits for Jobs to start.

    Args:
        transport: Sends.
        watcher: Says when to look, so that these looks and those at Jobs share the call budget.
    """

    def __init__(self, transport: Transport, watcher: Watcher) -> None:
        self._transport = transport
        self._watcher = watcher

    async def next_job(
        self,
        pipeline_id: int,
        wanted: Wanted,
        schedule: Schedule,
        deadline: float | None,
    ) -> JobData | Exception | None:
        """Return the Job that is ``wanted`` and there already, else the next one to start.

        At the deadline, return why the last look failed, or None when it did not. A Job that began
        before the call, but is not in the list yet, is the one that runs.

        Args:
            pipeline_id: The Pipeline.
            wanted: Which Job will do.
            schedule: How often to look, by the seconds since the call.
            deadline: Loop time (seconds) at which a last look is made.

        Raises:
            RequestError: what makes further looks pointless, such as AuthenticationError.
        """
        start = _Start(schedule)
        watermark: Watermark | None = None

        async def look(*, last: bool, sending: Callable[[], None]) -> None:
            nonlocal watermark

            async def fetch(cursor: str | None) -> Page[JobData]:
                return await self._transport.send(
                    api.list_jobs(pipeline_id, cursor=cursor),
                    priority_of(last=last),
                    reply_timeout=LAST_LOOK if last else None,
                    before_sending=sending,
                )

            if watermark is None:
                reading = await read_newest(fetch, wanted.is_too_old)
                watermark = Watermark.of(reading, None)
                found = wanted.among(reading.jobs)
                start.saw([] if found is None else [found])
            else:
                start.saw([job for job in await watermark.new_jobs(fetch) if wanted.fits(job)])

        # It is watched like a Job, under a name that no Job has.
        key = (pipeline_id, f"/{id(start)}")
        self._watcher.follow(start, key, deadline=deadline, look=look)
        try:
            return await start.found
        finally:
            self._watcher.leave(start)
            await self._watcher.settle()


class _Start(Follower):
    """The wait for a Job to start."""

    __slots__ = ("found",)

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(schedule)
        self.found: asyncio.Future[JobData | Exception | None] = (
            asyncio.get_running_loop().create_future()
        )

    def saw(self, jobs: list[JobData]) -> None:
        if jobs and not self.found.done():
            self.found.set_result(jobs[0])

    def hear(self, news: JobData | Exception) -> None:
        if isinstance(news, Exception) and not self.found.done():
            self.found.set_exception(news)

    def time_is_up(self) -> None:
        if not self.found.done():
            self.found.set_result(None if self.watched is None else self.watched.failure)
