"""What is told to observers of the polls, and of what they show."""

from __future__ import annotations

from hevo_edge._awaiting.poll import Poll
from hevo_edge._awaiting.watched_job import JobKey, WatchedJob
from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge._common.clock import Clock
from hevo_edge.enums import JobStatus
from hevo_edge.models import JobData
from hevo_edge.observing._events import PollEvent, StatusEvent
from hevo_edge.observing._observer import Observers

MAX_JOBS = 20_000
"""Of how many Jobs the last status is remembered, so that none is told twice."""


class WatchReport:
    """Tells of polls and of new statuses.

    Args:
        observers: Those who are told.
        clock: Time.
    """

    def __init__(self, observers: Observers, clock: Clock) -> None:
        self._observers = observers
        self._clock = clock
        self._statuses: BoundedDict[JobKey, JobStatus | str] = BoundedDict(MAX_JOBS)

    @property
    def is_observed(self) -> bool:
        """Whether anybody is told."""
        return bool(self._observers)

    def poll(self, poll: Poll, elapsed: float, error: Exception | None) -> None:
        """Tell of a poll that took so many seconds."""
        target = poll.targets[0]
        jobs = [each.key for each in poll.targets if isinstance(each, WatchedJob)]
        self._observers.notify(
            PollEvent(
                pipeline_id=target.pipeline_id,
                job_ids=tuple(job_id for _, job_id in jobs),
                is_final=poll.is_final,
                elapsed=elapsed,
                error=error or target.failure,
            )
        )

    def status(self, pipeline_id: int, job: JobData) -> None:
        """Tell of a Job's status, unless it was told: a Job may be awaited again and again."""
        key = (pipeline_id, job.job_id)
        previous = self._statuses.get(key)
        if previous == job.status:
            return
        self._statuses.set(key, job.status, self._clock.now())
        ended = job.ended_ts
        self._observers.notify(
            StatusEvent(
                pipeline_id=pipeline_id,
                job_id=job.job_id,
                job_type=job.type,
                status=job.status,
                previous=previous,
                is_terminal=job.is_terminal,
                updated=job.updated,
                duration=job.duration_seconds,
                detection_delay=None if ended is None else self._clock.wall() - ended / 1000,
            )
        )
