"""The options of a task of an orchestrator, which adapters hand on to ``RunSpec.of_task``."""

from __future__ import annotations

from typing import Literal, TypedDict

from hevo_edge._common.validation import Duration
from hevo_edge.enums import IfRunning, JobType, PipelineAction

__all__ = ["RunKeywords", "WaitKeywords"]


class WaitKeywords(TypedDict, total=False):
    """How a task awaits its Job."""

    poll_interval: Duration | Literal["auto", "eager"]
    """Seconds between polls; ``"auto"`` learns from the Pipeline's past Jobs, and ``"eager"`` also
    takes calls that nobody needs. Default: 15."""
    accept_completed_with_failures: bool
    """Take COMPLETED_WITH_FAILURES for success. Default: False."""
    timeout: Duration | None
    """Seconds or timedelta for the whole task, with one final poll. Default: None, no limit."""
    on_timeout: Literal["raise", "cancel"]
    """``"raise"`` (the default), or ``"cancel"`` the Job in Hevo as well, if it is surely the
    task's own."""


class RunKeywords(WaitKeywords, total=False):
    """How a task starts its run, and awaits the Job."""

    action: PipelineAction | str
    """SYNC_NOW (the default), or RESYNC to restart the historical load of all active objects."""
    job_type: JobType | str | None
    """Accept only a Job of this type; None (the default) for any that can come of the action."""
    drop_and_load: bool
    """With RESYNC, drop and recreate the Destination tables. Default: False."""
    if_running: IfRunning | Literal["fail", "join", "replace", "wait"] | None
    """What to do when a Job is running: ``"fail"``, ``"join"``, ``"replace"`` or ``"wait"``.
    Default: ``"fail"``, with ``fresh_within`` ``"join"``."""
    fresh_within: Duration | None
    """Seconds or timedelta: take the last Job that ended well if that was within it, else join the
    one that runs, else start one. Default: None, to start one always."""
    discovery_timeout: float
    """Seconds in which the started Job must show up. Default: 150."""
