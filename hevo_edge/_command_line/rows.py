"""How Pipelines, Jobs and objects are shown: as a row of a table, and as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from hevo_edge import Job, Pipeline
from hevo_edge._text.printable import short
from hevo_edge._text.tables import Column
from hevo_edge.models import JobData, JobObjectData, ObjectData

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

JOBS: Sequence[Column] = (
    Column("JOB"),
    Column("STATUS"),
    Column("TYPE", 5),
    Column("STARTED", 1),
    Column("TOOK", 2),
    Column("LOADED", 3),
    Column("FAILED", 4),
)
PIPELINES: Sequence[Column] = (
    Column("PIPELINE"),
    Column("NAME", may_shrink=True),
    Column("STATUS", 2),
    Column("LAST JOB", 3),
    Column("OUTCOME"),
    Column("ENDED", 1),
    Column("RUNS"),
)
# Commands take an object's name as they do its id, so none is cut.
OBJECTS: Sequence[Column] = (
    Column("OBJECT"),
    Column("STATUS", 1),
    Column("REPLICATION", 3),
    Column("ID", 2),
)
JOB_OBJECTS: Sequence[Column] = (
    Column("OBJECT"),
    Column("STATUS"),
    Column("PROCESSED", 1),
    Column("FAILED"),
)


def job_row(job: Job) -> dict[str, Any]:
    """Return a Job as a JSON object: times in ISO 8601, durations in seconds."""
    data = job.data
    row: dict[str, Any] = {
        "ref": job.ref,
        "pipeline_id": job.pipeline_id,
        "job_id": job.id,
        "status": _word(job.status),
        "type": _word(job.type),
        "certainty": _word(job.certainty),
    }
    if data is not None:
        row |= {
            "created": iso(data.created_ts),
            "ended": iso(data.ended_ts),
            "duration_seconds": data.duration_seconds,
            "events_ingested": data.events_ingested,
            "events_loaded": data.events_loaded,
            "events_failed": data.events_failed,
            "objects_success": data.objects_success,
            "objects_failed": data.objects_failed,
        }
    return row


def job_texts(job: Job) -> list[str]:
    """Return a Job as the cells of ``JOBS``."""
    data = job.data
    if data is None:
        return [short(job.ref), *[""] * (len(JOBS) - 1)]
    return [
        short(job.ref),
        short(data.status),
        short(data.type),
        ago(data.created_ts),
        took(data),
        _number(data.events_loaded),
        _number(data.events_failed),
    ]


def job_line(job: Job) -> str:
    """Return a Job in a line: ref, status, how long it took, what it loaded."""
    data = job.data
    if data is None:
        return short(job.ref)
    after = f" after {took(data)}" if took(data) else ""
    loaded = "" if data.events_loaded is None else f", {data.events_loaded:,} events loaded"
    failed = f", {data.events_failed:,} failed" if data.events_failed else ""
    return f"{short(job.ref)} {short(data.status)}{after}{loaded}{failed}"


def pipeline_row(pipeline: Pipeline, last: Job | None, running: Job | None) -> dict[str, Any]:
    """Return a Pipeline as a JSON object, with its last real run and the Job that runs."""
    return {
        "pipeline_id": pipeline.id,
        "name": pipeline.name,
        "status": _word(pipeline.status),
        "last_job": None if last is None else job_row(last),
        "running_job": None if running is None else job_row(running),
    }


def pipeline_texts(pipeline: Pipeline, last: Job | None, running: Job | None) -> list[str]:
    """Return a Pipeline as the cells of ``PIPELINES``."""
    ended = None if last is None or last.data is None else last.data.ended_ts
    return [
        str(pipeline.id),
        short(pipeline.name or ""),
        short(pipeline.status or ""),
        "" if last is None else short(last.type or ""),
        "never ran" if last is None else short(last.status or ""),
        ago(ended),
        "" if running is None else _runs(running),
    ]


def object_row(data: ObjectData) -> dict[str, Any]:
    """Return an object as a JSON object."""
    return {
        "object_id": data.object_id,
        "name": data.path,
        "status": data.status,
        "replication_status": data.replication_status,
    }


def object_texts(data: ObjectData) -> list[str]:
    """Return an object as the cells of ``OBJECTS``."""
    texts = (data.path, data.status, data.replication_status, data.object_id)
    return [short(text or "") for text in texts]


def job_object_row(data: JobObjectData) -> dict[str, Any]:
    """Return what a Job did with an object as a JSON object."""
    return {
        "object_id": data.object_id,
        "name": data.object_name,
        "status": data.status,
        "has_failed": data.has_failed,
        "rows_processed": data.rows_processed,
        "rows_failed": data.rows_failed,
    }


def job_object_texts(data: JobObjectData) -> list[str]:
    """Return what a Job did with an object as the cells of ``JOB_OBJECTS``."""
    name, status = short(data.object_name or data.object_id or ""), short(data.status or "")
    return [name, status, _number(data.rows_processed), _number(data.rows_failed)]


def took(data: JobData) -> str:
    """Return how long a Job has run."""
    return "" if data.duration_seconds is None else span(data.duration_seconds)


def ago(since_epoch_ms: int | None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if since_epoch_ms is None:
        return ""
    now = datetime.now(timezone.utc).timestamp()
    seconds = max(0, round(now - since_epoch_ms / 1000))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


def span(seconds: float) -> str:
    """Return a duration in its two largest units."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"


def iso(since_epoch_ms: int | None) -> str | None:
    """Return a moment in ISO 8601, in UTC; None for one that is not known."""
    if since_epoch_ms is None:
        return None
    try:
        return datetime.fromtimestamp(since_epoch_ms / 1000, timezone.utc).isoformat()
    except (OverflowError, ValueError, OSError):
        return None


def _runs(running: Job) -> str:
    for_long = "" if running.data is None else took(running.data)
    return f"{short(running.type or '')} {for_long}".strip()


def _word(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
