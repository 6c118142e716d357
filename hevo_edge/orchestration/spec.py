"""What a task asks for: one run of a Pipeline, and how its Job is awaited."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hevo_edge._common import validation
from hevo_edge._common.validation import Duration
from hevo_edge._text.field_docs import show_fields
from hevo_edge.enums import IfRunning, JobStatus, JobType, PipelineAction
from hevo_edge.errors import ConfigurationError
from hevo_edge.options import TRIGGER_DEFAULTS, WAIT_DEFAULTS, TriggerOptions, WaitOptions
from hevo_edge.schedules import PollInterval

__all__ = [
    "RunSpec",
]


@show_fields
@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run of a Pipeline, as a task asks for it; checked when it is made.

    Args:
        pipeline_id: The Pipeline.
        action: SYNC_NOW, or RESYNC to restart the historical load.
        job_type: Accept only a Job of this type; None for any that can come of the action.
        drop_and_load: With RESYNC, drop and recreate the Destination tables.
        object_ids: With RESYNC, the ids of the objects to resync; None for all.
        if_running: What to do when a Job is running: ``"fail"``, ``"join"``, ``"replace"`` or
            ``"wait"``.
        fresh_within: Seconds, or a timedelta: take the last Job that ended well if that was within
            it, and start one only else, see ``Pipeline.ensure_fresh``; None to start one always.
        discovery_timeout: Seconds in which the new Job must show up.
        poll_interval: Seconds between polls, ``"auto"``, ``"eager"``, or a ``schedules.Schedule``.
        accept: Statuses to take for success, beside COMPLETED.
        deadline: When to give up, in seconds since 1970, so that it holds in another process; one
            final poll comes before. None for never.
        limit: The seconds that the user gave, of which the deadline was made: what a message of a
            time-out names, since another process may have used up a part of them.
        on_timeout: At the deadline, ``"raise"``: report a time-out; or ``"cancel"`` the Job in
            Hevo as well, where it is the task's own (see ``may_cancel``).

    Raises:
        ConfigurationError: for wrong values, before any request.
    """

    pipeline_id: int
    action: PipelineAction | str = PipelineAction.SYNC_NOW
    job_type: JobType | str | None = None
    drop_and_load: bool = False
    object_ids: Iterable[str] | None = None
    if_running: IfRunning | str = IfRunning.FAIL
    fresh_within: Duration | None = None
    discovery_timeout: float = TRIGGER_DEFAULTS["discovery_timeout"]
    poll_interval: PollInterval = WAIT_DEFAULTS["poll_interval"]
    accept: Iterable[JobStatus | str] = ()
    deadline: float | None = None
    limit: float | None = None
    on_timeout: str = "raise"
    trigger_options: TriggerOptions = field(init=False, repr=False, compare=False)
    """The options of ``Pipeline.trigger``, checked."""

    @classmethod
    def of_task(
        cls,
        pipeline_id: int | str,
        *,
        timeout: Duration | None = None,
        accept_completed_with_failures: bool = False,
        if_running: IfRunning | str | None = None,
        **options: Any,
    ) -> RunSpec:
        """Return what a task asks for in the words of ``RunKeywords``; its time counts from now.

        Args:
            pipeline_id: The Pipeline.
            timeout: Seconds for all of it, or a timedelta; None for no limit.
            accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
            if_running: None for ``"fail"``, and with ``fresh_within`` for ``"join"``: a Job that
                runs will be fresh.
            **options: Other fields.

        Raises:
            ConfigurationError: for wrong values.
        """
        if if_running is None:
            is_for_fresh = options.get("fresh_within") is not None
            if_running = IfRunning.JOIN if is_for_fresh else IfRunning.FAIL
        accepts = validation.parse_bool(
            accept_completed_with_failures, "accept_completed_with_failures"
        )
        limit = validation.timeout(timeout, "timeout")
        return cls(
            validation.pipeline_id(pipeline_id),
            if_running=if_running,
            accept=[JobStatus.COMPLETED_WITH_FAILURES] if accepts else [],
            deadline=None if limit is None else time.time() + limit,
            limit=limit,
            **options,
        )

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen
        set_field(self, "pipeline_id", validation.pipeline_id(self.pipeline_id))
        if isinstance(self.deadline, timedelta):
            raise ConfigurationError("deadline is a moment, in seconds since 1970, not a duration")
        set_field(self, "deadline", validation.optional_seconds(self.deadline, "deadline"))
        fresh = validation.optional_seconds(self.fresh_within, "fresh_within")
        set_field(self, "fresh_within", fresh)
        if fresh is not None and self.action != PipelineAction.SYNC_NOW:
            raise ConfigurationError(f"fresh_within goes with SYNC_NOW, not with {self.action}")
        set_field(self, "limit", validation.optional_seconds(self.limit, "limit"))
        validation.one_of(self.on_timeout, "on_timeout", ("raise", "cancel"))
        wait = WaitOptions.check(poll_interval=self.poll_interval, accept=self.accept)
        set_field(self, "accept", wait.accept)
        options = TriggerOptions.check(
            self.action,
            job_type=self.job_type,
            drop_and_load=self.drop_and_load,
            if_running=self.if_running,
            discovery_timeout=self.discovery_timeout,
        )
        set_field(self, "trigger_options", options)
        set_field(self, "object_ids", self._checked_ids())

    def _checked_ids(self) -> tuple[str, ...] | None:
        if self.object_ids is None:
            return None
        if self.trigger_options.action is not PipelineAction.RESYNC:
            raise ConfigurationError(f"object_ids go with RESYNC, not with {self.action}")
        if isinstance(self.object_ids, str) or not isinstance(self.object_ids, Iterable):
            raise ConfigurationError(f"object_ids must be several ids, not {self.object_ids!r}")
        ids = {validation.identifier(each, "object_ids") for each in self.object_ids}
        if not ids:
            raise ConfigurationError("object_ids must hold one id at least")
        return tuple(sorted(ids))

    def seconds_left(self) -> float | None:
        """Return the seconds until the deadline, 0 when it has passed; None for never."""
        return None if self.deadline is None else max(self.deadline - time.time(), 0.0)

    def request(self) -> dict[str, Any]:
        """Return the fields that a ticket of this run has; another run's ticket differs."""
        options = self.trigger_options
        return {
            "pipeline_id": self.pipeline_id,
            "action": options.action,
            "job_type": options.job_type,
            "drop_and_load": options.drop_and_load,
            "object_ids": self.object_ids,
        }
