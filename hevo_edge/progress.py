"""A line on stderr for each change of an awaited Job: for notebooks and scripts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hevo_edge.job import Job


def show(job: Job) -> None:
    """Print one line that says how far the Job is."""
    data = job.data
    if data is None:
        return
    seconds = data.duration_seconds
    took = "" if seconds is None else f" after {duration(seconds)}"
    loaded = "" if data.events_loaded is None else f", {data.events_loaded:,} events loaded"
    failed = f", {data.events_failed:,} failed" if data.events_failed else ""
    name = f"Pipeline {job.pipeline_id} {data.type} Job {job.id}"
    sys.stderr.write(f"{name}: {data.status}{took}{loaded}{failed}\n")


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45s``, ``3m05s``, ``2h00m``."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
