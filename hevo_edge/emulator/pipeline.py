"""The state machine of one emulated Pipeline, driven by nothing but the time it is told."""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from hevo_edge.emulator.dialect import Dialect
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.enums import JobStatus, JobType, PipelineStatus, SyncType

Span = float | tuple[float, float]
"""Seconds, or a range from which seconds are drawn."""

_RUNNABLE = {PipelineStatus.INITIALIZED, PipelineStatus.ENABLED}
_PLANNABLE = {"outcome", "duration", "appears_after", "type", "events", "extra", "fail_restart"}


class Refused(Exception):
    """The Pipeline's state does not allow an action; ``reason`` says which rule it broke."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: str = reason


class EmulatedPipeline:
    """A Pipeline with its Jobs. Times are emulator seconds since 1970, durations seconds.

    Args:
        pipeline_id: Its id.
        now: The emulator's time.
        dialect: The generation it plays.
        seed: Makes job ids and drawn durations repeatable.
        name: Its name.
        status: Its status.
        duration: How long a Job runs.
        appears_after: How long a new Job is missing from the list; 5 to 15 s in vendor docs.
        restart_duration: How long a resync leaves the Pipeline RESTARTING.
        cancel_duration: How long a Job stays CANCELLING.
        every_minutes: Its schedule, more than 0; None for an on-demand Pipeline.
        events: How many events a Job loads.
        objects: The names of its objects.
        history: How many completed Jobs it starts with, one an hour until an hour ago.
    """

    def __init__(
        self,
        pipeline_id: int,
        *,
        now: float,
        dialect: Dialect,
        seed: int = 0,
        name: str | None = None,
        status: str = PipelineStatus.INITIALIZED,
        duration: Span = 60.0,
        appears_after: Span = (5.0, 15.0),
        restart_duration: Span = 10.0,
        cancel_duration: Span = 2.0,
        every_minutes: float | None = None,
        events: int = 1000,
        objects: tuple[str, ...] = ("users", "orders", "items"),
        history: int = 0,
    ) -> None:
        if every_minutes is not None and not every_minutes > 0:
            raise ValueError(f"every_minutes must be positive, not {every_minutes!r}")
        self.id: int = pipeline_id
        self.name: str = name or f"Pipeline {pipeline_id}"
        self.status: str = status
        self.dialect: Dialect = dialect
        self.duration = duration
        self.appears_after = appears_after
        self.restart_duration = restart_duration
        self.cancel_duration = cancel_duration
        self.events: int = events
        self.created: float = now
        self.settings: dict[str, Any] = {}
        self.jobs: list[EmulatedJob] = []
        self._random = random.Random(f"{seed}:{pipeline_id}")  # noqa: S311 -- for play
        self._planned: deque[dict[str, Any]] = deque()
        self._restart: tuple[float, str, bool] | None = None
        self.every_minutes: float | None = every_minutes
        self._next_run = None if every_minutes is None else now + every_minutes * 60
        self.objects: dict[str, dict[str, Any]] = {
            self._uuid(): {"name": object_name} for object_name in objects
        }
        self._new_objects = False
        for hours_ago in range(history, 0, -1):
            self.add_history(created=now - hours_ago * 3600)

    # -- what a test arranges ---------------------------------------------------------------------

    def plan(self, **job: Any) -> None:
        """Say what the next Job to start will be like: ``outcome``, ``duration`` (None: endless),
        ``appears_after``, ``type``, ``events``, ``extra`` (fields to show as they are), or
        ``fail_restart=True`` for a resync that fails.

        Plans queue up; a Job without a plan takes the Pipeline's defaults.
        """
        if unknown := set(job) - _PLANNABLE:
            raise TypeError(f"a plan has no {sorted(unknown)}, only {sorted(_PLANNABLE)}")
        self._planned.append(job)

    def add_history(
        self,
        *,
        created: float,
        duration: float = 60.0,
        status: str = JobStatus.COMPLETED,
        job_type: str = JobType.INCREMENTAL,
    ) -> EmulatedJob:
        """Add a Job that ended in the past."""
        job = EmulatedJob(self._uuid(), job_type, created, created, None, events=self.events)
        job.end(created + duration, status)
        self.jobs.append(job)
        return job

    def start_job(self, job_type: str = JobType.INCREMENTAL, *, now: float) -> EmulatedJob:
        """Start a Job as Hevo's schedule would, whatever runs already."""
        self.advance(now)
        return self._start(job_type, now, "schedule")

    def include_object(self, name: str) -> str:
        """Include a new object: the next sync is a HISTORICAL Job. Returns the object's id."""
        object_id = self._uuid()
        self.objects[object_id] = {"name": name}
        self._new_objects = True
        return object_id

    # -- what the API does ------------------------------------------------------------------------

    @property
    def running(self) -> EmulatedJob | None:
        """The Job that runs now, shown in the list yet or not."""
        return next((job for job in reversed(self.jobs) if not job.is_over), None)

    def sync_now(self, now: float) -> EmulatedJob:
        """Start a sync.

        Raises:
            Refused: with ``"job_in_progress"``, or ``"state"`` when the status does not allow it.
        """
        if self.running or self._restart:
            raise Refused("job_in_progress")
        if self.status not in _RUNNABLE:
            raise Refused("state")
        job_type = JobType.HISTORICAL if self._new_objects else JobType.INCREMENTAL
        self._new_objects = False
        return self._start(job_type, now, "sync_now")

    def resync(self, now: float, *, drop_and_load: bool) -> None:
        """Cancel what runs, restart, then start the historical load.

        Raises:
            Refused: with ``"state"`` when the Pipeline is not enabled or is restarting already.
        """
        if self.status not in _RUNNABLE or self._restart:
            raise Refused("state")
        self._cancel_all(now)
        self.status = self.dialect.restarting_status
        names = self.dialect.drop_and_load_type if drop_and_load else self.dialect.resync_type
        fails = bool(self._planned and self._planned[0].get("fail_restart"))
        if fails:
            self._planned.popleft()
        self._restart = (now + self._draw(self.restart_duration), names, fails)

    def resync_objects(self, now: float) -> EmulatedJob:
        """Start a HISTORICAL Job for some objects.

        Raises:
            Refused: like ``sync_now``.
        """
        if self.running or self._restart:
            raise Refused("job_in_progress")
        if self.status not in _RUNNABLE:
            raise Refused("state")
        return self._start(JobType.HISTORICAL, now, "resync_objects")

    def cancel(self, job: EmulatedJob, now: float) -> None:
        """Let a running Job be CANCELLING, then CANCELLED.

        Raises:
            Refused: with ``"job_over"`` when it has ended.
        """
        if job.is_over:
            raise Refused("job_over")
        if job.status != JobStatus.CANCELLING:
            job.status, job.outcome = JobStatus.CANCELLING, JobStatus.CANCELLED
            job.ends = now + self._draw(self.cancel_duration)

    def disable(self, now: float, *, cancel_active_jobs: bool) -> None:
        """Let no more Jobs start; the running one completes unless it is to be cancelled."""
        if cancel_active_jobs:
            self._cancel_all(now)
        self._restart = None
        self.status = PipelineStatus.DISABLING if self.running else PipelineStatus.DISABLED

    def enable(self) -> None:
        """Let Jobs start again; a restart on its way goes on."""
        if self._restart is None:
            self.status = self.dialect.enabled_status

    def advance(self, now: float) -> None:
        """Let everything happen that is due until ``now``, in order."""
        while True:
            due = [(at, order, act) for order, (at, act) in enumerate(self._agenda()) if at <= now]
            if not due:
                break
            at, _, act = min(due)
            act(at)

    # -- inside -----------------------------------------------------------------------------------

    def _cancel_all(self, now: float) -> None:
        for job in self.jobs:
            if not job.is_over:
                self.cancel(job, now)

    def _agenda(self) -> list[tuple[float, Callable[[float], None]]]:
        agenda: list[tuple[float, Callable[[float], None]]] = [
            (job.ends, self._ender(job)) for job in self.jobs if job.ends is not None
        ]
        if self._restart and not self.running:
            agenda.append((max(self._restart[0], self._last_end()), self._end_restart))
        if self._next_run is not None:
            agenda.append((self._next_run, self._run_scheduled))
        return agenda

    def _last_end(self) -> float:
        return max((job.ended for job in self.jobs if job.ended is not None), default=0.0)

    def _ender(self, job: EmulatedJob) -> Callable[[float], None]:
        def end(at: float) -> None:
            job.end(at, job.outcome)
            if self.status == PipelineStatus.DISABLING and not self.running:
                self.status = PipelineStatus.DISABLED

        return end

    def _end_restart(self, at: float) -> None:
        assert self._restart is not None  # noqa: S101 -- for the type checkers
        _, job_type, fails = self._restart
        self._restart = None
        if fails:
            self.status = self.dialect.restart_failed_status
            return
        self.status = self.dialect.enabled_status
        self._new_objects = False
        self._start(job_type, at, "resync")

    def _run_scheduled(self, at: float) -> None:
        assert self.every_minutes is not None  # noqa: S101 -- for the type checkers
        self._next_run = at + self.every_minutes * 60
        if self.status not in _RUNNABLE and not self._restart:
            return
        if self.running or self._restart:
            skipped = EmulatedJob(
                self._uuid(), JobType.INCREMENTAL, at, at, None, origin="schedule"
            )
            skipped.end(at, JobStatus.SKIPPED)
            self.jobs.append(skipped)
            return
        job_type = JobType.HISTORICAL if self._new_objects else JobType.INCREMENTAL
        self._new_objects = False
        self._start(job_type, at, "schedule")

    def _start(self, job_type: str, at: float, origin: str) -> EmulatedJob:
        plan = self._planned.popleft() if self._planned else {}
        duration = plan.get("duration", self.duration)
        job = EmulatedJob(
            job_id=self._uuid(),
            type=plan.get("type", job_type),
            created=at,
            visible_from=at + self._draw(plan.get("appears_after", self.appears_after)),
            ends=None if duration is None else at + self._draw(duration),
            outcome=_known_status(plan.get("outcome", JobStatus.COMPLETED)),
            origin=origin,
            events=plan.get("events", self.events),
            objects=tuple(str(shown["name"]) for shown in self.objects.values()),
            extra=plan.get("extra", {}),
        )
        self.jobs.append(job)
        return job

    def _draw(self, span: Span) -> float:
        return self._random.uniform(*span) if isinstance(span, tuple) else float(span)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def wire(self) -> dict[str, Any]:
        """Return what the API shows of the Pipeline."""
        schedule: dict[str, Any] = {"sync_type": str(SyncType.ON_DEMAND)}
        if self.every_minutes is not None:
            schedule = {
                "sync_type": str(SyncType.SCHEDULED),
                "frequency_minutes": self.every_minutes,
            }
        created = round(self.created * 1000)
        return {
            "id": self.id,
            "name": self.name,
            "status": str(self.status),
            "source": {
                "name": "PostgreSQL source",
                "connector_id": "postgresql",
                "source_type": "POSTGRESQL",
                "config": {},
            },
            "destination": {
                "id": 1,
                "name": "Snowflake destination",
                "connector_id": "snowflake",
                "destination_type": "SNOWFLAKE",
                "status": "ACTIVE",
            },
            "destination_prefix": "",
            "replication_type": "HISTORICAL_AND_INCREMENTAL",
            "load_mode": "MERGE",
            "schema_evolution": "ALLOW_ALL",
            "schedule": schedule,
            "failure_handling_policy": {
                "object_failure_level": "PIPELINE",
                "object_failure_threshold": 3,
            },
            "source_schema_status": {"status": "SYNCED", "refreshed_ts": created},
            "latency_alert": {"enabled": False, "threshold_minutes": 60},
            "created_ts": created,
            "updated_ts": created,
            **self.settings,
        }

    def wire_object(self, object_id: str, *, whole: bool) -> dict[str, Any]:
        """Return what the API shows of an object, in the list form or the single form."""
        name = self.objects[object_id]["name"]
        shown: dict[str, Any] = {
            "object_id": object_id,
            "source_namespace": {"k0": name, "k1": "public", "k2": "app"},
            "destination_namespace": {"k0": name, "k1": "hevo", "k2": "warehouse"},
            "field_count": 1,
            "status": self.objects[object_id].get("status", "ACTIVE"),
            "replication_status": "REPLICATED",
        }
        if whole:
            field = {
                "source_name": "id",
                "source_type": "INTEGER",
                "destination_name": "id",
                "destination_type": "BIGINT",
                "status": "ACTIVE",
                "primary_key": True,
            }
            shown.update(
                object_name=name, destination_table_name=name, load_mode="MERGE", fields=[field]
            )
        return shown


def _known_status(outcome: str) -> str:
    """Return a status that is known in upper case; a slip of case is no unknown status."""
    return outcome.upper() if outcome.upper() in JobStatus.__members__ else outcome
