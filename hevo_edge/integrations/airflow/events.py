"""An outcome as the event that a trigger gives to its task, in the vendor's keys and ours."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.enums import JobStatus
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import Outcome


def event_of(outcome: Outcome) -> dict[str, Any]:
    """Return the event: ``status``, ``message``, ``pipeline_id`` and ``job_id`` as the vendor's."""
    event = outcome.to_dict()
    event["status"] = "success" if outcome.kind == "success" else "error"
    event["ended"] = outcome.has_ended
    job_status = (outcome.job or {}).get("status")
    if outcome.kind == "success" and job_status == JobStatus.COMPLETED_WITH_FAILURES:
        event["completed_with_failures"] = True
    return event


def outcome_of(event: Any) -> Outcome:
    """Return the outcome that an event carries.

    Raises:
        AirflowException: for None, and for whatever else is none: a task must not pass for done.
    """
    if isinstance(event, dict) and event.get("status") in ("success", "error"):
        # The vendor's trigger, whose events may still be on their way, knows no kinds.
        event = {"kind": event["status"], **event}
    try:
        return Outcome.from_dict(event)
    except ConfigurationError as error:
        raise AirflowException(
            f"the triggerer sent no outcome but {event!r}; whether the Job ended is not known"
        ) from error
