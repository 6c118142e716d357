"""The state machine of one emulated Pipeline. It reads no clock: callers pass the time."""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import Any, NamedTuple

from hevo_edge.emulator.dialect import Dialect
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.latest import Latest
from hevo_edge.emulator.objects import EmulatedObject, EmulatedObjects
from hevo_edge.emulator.payloads import pipeline_fields
from hevo_edge.enums import DEFERRED_STATUSES, JobStatus, JobType, PipelineStatus

Duration = float | tuple[float, float]
"""Seconds, or a range from which seconds are drawn."""

_RUNNABLE = {PipelineStatus.INITIALIZED, PipelineStatus.ENABLED}
_PLANNABLE = {
    *("outcome", "duration", "appears_after", "type", "events", "extra", "skew"),
    "fail_restart",
}
_PAST_STATUSES = 100


class Refused(Exception):
    """The Pipeline's state does not allow an action; ``reason`` names the rule."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: str = reason


class _Restart(NamedTuple):
    """A resync under way: until when it restarts the Pipeline, and what follows."""

    until: float
    job_type: str
    fails: bool


class EmulatedPipeline:
    """A Pipeline with its Jobs. Times are emulator seconds since 1970, durations seconds.

    Args:
        pipeline_id: Its id.
        now: The emulator's time.
        dialect: The generation of the API.
        seed: Makes job ids and drawn durations repeatable.
        name: Its name.
        status: Its status.
        duration: How long a Job runs; None for without end.
        appears_after: How long a new Job is missing from the list; 5 to 15 s in vendor docs.
        restart_duration: How long a resync leaves the Pipeline RESTARTING.
        cancel_duration: How long a Job stays CANCELLING; None for without end.
        every_minutes: Its schedule, more than 0; None for an on-demand Pipeline.
        events: How many events a Job loads.
        objects: The names of its objects.
        job_limit: How many of its latest Jobs it keeps, one that runs included; None for all.
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
        duration: Duration | None = 60.0,
        appears_after: Duration = (5.0, 15.0),
        restart_duration: Duration = 10.0,
        cancel_duration: Duration | None = 2.0,
        every_minutes: float | None = None,
        events: int = 1000,
        objects: tuple[str, ...] = ("users", "orders", "items"),
        job_limit: int | None = None,
        history: int = 0,
    ) -> None:
        _check(pipeline_id, every_minutes, objects)
        self.id: int = pipeline_id
        self.name: str = name or f"Pipeline {pipeline_id}"
        self.status: str = status
        self.dialect: Dialect = dialect
        self.duration: Duration | None = None if duration is None else _checked(duration)
        self.appears_after: Duration = _checked(appears_after)
        self.restart_duration: Duration = _checked(restart_duration)
        self.cancel_duration: Duration | None = (
            None if cancel_duration is None else _checked(cancel_duration)
        )
        self.events: int = events
        self.created: float = now
        self.settings: dict[str, Any] = {}
        self.jobs: list[EmulatedJob] = Latest(job_limit, lambda job: job.is_over)
        self._random = random.Random(f"{seed}:{pipeline_id}")  # noqa: S311 -- no secret
        self._planned: deque[dict[str, Any]] = deque()
        self._restart: _Restart | None = None
        self.every_minutes: float | None = every_minutes
        self._next_run = None if every_minutes is None else now + every_minutes * 60
        self.objects: EmulatedObjects = EmulatedObjects(self._uuid, objects)
        self._schema_read = now
        self._historical_due = False
        self._now = now
        self._past: deque[tuple[float, str]] = deque(maxlen=_PAST_STATUSES)
        for hours_ago in range(history, 0, -1):
            self.add_history(created=now - hours_ago * 3600)

    def __repr__(self) -> str:
        return f"EmulatedPipeline({self.id}, {str(self.status)!r}, {len(self.jobs)} jobs)"

    # -- for a test to arrange --------------------------------------------------------------------

    def plan(self, **job: Any) -> None:
        """Plan the next Job to start: ``outcome``, ``duration`` (None for without end),
        ``appears_after``, ``type``, ``events``, ``extra`` (fields to add or overwrite), ``skew``
        (seconds by which its times are ahead), or ``fail_restart=True`` for a resync that fails.

        Plans queue up; a Job without a plan has the Pipeline's defaults.
        """
        if unknown := set(job) - _PLANNABLE:
            raise TypeError(f"a plan has no {sorted(unknown)}, only {sorted(_PLANNABLE)}")
        for name in ("duration", "appears_after"):
            if job.get(name) is not None:
                _checked(job[name])
        self._planned.append(job)

    def add_history(
        self,
        *,
        created: float,
        duration: float = 60.0,
        status: str = JobStatus.COMPLETED,
        job_type: str = JobType.INCREMENTAL,
        skew: float = 0.0,
    ) -> EmulatedJob:
        """Add a Job that ended in the past; its times are ahead by ``skew`` seconds."""
        job = EmulatedJob(
            self._uuid(), job_type, created, created, None, events=self.events, skew=skew
        )
        job.end(created + duration, status)
        self.jobs.append(job)
        return job

    def start_job(self, job_type: str = JobType.INCREMENTAL, *, now: float) -> EmulatedJob:
        """Start a Job as Hevo's schedule would, even while another one runs."""
        self.advance(now)
        return self._start(job_type, now, "schedule")

    def include_object(self, name: str) -> str:
        """Include a new object: the next sync is a HISTORICAL Job. Returns the object's id."""
        self._historical_due = True
        return self.objects.add(name)

    # -- actions of the API -----------------------------------------------------------------------

    @property
    def running(self) -> EmulatedJob | None:
        """The Job that runs now, even while the list does not show it yet."""
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
        return self._start(self._next_type(), now, "sync_now")

    def resync(self, now: float, *, drop_and_load: bool) -> None:
        """Cancel the running Jobs, restart, then start the historical load.

        Raises:
            Refused: with ``"state"`` when the Pipeline is not enabled or is restarting already.
        """
        if self.status not in _RUNNABLE or self._restart:
            raise Refused("state")
        self._cancel_all(now)
        dialect = self.dialect
        self._become(dialect.restarting_status, now)
        job_type = dialect.drop_and_load_type if drop_and_load else dialect.resync_type
        fails = bool(self._planned and self._planned[0].get("fail_restart"))
        if fails:
            self._planned.popleft()
        self._restart = _Restart(now + self._draw(self.restart_duration), job_type, fails)

    def resync_objects(self, now: float, object_ids: Iterable[str] | None = None) -> EmulatedJob:
        """Start a HISTORICAL Job for some objects; None for all.

        Raises:
            Refused: as ``sync_now`` does, and with ``"object"`` for one that no run loads.
        """
        if self.running or self._restart:
            raise Refused("job_in_progress")
        if self.status not in _RUNNABLE:
            raise Refused("state")
        named = [self.objects[each] for each in object_ids or self.objects]
        if object_ids is not None and not all(each.can_be_resynced for each in named):
            raise Refused("object")
        return self._start(JobType.HISTORICAL, now, "resync_objects", named)

    def refresh_schema(self, now: float) -> None:
        """See the tables that are new in the source; included if the schema may evolve freely."""
        may_evolve = self.wire()["schema_evolution"] == "ALLOW_ALL"
        self._historical_due |= self.objects.read_schema(may_evolve=may_evolve)
        self._schema_read = now

    def set_object_status(self, object_id: str, status: str) -> None:
        """Include an object by ACTIVE: the next sync is HISTORICAL. Other words exclude it."""
        shown = self.objects[object_id]
        self._historical_due |= status == "ACTIVE" and shown.status != "ACTIVE"
        shown.status = status

    def cancel(self, job: EmulatedJob, now: float) -> None:
        """Make a running Job CANCELLING, then CANCELLED.

        Raises:
            Refused: with ``"job_over"`` when it has ended.
        """
        if job.is_over:
            raise Refused("job_over")
        if job.status != JobStatus.CANCELLING:
            job.status, job.outcome = JobStatus.CANCELLING, JobStatus.CANCELLED
            job.cancelled = now
            lasts = self.cancel_duration
            job.ends = None if lasts is None else now + self._draw(lasts)

    def disable(self, now: float, *, cancel_active_jobs: bool) -> None:
        """Start no more Jobs; the running one completes unless it is to be cancelled."""
        if cancel_active_jobs:
            self._cancel_all(now)
        self._restart = None
        self._become(PipelineStatus.DISABLING if self.running else PipelineStatus.DISABLED, now)

    def enable(self) -> None:
        """Start Jobs again; a restart that is under way continues."""
        if self._restart is None:
            self._become(self.dialect.enabled_status, self._now)

    def advance(self, now: float) -> None:
        """Apply all transitions that are due until ``now``, in the order of their times."""
        self._now = max(self._now, now)
        while True:
            transitions = enumerate(self._transitions())
            due = [(at, order, apply) for order, (at, apply) in transitions if at <= now]
            if not due:
                break
            at, _, apply = min(due)
            apply(at)

    # -- inside -----------------------------------------------------------------------------------

    def _become(self, status: str, at: float) -> None:
        self._past.append((at, self.status))
        self.status = status

    def _cancel_all(self, now: float) -> None:
        for job in self.jobs:
            if not job.is_over:
                self.cancel(job, now)

    def _transitions(self) -> list[tuple[float, Callable[[float], None]]]:
        """Return what will happen, each with its time."""
        transitions: list[tuple[float, Callable[[float], None]]] = [
            (job.ends, partial(self._end_job, job)) for job in self.jobs if job.ends is not None
        ]
        if self._restart and not self.running:
            transitions.append((max(self._restart.until, self._last_end()), self._end_restart))
        if self._next_run is not None:
            transitions.append((self._next_run, self._run_scheduled))
        return transitions

    def _last_end(self) -> float:
        return max((job.ended for job in self.jobs if job.ended is not None), default=0.0)

    def _end_job(self, job: EmulatedJob, at: float) -> None:
        job.end(at, job.outcome)
        if job.status in DEFERRED_STATUSES and job.type != JobType.INCREMENTAL:
            self._historical_due = True  # of the objects that were deferred
        if self.status == PipelineStatus.DISABLING and not self.running:
            self._become(PipelineStatus.DISABLED, at)

    def _end_restart(self, at: float) -> None:
        assert self._restart is not None  # noqa: S101 -- for the type checkers
        restart, self._restart = self._restart, None
        if restart.fails:
            self._become(self.dialect.restart_failed_status, at)
            return
        self._become(self.dialect.enabled_status, at)
        self._historical_due = False
        self._start(restart.job_type, at, "resync")

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
        self._start(self._next_type(), at, "schedule")

    def _next_type(self) -> str:
        """Return the type of the next sync, which is HISTORICAL once after something new."""
        is_historical, self._historical_due = self._historical_due, False
        return JobType.HISTORICAL if is_historical else JobType.INCREMENTAL

    def _start(
        self,
        job_type: str,
        at: float,
        origin: str,
        objects: Iterable[EmulatedObject] | None = None,
    ) -> EmulatedJob:
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
            objects=tuple(each.name for each in objects or self.objects.included),
            extra=plan.get("extra", {}),
            skew=plan.get("skew", 0.0),
        )
        self.jobs.append(job)
        return job

    def _draw(self, duration: Duration) -> float:
        if isinstance(duration, tuple):
            return self._random.uniform(*duration)
        return float(duration)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    # -- fields of the API ------------------------------------------------------------------------

    def wire(self, now: float = inf) -> dict[str, Any]:
        """Return the Pipeline's fields in the API now, or at a time in the past."""
        status = next((status for until, status in self._past if now < until), self.status)
        fields = pipeline_fields(
            self.id, self.name, status, created=self.created, every_minutes=self.every_minutes
        )
        refreshed = {"status": "SYNCED", "refreshed_ts": round(self._schema_read * 1000)}
        return {**fields, "source_schema_status": refreshed, **self.settings}


def _check(pipeline_id: int, every_minutes: float | None, objects: Iterable[str]) -> None:
    if not isinstance(pipeline_id, int):
        raise TypeError(f"a Pipeline's id must be an integer, not {pipeline_id!r}")
    if every_minutes is not None and not every_minutes > 0:
        raise ValueError(f"every_minutes must be positive, not {every_minutes!r}")
    if isinstance(objects, str):
        raise TypeError(f"objects must be a tuple of names, not {objects!r}")


def _checked(duration: Duration) -> Duration:
    bounds = duration if isinstance(duration, tuple) else (duration, duration)
    are_numbers = all(isinstance(bound, int | float) for bound in bounds)
    if not (len(bounds) == 2 and are_numbers and 0 <= bounds[0] <= bounds[1]):  # noqa: PLR2004
        message = "a duration must be seconds, or a range of seconds such as (5, 15)"
        raise ValueError(f"{message}, not {duration!r}")
    return duration


def _known_status(outcome: str) -> str:
    """Return the outcome in upper case where that makes it a known status."""
    return outcome.upper() if outcome.upper() in JobStatus.__members__ else outcome
