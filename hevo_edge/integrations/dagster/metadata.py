"""What is known of a Job and its tables, as Dagster's metadata in a namespace of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from hevo_edge.models import JobObjectData

_TIMES = {"created_ts": "started_at", "ended_ts": "ended_at"}
_LEFT_OUT = {"ref", "duration_ms", *_TIMES}


def metadata_of(
    job: Mapping[str, Any] | None, url: str | None, row: JobObjectData | None = None
) -> dict[str, Any]:
    """Return the metadata of a materialization.

    Args:
        job: The Job, as ``orchestration.summary`` tells of it.
        url: The Pipeline's page, if it is known.
        row: What the Job did with the table.
    """
    known: dict[str, Any] = {} if url is None else {"hevo/url": dg.MetadataValue.url(url)}
    for name, value in (job or {}).items():
        if value is not None and name not in _LEFT_OUT:
            known[f"hevo/{name}"] = value
    if job is not None:
        for name, ours in _TIMES.items():
            if job.get(name) is not None:
                known[f"hevo/{ours}"] = dg.MetadataValue.timestamp(job[name] / 1000)
        if job.get("duration_ms") is not None:
            known["hevo/duration_seconds"] = job["duration_ms"] / 1000
    if row is not None:
        table = {
            "table_status": row.status,
            "rows_processed": row.rows_processed,
            "rows_failed": row.rows_failed,
        }
        known |= {f"hevo/{name}": value for name, value in table.items() if value is not None}
    return known
