"""What the Pipelines' finished Jobs teach: how long the next one is likely to run."""

from __future__ import annotations

from collections.abc import Iterable

from hevo_edge._jobs.listing import newest_first, runs_newest_first
from hevo_edge.enums import JobStatus
from hevo_edge.models import JobData
from hevo_edge.schedules import Auto, Schedule, from_history

FRESH = 3600.0
"""Seconds for which what was learnt of a Pipeline is good."""
ENOUGH = 40
"""How many of the newest Jobs of a type are learnt from."""
FULL_PAGE = 100
"""Rows of a page that is not the last."""
# A Job that was cancelled or put aside says nothing about how long one takes.
_RAN_ITS_COURSE: frozenset[str] = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_FAILURES, JobStatus.FAILED}
)


class Experience:
    """The durations of finished Jobs, by Pipeline and type, and the schedules made of them."""

    def __init__(self) -> None:
        self._noted_at: dict[int, float] = {}
        self._durations: dict[tuple[int, str], tuple[float, ...]] = {}
        self._schedules: dict[tuple[int, str, Auto], Schedule] = {}

    def note(self, pipeline_id: int, rows: Iterable[JobData], now: float) -> None:
        """Learn from the rows of a Pipeline's jobs list, read at a loop time."""
        durations: dict[str, list[float]] = {}
        found = list(rows)
        if len(found) >= FULL_PAGE and not runs_newest_first(found):
            found = []  # the oldest of them, who knows how old
        for job in newest_first(found):
            seconds = job.duration_seconds
            if job.status in _RAN_ITS_COURSE and seconds is not None and seconds >= 0:
                durations.setdefault(_word(job.type), []).append(seconds)
        for key in [key for key in self._schedules if key[0] == pipeline_id]:
            del self._schedules[key]
        for job_type, known in durations.items():
            self._durations[pipeline_id, job_type] = tuple(known[:ENOUGH])
        self._noted_at[pipeline_id] = now

    def is_fresh(self, pipeline_id: int, now: float) -> bool:
        """Say whether a Pipeline's list was read recently, by this loop's clock."""
        noted_at = self._noted_at.get(pipeline_id)
        return noted_at is not None and 0 <= now - noted_at < FRESH

    def schedule(self, pipeline_id: int, job_type: str, plain: Auto) -> Schedule:
        """Return the schedule learnt for a Job; the plain one when nothing is known."""
        key = (pipeline_id, _word(job_type), plain)
        if key not in self._schedules:
            durations = self._durations.get(key[:2], ())
            learnt = from_history(durations, interval=plain.seconds) if durations else plain
            self._schedules[key] = learnt
        return self._schedules[key]


def _word(job_type: str) -> str:
    return str(job_type).upper()
