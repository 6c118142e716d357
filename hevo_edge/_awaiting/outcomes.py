"""The error that a wait raises for a Job's final status, unless that status is accepted."""

from __future__ import annotations

from typing import Any

from hevo_edge._jobs.handle import JobHandle
from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import short
from hevo_edge.enums import DEFERRED_STATUSES, JobStatus
from hevo_edge.errors import (
    JobCancelled,
    JobCompletedWithFailures,
    JobDeferred,
    JobDidNotSucceed,
    JobFailed,
    JobSkipped,
)
from hevo_edge.models import JobData

_OUTCOMES: dict[str, tuple[type[JobDidNotSucceed], str]] = {
    JobStatus.FAILED: (JobFailed, "see Job.list_objects() for which objects failed"),
    JobStatus.COMPLETED_WITH_FAILURES: (
        JobCompletedWithFailures,
        "pass accept_completed_with_failures=True if that is good enough",
    ),
    JobStatus.CANCELLED: (JobCancelled, "somebody cancelled it"),
    JobStatus.SKIPPED: (JobSkipped, "another Job was running when its scheduled start came"),
    **{
        status: (
            JobDeferred,
            (
                "the source's rate limit was hit: what had been ingested is loaded, and the next "
                f'run goes on from there. Pass accept=("{status}",) if that is good enough'
            ),
        )
        for status in DEFERRED_STATUSES
    },
}


def outcome_error(job: JobHandle, data: JobData, name: str) -> JobDidNotSucceed:
    """Return the error for a Job that ended as ``data`` shows, with its counts in the message."""
    kind, advice = _OUTCOMES.get(str(data.status), (JobDidNotSucceed, "see its page in Hevo"))
    counts = [
        f"{value:,} {what if value != 1 else what.replace('s ', ' ')}"
        for value, what in (
            (data.events_loaded, "events loaded"),
            (data.events_failed, "events failed"),
            (data.objects_failed, "objects failed"),
        )
        if value is not None
    ]
    elapsed = ""
    if data.duration_seconds is not None:
        elapsed = f" after {format_duration(data.duration_seconds)}"
    message = f"{name} ended {short(data.status)}{elapsed}: {', '.join(counts) or 'no counts'}"
    resource: Any = job  # errors carry the resource, whose class is not known here
    return kind(message, job=resource, advice=advice)
