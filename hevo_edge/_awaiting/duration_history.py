"""How long the Pipelines' finished Jobs took, and the schedules learnt from that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge._jobs.listing import newest_first, runs_newest_first
from hevo_edge.enums import JobStatus
from hevo_edge.models import JobData
from hevo_edge.schedules import Auto, Schedule, from_history

FRESH_FOR = 3600.0
"""Seconds for which what was recorded of a Pipeline is used."""
MAX_DURATIONS = 40
"""How many of the newest Jobs of a type are learnt from."""
MAX_PIPELINES, MAX_TYPES, MAX_SCHEDULES = 10_000, 20, 100
"""How many Pipelines are remembered, the latest that were read; types, and schedules, of each."""
FULL_PAGE = 100
"""Rows of a page that is not the last."""
# A Job that was cancelled, skipped or deferred says nothing about how long one takes.
_RAN_TO_ITS_END: frozenset[str] = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_FAILURES, JobStatus.FAILED}
)


@dataclass
class _Past:
    """What is known of one Pipeline, since a loop time, and what was made of it."""

    recorded_at: float
    durations: dict[str, tuple[float, ...]]
    schedules: BoundedDict[tuple[str, Auto], Schedule] = field(
        default_factory=lambda: BoundedDict(MAX_SCHEDULES)
    )


class DurationHistory:
    """The durations of finished Jobs, by Pipeline and type, and the schedules made of them."""

    def __init__(self) -> None:
        self._pipelines: BoundedDict[int, _Past] = BoundedDict(MAX_PIPELINES)

    def record(self, pipeline_id: int, rows: Iterable[JobData], now: float) -> None:
        """Record the durations in rows of a Pipeline's jobs list, read at a loop time."""
        durations: dict[str, list[float]] = {}
        found = list(rows)
        if len(found) >= FULL_PAGE and not runs_newest_first(found):
            found = []  # these are the oldest Jobs of a long list, and may be years old
        for job in newest_first(found):
            seconds = job.duration_seconds
            if job.status in _RAN_TO_ITS_END and seconds is not None and seconds >= 0:
                durations.setdefault(_normalized(job.type), []).append(seconds)
        newest = {name: tuple(known[:MAX_DURATIONS]) for name, known in durations.items()}
        past = self._pipelines.get(pipeline_id)
        if past is not None:
            # The types that are in this list, and then those that were before.
            newest = dict(islice({**newest, **past.durations, **newest}.items(), MAX_TYPES))
        self._pipelines.set(pipeline_id, _Past(now, newest), now)

    def is_fresh(self, pipeline_id: int, now: float) -> bool:
        """Say whether a Pipeline's list was read recently, by this loop's clock."""
        past = self._pipelines.get(pipeline_id)
        return past is not None and 0 <= now - past.recorded_at < FRESH_FOR

    def schedule(self, pipeline_id: int, job_type: str, plain: Auto) -> Schedule:
        """Return the schedule learnt for a Job; the plain one when nothing is known."""
        past, name = self._pipelines.get(pipeline_id), _normalized(job_type)
        if past is None or not past.durations.get(name):
            return plain
        learnt = past.schedules.get((name, plain))
        if learnt is None:
            learnt = from_history(past.durations[name], interval=plain.seconds)
            past.schedules.set((name, plain), learnt, past.recorded_at)
        return learnt

    def typical(self, pipeline_id: int, job_type: str) -> float | None:
        """Return how many seconds half of a Pipeline's Jobs of a type take at most, if known."""
        past = self._pipelines.get(pipeline_id)
        durations = None if past is None else past.durations.get(_normalized(job_type))
        return median(durations) if durations else None


def _normalized(job_type: str) -> str:
    return str(job_type).upper()
