"""A Pipeline and its newest Jobs: what ran last, and what runs."""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

from hevo_edge.enums import PUT_ASIDE_STATUSES, JobStatus
from hevo_edge.job import Job
from hevo_edge.pipeline import Pipeline

__all__ = ["Overview", "read_overview"]

RECENT = 50
"""How many of the newest Jobs are read for the last run, which may lie behind skipped ones."""


class Overview(NamedTuple):
    """A Pipeline and its newest Jobs.

    Attributes:
        pipeline: The Pipeline, read.
        newest: The newest row of its list, whatever it is.
        last: The last run that has ended, in whatever status but SKIPPED.
        running: The Job that runs.
    """

    pipeline: Pipeline
    newest: Job | None
    last: Job | None
    running: Job | None


async def read_overview(pipeline: Pipeline) -> Overview:
    """Read a Pipeline, if that was not done yet, and its newest Jobs."""
    if pipeline.data is None:
        await pipeline.refresh()
    newest = last = running = None
    async with aclosing(pipeline.list_jobs(limit=RECENT)) as jobs:
        async for job in jobs:
            newest = newest or job
            if job.status == JobStatus.SKIPPED:
                continue
            if not job.is_terminal:
                running = running or job
                continue
            last = last or job
            if job.status not in PUT_ASIDE_STATUSES:
                break  # a Pipeline runs one Job at a time
    return Overview(pipeline, newest, last, running)
