"""When Hevo's schedule may start a run, judged by the Pipeline and its past Jobs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from hevo_edge.enums import SyncType
from hevo_edge.models import JobData, ScheduleData

SCHEDULE_SLACK = 15.0
"""Seconds by which a scheduled run may start off its time."""
MAX_STARTS = 50


class ScheduleGrid(BaseModel):
    """The times at which a scheduled run may start.

    A schedule is a grid in time: in the docs' example it starts every two hours, and leaves a
    SKIPPED row where a Job still runs. So a scheduled run is a whole number of intervals away from
    other scheduled runs. No row says whether the schedule started it, so each may be scheduled.

    Attributes:
        on_demand: Whether the Pipeline has no schedule.
        every: The interval in seconds; None when it is not known.
        starts: The ``created_ts`` in ms of the newest rows, SKIPPED ones among them.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    on_demand: bool = False
    every: float | None = None
    starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, schedule: ScheduleData | None, jobs: Iterable[JobData]) -> ScheduleGrid:
        """Make the grid of a Pipeline's schedule and its Jobs, newest first."""
        if schedule is None or schedule.sync_type == SyncType.ON_DEMAND:
            return cls(on_demand=schedule is not None)
        if not schedule.frequency_minutes or schedule.frequency_minutes < 0:
            return cls()
        starts = [job.created_ts for job in jobs if job.created_ts is not None]
        return cls(every=schedule.frequency_minutes * 60.0, starts=tuple(starts[:MAX_STARTS]))

    def may_start(self, begin: float, end: float) -> bool:
        """Say whether a scheduled run may start between two times, in seconds since 1970."""
        if self.on_demand:
            return False
        if self.every is None or not self._shows_grid(self.every):
            return True
        begin, end = begin - SCHEDULE_SLACK, end + SCHEDULE_SLACK
        return any((end - start / 1000) % self.every <= end - begin for start in self.starts)

    def _shows_grid(self, every: float) -> bool:
        """Say whether some past rows are whole intervals apart, so that they show the grid."""
        phases = sorted(start / 1000 % every for start in self.starts)
        if len(phases) < 2:  # noqa: PLR2004
            return False
        around = [*phases, phases[0] + every]
        return any(later - earlier <= SCHEDULE_SLACK for earlier, later in pairwise(around))
