"""How a wait ended, as the plain JSON that a trigger gives to its task."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.enums import JobStatus
from hevo_edge.errors import HevoError, JobDidNotSucceed, JobTimeout
from hevo_edge.job import Job

SUCCESS = "success"
ERROR = "error"
_NAMED = 5
"""How many of the failed objects a message names."""
_PAGE = 100
_COUNTS = (
    "events_ingested",
    "events_loaded",
    "events_failed",
    "objects_success",
    "objects_queued",
    "objects_skipped",
    "objects_failed",
)


def summary(job: Job) -> dict[str, Any]:
    """Return what is known of a Job as plain values: ids, status, counts, milliseconds."""
    known: dict[str, Any] = {
        "job_id": job.id,
        "pipeline_id": job.pipeline_id,
        "ref": job.ref,
        "status": None if job.status is None else str(job.status),
        "type": None if job.type is None else str(job.type),
    }
    if job.certainty is not None:
        known["certainty"] = str(job.certainty)
    if job.data is not None:
        known |= {name: getattr(job.data, name) for name in _COUNTS}
        known["duration_ms"] = job.data.duration
        known["created_ts"] = job.data.created_ts
    return known


def ended(job: Job) -> dict[str, Any]:
    """Return what says that a Job has ended as it was to end."""
    payload = {
        "status": SUCCESS,
        "message": f"Job {job.id} of Pipeline {job.pipeline_id} ended {job.status}",
        "pipeline_id": job.pipeline_id,
        "job_id": job.id,
        "job": summary(job),
        "ended": True,
    }
    if job.status == JobStatus.COMPLETED_WITH_FAILURES:
        payload["completed_with_failures"] = True
    return payload


async def failed(error: HevoError, pipeline_id: int) -> dict[str, Any]:
    """Return what says why a wait has ended without that."""
    if isinstance(error, JobDidNotSucceed):
        objects = await _failed_objects(error.job)
        message = f"{error.message}; {objects}" if objects else str(error)
        return {**failure(error, message, pipeline_id, error.job), "ended": True}
    job = error.job if isinstance(error, JobTimeout) else None
    return failure(error, str(error), pipeline_id, job)


def failure(
    error: Exception, message: str, pipeline_id: int, job: Job | None = None
) -> dict[str, Any]:
    """Return the event of a wait that ended in an error; the Job may be running still."""
    return {
        "status": ERROR,
        "message": message,
        "pipeline_id": pipeline_id,
        "job_id": None if job is None else job.id,
        "job": None if job is None else summary(job),
        "error": type(error).__name__,
        "ended": False,
    }


async def _failed_objects(job: Job) -> str:
    """Name the objects that failed; one page is read, and trouble with that is no news."""
    names: list[str] = []
    seen = 0
    try:
        async for row in job.list_objects():
            seen += 1
            if row.has_failed:
                names.append(f"{row.object_name or 'an object without a name'} ({row.status})")
            if seen == _PAGE:
                break
    except HevoError:
        return ""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"failed objects: {', '.join(names[:_NAMED])}{more}"


def checked(event: Any) -> dict[str, Any]:
    """Return an event that says how a wait ended.

    Raises:
        AirflowException: for None, and for whatever else is none: a task must not pass for done.
    """
    if isinstance(event, dict):
        status = event.get("status")
        if status == ERROR or (status == SUCCESS and event.get("job_id")):
            return event
    raise AirflowException(
        f"the triggerer sent no outcome but {event!r}; whether the Job ended is not known"
    )
