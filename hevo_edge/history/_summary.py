"""What a history of Jobs says in numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import short
from hevo_edge.enums import JobStatus
from hevo_edge.job import Job
from hevo_edge.models import JobData

_RATED = (
    JobStatus.COMPLETED,
    JobStatus.COMPLETED_WITH_FAILURES,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
)
_COMPLETED = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_FAILURES)
_P95 = 95


@dataclass(frozen=True)
class HistorySummary(HasMimeBundle):
    """How many Jobs succeeded, how long they took, and which was the last.

    The rates are shares of the Jobs that ended COMPLETED, COMPLETED_WITH_FAILURES, FAILED or
    CANCELLED. What runs, or was SKIPPED or DEFERRED, counts neither way.

    Attributes:
        count: How many Jobs there are, of whatever status.
        by_status: How many of each status.
        success_rate: The share, from 0 to 1, that ended COMPLETED; None when none has ended.
        success_rate_with_failures: The share that ended COMPLETED or COMPLETED_WITH_FAILURES.
        median_duration: The median duration of these, with failures or without; None when there
            are none.
        p95_duration: The shortest of their durations that 95 % of them do not exceed (the nearest
            rank, so that it is one of them, not a value between two).
        last_success: The newest Job that ended COMPLETED.
        last_failure: The newest Job that ended FAILED.
    """

    count: int = 0
    by_status: dict[str, int] = field(default_factory=dict[str, int], hash=False)
    success_rate: float | None = None
    success_rate_with_failures: float | None = None
    median_duration: timedelta | None = None
    p95_duration: timedelta | None = None
    last_success: Job[JobData] | None = None
    last_failure: Job[JobData] | None = None

    @classmethod
    def of(cls, jobs: Sequence[Job[JobData]]) -> HistorySummary:
        """Summarize Jobs that come newest first."""
        statuses = Counter(str(job.data.status) for job in jobs)
        rated = sum(statuses[status] for status in _RATED)
        completed = sum(statuses[status] for status in _COMPLETED)
        ran = [job for job in jobs if job.data.status in _COMPLETED]
        durations = sorted(job.duration for job in ran if job.duration is not None)
        rank = math.ceil(len(durations) * _P95 / 100) - 1
        return cls(
            count=len(jobs),
            by_status=dict(statuses.most_common()),
            success_rate=statuses[JobStatus.COMPLETED] / rated if rated else None,
            success_rate_with_failures=completed / rated if rated else None,
            median_duration=_median(durations),
            p95_duration=durations[rank] if durations else None,
            last_success=_newest(jobs, JobStatus.COMPLETED),
            last_failure=_newest(jobs, JobStatus.FAILED),
        )

    @property
    def last_success_at(self) -> datetime | None:
        """When ``last_success`` ended, an aware datetime in UTC."""
        return None if self.last_success is None else self.last_success.ended

    @property
    def last_failure_at(self) -> datetime | None:
        """When ``last_failure`` ended, an aware datetime in UTC."""
        return None if self.last_failure is None else self.last_failure.ended

    def __str__(self) -> str:
        parts = [f"{self.count:,} Jobs" if self.count != 1 else "1 Job"]
        if self.success_rate is not None:
            parts.append(f"{_percent(self.success_rate)} succeeded")
        counted = [f"{count:,} {short(status)}" for status, count in self.by_status.items()]
        parts += counted[:_MOST_STATUSES]
        for name, value in (
            ("median", self.median_duration),
            ("p95", self.p95_duration),
            ("last success", self.last_success_at),
            ("last failure", self.last_failure_at),
        ):
            if value is not None:
                parts.append(f"{name} {html.cell_text(value)}")
        return ", ".join(parts)

    def _plain(self) -> str:
        return str(self)

    def _html(self) -> str:
        return html.facts(
            {
                "Jobs": self.count,
                **dict(list(self.by_status.items())[: html.MAX_ROWS]),
                "Success rate": _percent(self.success_rate),
                "With failures": _percent(self.success_rate_with_failures),
                "Median duration": self.median_duration,
                "95th percentile": self.p95_duration,
                "Last success": self.last_success_at,
                "Last failure": self.last_failure_at,
            }
        )


_MOST_STATUSES = 6
"""How many statuses are named in one line."""


def _median(ordered: Sequence[timedelta]) -> timedelta | None:
    if not ordered:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _newest(jobs: Sequence[Job[JobData]], status: JobStatus) -> Job[JobData] | None:
    return next((job for job in jobs if job.data.status == status), None)


def _percent(rate: float | None) -> str | None:
    """Return a share, rounded down: 999 of 1,000 is not all."""
    return None if rate is None else f"{math.floor(rate * 1000) / 10:g} %"
