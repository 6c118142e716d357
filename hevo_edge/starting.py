"""The Job that runs in a Pipeline, or the next one to start, whoever starts it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hevo_edge import api
from hevo_edge.clock import Clock
from hevo_edge.history import Watermark, read_newest, running_job, tells_what_runs
from hevo_edge.looking import LAST_LOOK
from hevo_edge.looks import PASSING
from hevo_edge.models import JobData, Page
from hevo_edge.ratelimit import Priority
from hevo_edge.schedules import Schedule, next_gap
from hevo_edge.transport import Transport

log: logging.Logger = logging.getLogger("hevo_edge.pipeline")


class Starts:
    """Waits for Jobs to start.

    Args:
        transport: Sends.
        clock: Time.
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def next_job(
        self,
        pipeline_id: int,
        fits: Callable[[JobData], bool],
        schedule: Schedule,
        deadline: float | None,
    ) -> JobData | None:
        """Return the Job that runs, else the next one to start; None at the deadline.

        A Job that began before the call, but is not in the list yet, is the one that runs.

        Args:
            pipeline_id: The Pipeline.
            fits: Says of a Job whether it will do.
            schedule: How often to look, by the seconds since the call.
            deadline: Loop time (seconds) at which a last look is made.
        """
        started = self._clock.now()

        async def fetch(cursor: str | None) -> Page[JobData]:
            late_by = None if deadline is None else deadline + LAST_LOOK
            request = api.list_jobs(pipeline_id, cursor=cursor)
            return await self._transport.send(request, Priority.LOOK, deadline=late_by)

        watermark: Watermark | None = None
        while True:
            late = deadline is not None and self._clock.now() >= deadline
            try:
                if watermark is None:
                    reading = await read_newest(fetch, tells_what_runs)
                    watermark = Watermark.of(reading, None)
                    running = running_job(reading.jobs)
                    news = [] if running is None else [running]
                else:
                    news = await watermark.news(fetch)
            except PASSING as error:
                log.warning("could not look at Pipeline %s, will repeat: %s", pipeline_id, error)
                news = []
            fitting = [job for job in news if fits(job)]
            if fitting or late:
                return fitting[0] if fitting else None
            wait = next_gap(schedule, self._clock.now() - started)
            if deadline is not None:
                wait = min(wait, deadline - self._clock.now())
            await self._clock.sleep(max(0.0, wait))
