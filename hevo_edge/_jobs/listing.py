"""Reading a Pipeline's jobs list, whose order is documented nowhere.

Newest first is likely; the other way works too, at the price of reading to the end once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from hevo_edge._common.pagination import Fetch, next_cursor
from hevo_edge.enums import PUT_ASIDE_STATUSES, RUNNING_STATUSES
from hevo_edge.models import JobData


def runs_newest_first(jobs: list[JobData]) -> bool:
    """Tell the list's order from its rows; newest first where they do not say."""
    stamps = [job.created_ts for job in jobs if job.created_ts is not None]
    return len(stamps) < 2 or stamps[0] >= stamps[-1]  # noqa: PLR2004


def newest_first(jobs: list[JobData]) -> list[JobData]:
    """Sort by creation; rows without a time keep the place the server gave them."""
    ordered = jobs if runs_newest_first(jobs) else jobs[::-1]
    if any(job.created_ts is None for job in ordered):
        return ordered
    return sorted(ordered, key=lambda job: job.created_ts or 0, reverse=True)


async def jobs_newest_first(fetch: Fetch[JobData]) -> AsyncIterator[JobData]:
    """Yield all Jobs, newest first, page by page where the list's order allows."""
    cursor: str | None = None
    kept: list[JobData] = []
    while True:
        page = await fetch(cursor)
        cursor = next_cursor(page, cursor)
        kept.extend(page.data)
        if cursor is None or runs_newest_first(page.data):
            for job in newest_first(kept):
                yield job
            kept = []
        if cursor is None:
            return


@dataclass(frozen=True)
class Reading:
    """The newest rows of a jobs list, newest first.

    ``tail`` is the cursor of the last page of a list that runs oldest first: news comes there.
    """

    jobs: list[JobData]
    tail: str | None = None


async def read_newest(
    fetch: Fetch[JobData], is_enough: Callable[[JobData], bool], tail: str | None = None
) -> Reading:
    """Read the newest rows, until one of them ``is_enough``, or to the end.

    Args:
        fetch: Fetches a page.
        is_enough: Says of a row that older rows are not needed.
        tail: The ``tail`` of an earlier reading.
    """
    cursor, kept = tail, list[JobData]()
    while True:
        page = await fetch(cursor)
        kept.extend(page.data)
        following = next_cursor(page, cursor)
        if following is None:
            oldest_first = tail is not None or not runs_newest_first(kept)
            return Reading(newest_first(kept), cursor if oldest_first else None)
        if tail is None and runs_newest_first(kept) and any(map(is_enough, page.data)):
            return Reading(newest_first(kept))
        cursor = following


def is_real_run(job: JobData) -> bool:
    """Say whether nothing older than this Job can run: a Pipeline runs one Job at a time."""
    return job.status not in PUT_ASIDE_STATUSES


def running_job(jobs: Iterable[JobData], *, surely: bool = False) -> JobData | None:
    """Return the Job that runs, of rows newest first.

    Args:
        jobs: The rows, newest first.
        surely: Leave out Jobs of an unknown status.
    """
    for job in jobs:
        if job.status in RUNNING_STATUSES or not (job.is_terminal or surely):
            return job
        if is_real_run(job):
            return None
    return None
