"""One emulated Job: its course, and its fields at a given time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from hevo_edge.emulator.dialect import Dialect
from hevo_edge.enums import DEFERRED_STATUSES, JobStatus, is_terminal

_FAILING = frozenset(
    {
        JobStatus.FAILED,
        JobStatus.COMPLETED_WITH_FAILURES,
        JobStatus.DEFERRED_WITH_FAILURES,
        JobStatus.DEFERRED_WITH_FAILURE,
    }
)


@dataclass
class EmulatedJob:
    """A Job. All times are emulator seconds since 1970.

    Attributes:
        job_id: Its id.
        type: Its type.
        created: When it was created.
        origin: Who started it: ``"sync_now"``, ``"resync"``, ``"resync_objects"``,
            ``"schedule"`` or ``"history"``. The API does not show it; it is here for assertions.
        visible_from: When it appears in the jobs list.
        ends: When it will end; None for never by itself.
        outcome: The status in which it will end.
        events: How many events it loads when it completes.
        skew: Seconds by which the clock of the node that runs it is ahead of the emulator's.
        cancelled: When it was cancelled.
        status: Its status now.
        ended: When it ended; None while it runs.
        objects: The names of its objects.
        extra: Fields to add to what the API shows, or to overwrite.
    """

    job_id: str
    type: str
    created: float
    visible_from: float
    ends: float | None
    outcome: str = JobStatus.COMPLETED
    origin: str = "history"
    status: str = JobStatus.IN_PROGRESS
    events: int = 1000
    objects: tuple[str, ...] = ("users", "orders", "items")
    ended: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    skew: float = 0.0
    cancelled: float | None = None

    def __post_init__(self) -> None:
        # Kept apart from `ends`, which a cancel changes: what was loaded stays loaded.
        self._planned_end = self.ends

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return is_terminal(self.status)

    def end(self, at: float, status: str) -> None:
        """End it."""
        self.ended, self.status, self.outcome, self.ends = at, status, status, None

    def status_at(self, now: float) -> str:
        """Return its status at a time, which may be past."""
        is_now = self.cancelled is None if self.ended is None else self.ended <= now
        if is_now or self.origin == "history":  # which has ended, even if its times are to come
            return self.status
        is_cancelled = self.cancelled is not None and self.cancelled <= now
        return JobStatus.CANCELLING if is_cancelled else JobStatus.IN_PROGRESS

    def updated_at(self, now: float) -> float:
        """Return when it changed last, until a time that may be past."""
        return now if self.ended is None or self.ended > now else self.ended

    def wire(self, now: float, dialect: Dialect) -> dict[str, Any]:
        """Return its fields in the API at a time, which may be past."""
        status = self.status_at(now)
        is_over = is_terminal(status)
        until = self.updated_at(now)
        elapsed = max(0.0, until - self.created)
        share = self._progress(status, elapsed)
        ingested = int(self.events * share)
        failed_events = ingested // 10 if self._fails else 0
        failed_objects = 1 if self._fails and is_over and self.objects else 0
        unit = 1000 if dialect.times == "ms" else 1
        objects = len(self.objects)
        done = min(int(objects * share), objects - failed_objects)
        fields: dict[str, Any] = {
            "job_id": self.job_id,
            "type": str(self.type),
            "status": str(status),
            "created_ts": round((self.created + self.skew) * unit),
            "updated_ts": round((until + self.skew) * unit),
            "events_ingested": ingested,
            "events_loaded": ingested - failed_events,
            "events_failed": failed_events,
            "objects_success": done,
            "objects_queued": 0 if is_over else objects - done,
            "objects_skipped": 0,
            "objects_failed": failed_objects,
            "duration": round(elapsed * 1000),
            "min_latency": 100,
            "max_latency": 5000,
            "mean_latency": 1500,
        }
        if dialect.billing:
            fields.update(billable_events=ingested, non_billable_events=0)
        return {**fields, **self.extra}

    def wire_objects(self, now: float = inf) -> list[dict[str, Any]]:
        """Return the fields of each of its objects in the API now, or at a time in the past."""
        status = self.status_at(now)
        is_over = is_terminal(status)
        share = self.events // max(1, len(self.objects))
        rows: list[dict[str, Any]] = [
            {
                "object_name": name,
                "rows_processed": share,
                "rows_failed": 0,
                "status": str(JobStatus.COMPLETED if is_over else JobStatus.IN_PROGRESS),
            }
            for name in self.objects
        ]
        if self._fails and is_over and rows:
            rows[-1].update(rows_failed=share // 10, status=str(status))
        elif status in DEFERRED_STATUSES and rows:
            rows[-1].update(status=str(status))
        return rows

    def _progress(self, status: str, elapsed: float) -> float:
        if status == JobStatus.SKIPPED:
            return 0.0
        if status in {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_FAILURES}:
            return 1.0
        if self._planned_end is None or status in DEFERRED_STATUSES:
            return 0.5
        share = min(1.0, elapsed / max(1e-9, self._planned_end - self.created))
        return share / 2 if self.outcome in {JobStatus.FAILED, *DEFERRED_STATUSES} else share

    @property
    def _fails(self) -> bool:
        return self.outcome in _FAILING
