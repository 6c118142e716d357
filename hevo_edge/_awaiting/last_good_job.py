"""The last Job of a Pipeline that ended well, if that was not long ago by Hevo's clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from hevo_edge._awaiting.next_job import JobFilter
from hevo_edge._jobs.listing import read_newest
from hevo_edge.models import JobData, Page

MOST_LOOKED_AT = 5
"""How many Jobs that may be of some objects only are looked into."""
TimedPage = tuple[Page[JobData], float]
"""A page, and when it was read by Hevo's clock, in seconds since 1970."""


async def last_good_job(
    fetch: Callable[[str | None], Awaitable[TimedPage]],
    within: float,
    accepts: Callable[[str], bool],
    is_whole: Callable[[JobData], Awaitable[bool]],
) -> JobData | None:
    """Return the newest run that ended well within so many seconds; None when none did.

    Args:
        fetch: Fetches a page.
        within: Seconds before the first page was read.
        accepts: Says whether a status is a good end.
        is_whole: Says whether a Job is of all objects; asked of the newest few.
    """
    job_filter = JobFilter(None, accepts)

    async def page(cursor: str | None) -> Page[JobData]:
        nonlocal job_filter
        read, at = await fetch(cursor)
        if job_filter.ended_since is None:
            job_filter = replace(job_filter, ended_since=int((at - within) * 1000))
        return read

    def is_too_old(job: JobData) -> bool:
        return job_filter.is_too_old(job)

    reading = await read_newest(page, is_too_old)
    jobs = reading.jobs
    for _ in range(MOST_LOOKED_AT):
        found = job_filter.select(jobs)
        if found is None or not accepts(found.status):
            return None
        if await is_whole(found):
            return found
        jobs = [each for each in jobs if each.job_id != found.job_id]
    return None
