"""The keywords of whatever triggers, with their types."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypedDict

from hevo_edge._triggering.ticket import OnTicket
from hevo_edge.enums import IfRunning, JobType


class TriggerKeywords(TypedDict, total=False):
    """The keywords of ``Pipeline.trigger``, and of all that triggers."""

    job_type: JobType | str | None
    """Accept only a Job of this type; by default any that can come of the action."""
    if_running: IfRunning | Literal["fail", "join", "replace", "wait"]
    """What to do when a Job is running: ``"fail"`` (the default), ``"join"``, ``"replace"`` or
    ``"wait"``.
    """
    timeout: float | timedelta | None
    """Seconds for all phases together; None (the default) is no limit."""
    discovery_timeout: float | timedelta
    """Seconds in which the new Job must be listed (150)."""
    on_ticket: OnTicket | None
    """Called with the ticket to store it; may be a coroutine function."""
    progress: bool
    """Show what it is doing, as ``Job.await_completion`` does."""
