"""The Job that runs in a Pipeline, or the next one to start, whoever starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hevo_edge import api
from hevo_edge.awaiting import Watcher
from hevo_edge.history import Watermark, read_newest, running_job, tells_what_runs
from hevo_edge.looking import LAST_LOOK, priority_of
from hevo_edge.models import JobData, Page
from hevo_edge.schedules import Schedule
from hevo_edge.transport import Transport
from hevo_edge.watched import Follower


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
        fits: Callable[[JobData], bool],
        schedule: Schedule,
        deadline: float | None,
    ) -> JobData | Exception | None:
        """Return the Job that runs, else the next one to start.

        At the deadline, return why the last look failed, or None when it did not. A Job that began
        before the call, but is not in the list yet, is the one that runs.

        Args:
            pipeline_id: The Pipeline.
            fits: Says of a Job whether it will do.
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
                    patience=LAST_LOOK if last else None,
                    before_sending=sending,
                )

            if watermark is None:
                reading = await read_newest(fetch, tells_what_runs)
                watermark = Watermark.of(reading, None)
                running = running_job(reading.jobs)
                news = [] if running is None else [running]
            else:
                news = await watermark.news(fetch)
            start.saw([job for job in news if fits(job)])

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
