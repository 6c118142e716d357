"""How long the Pipelines' finished Jobs took, and the schedules learnt from that."""

from __future__ import annotations

from collections.abc import Iterable

from hevo_edge._jobs.listing import newest_first, runs_newest_first
from hevo_edge.enums import JobStatus
from hevo_edge.models import JobData
from hevo_edge.schedules import Auto, Schedule, from_history

FRESH_FOR = 3600.0
"""Seconds for which what was recorded of a Pipeline is used."""
MAX_DURATIONS = 40
"""How many of the newest Jobs of a type are learnt from."""
FULL_PAGE = 100
"""Rows of a page that is not the last."""
# A Job that was cancelled, skipped or deferred says nothing about how long one takes.
_RAN_TO_ITS_END: frozenset[str] = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_FAILURES, JobStatus.FAILED}
)


class DurationHistory:
    """The durations of finished Jobs, by Pipeline and type, and the schedules made of them."""

    def __init__(self) -> None:
        self._recorded_at: dict[int, float] = {}
        self._durations: dict[tuple[int, str], tuple[float, ...]] = {}
        self._schedules: dict[tuple[int, str, Auto], Schedule] = {}

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
        for key in [key for key in self._schedules if key[0] == pipeline_id]:
            del self._schedules[key]
        for job_type, known in durations.items():
            self._durations[pipeline_id, job_type] = tuple(known[:MAX_DURATIONS])
        self._recorded_at[pipeline_id] = now

    def is_fresh(self, pipeline_id: int, now: float) -> bool:
        """Say whether a Pipeline's list was read recently, by this loop's clock."""
        recorded_at = self._recorded_at.get(pipeline_id)
        return recorded_at is not None and 0 <= now - recorded_at < FRESH_FOR

    def schedule(self, pipeline_id: int, job_type: str, plain: Auto) -> Schedule:
        """Return the schedule learnt for a Job; the plain one when nothing is known."""
        key = (pipeline_id, _normalized(job_type), plain)
        if key not in self._schedules:
            durations = self._durations.get(key[:2], ())
            learnt = from_history(durations, interval=plain.seconds) if durations else plain
            self._schedules[key] = learnt
        return self._schedules[key]


def _normalized(job_type: str) -> str:
    return str(job_type).upper()
