"""The newest Jobs of a Pipeline, exactly, of a list whose order is documented nowhere."""

from __future__ import annotations

from bisect import bisect_left, insort

from hevo_edge._common.pagination import Fetch
from hevo_edge._jobs.listing import read_newest
from hevo_edge.models import JobData


async def newest_jobs(
    fetch: Fetch[JobData], *, limit: int | None, since: int | None
) -> list[JobData]:
    """Return the newest Jobs by their creation, newest first, each once.

    Args:
        fetch: Fetches a page.
        limit: At most so many; None for no limit.
        since: Only those created then or later, in ms since 1970; one without a time is left out.

    Raises:
        UnexpectedResponse: when there are too many rows.
    """
    reading = await read_newest(fetch, _Enough(limit, since))
    # Rows shift between pages when others come.
    found = list({job.job_id: job for job in reversed(reading.jobs)}.values())[::-1]
    if since is not None:
        found = [job for job in found if job.created_ts is not None and job.created_ts >= since]
    return found[:limit]


class _Enough:
    """Says at which row of a list no row after it is needed; called with one after another.

    The list may run by creation or by the last change. In both, no row that is further down was
    created after the last change of this one.
    """

    def __init__(self, limit: int | None, since: int | None) -> None:
        self._limit, self._since = limit, since
        self._seen: set[str] = set()
        self._created: list[int] = []

    def __call__(self, job: JobData) -> bool:
        if job.job_id not in self._seen:
            self._seen.add(job.job_id)
            if job.created_ts is not None:
                insort(self._created, job.created_ts)
        known = [stamp for stamp in (job.created_ts, job.updated_ts) if stamp is not None]
        if not known:
            return self._limit is not None and len(self._seen) >= self._limit
        latest = max(known)
        if self._since is not None and latest < self._since:
            return True
        newer = len(self._created) - bisect_left(self._created, latest)
        return self._limit is not None and newer >= self._limit
