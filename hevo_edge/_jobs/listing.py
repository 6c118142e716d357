"""Reading a Pipeline's jobs list, whose order is documented nowhere.

Newest first is likely; oldest first works too, but the list must be read to its end once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from hevo_edge._common.pagination import Fetch, Paging
from hevo_edge.enums import PUT_ASIDE_STATUSES, RUNNING_STATUSES, same_job_type
from hevo_edge.models import JobData

MAX_READ_PAGES = 500
"""How many pages are read for the newest rows, at most: at a hundred calls a minute, for five
minutes. A trigger holds its Pipeline's lock meanwhile."""
MAX_READ_ROWS = 100_000
"""How many rows are read for the newest ones, at most: they are kept until the newest is known."""
_DAY_MS = 24 * 3600 * 1000
"""Clocks of two nodes are never further apart than this (milliseconds), it is assumed."""


def runs_newest_first(jobs: list[JobData]) -> bool:
    """Say whether the list runs newest first, judged by its rows; True if they do not show it.

    Judged by the majority of neighbours: one row may have the time of a clock that is wrong.
    """
    stamps = [job.created_ts for job in jobs if job.created_ts is not None]
    rising = sum(above < below for above, below in pairwise(stamps))
    falling = sum(above > below for above, below in pairwise(stamps))
    return rising <= falling


def newest_first(jobs: list[JobData]) -> list[JobData]:
    """Sort by creation; if a row has no time, keep the server's order."""
    return by_creation(jobs if runs_newest_first(jobs) else jobs[::-1])


def by_creation(ordered: list[JobData]) -> list[JobData]:
    """Sort rows that come newest first by their creation; if one has no time, keep their order."""
    if any(job.created_ts is None for job in ordered):
        return ordered
    return sorted(ordered, key=lambda job: job.created_ts or 0, reverse=True)


async def jobs_newest_first(fetch: Fetch[JobData]) -> AsyncIterator[JobData]:
    """Yield all Jobs, newest first, page by page where the list's order allows."""
    paging = Paging(fetch)
    unsorted: list[JobData] = []
    while True:
        page = await paging.next()
        unsorted.extend(page.data)
        if paging.following is None or runs_newest_first(page.data):
            for job in newest_first(unsorted):
                yield job
            unsorted = []
        if paging.following is None:
            return


@dataclass(frozen=True)
class Reading:
    """The newest rows of a jobs list.

    Attributes:
        rows: The rows in the list's own order, turned so that the newest come first.
        is_whole: Whether these are all rows of the list.
        tail: The cursor of the last page of a list that runs oldest first: new rows appear there.
    """

    rows: list[JobData]
    is_whole: bool = False
    tail: str | None = None

    @property
    def jobs(self) -> list[JobData]:
        """The rows by their creation, newest first."""
        return by_creation(self.rows)


async def read_newest(
    fetch: Fetch[JobData], is_enough: Callable[[JobData], bool], tail: str | None = None
) -> Reading:
    """Read the newest rows, until one of them ``is_enough``, or to the end.

    Args:
        fetch: Fetches a page.
        is_enough: Says of a row that older rows are not needed.
        tail: The ``tail`` of an earlier reading.

    Raises:
        UnexpectedResponse: when there are too many rows.
    """
    paging = Paging(fetch, tail, max_pages=MAX_READ_PAGES, max_rows=MAX_READ_ROWS)
    unsorted: list[JobData] = []
    while True:
        page = await paging.next()
        unsorted.extend(page.data)
        if paging.following is None:
            if tail is not None or not runs_newest_first(unsorted):
                return Reading(unsorted[::-1], is_whole=tail is None, tail=paging.cursor)
            return Reading(unsorted, is_whole=True)
        if tail is None and runs_newest_first(unsorted) and any(map(is_enough, page.data)):
            return Reading(unsorted)


def is_of_type(job: JobData, job_type: str | None) -> bool:
    """Say whether a Job is of a type; with None, every Job is."""
    return job_type is None or same_job_type(job_type, job.type)


def is_real_run(job: JobData) -> bool:
    """Say whether a row is a run, so that no older Job can run: a Pipeline runs one at a time."""
    return job.status not in PUT_ASIDE_STATUSES


def running_job(jobs: Iterable[JobData], *, known_only: bool = False) -> JobData | None:
    """Return the Job that runs, of rows newest first.

    Args:
        jobs: The rows, newest first.
        known_only: Leave out Jobs of an unknown status.
    """
    for job in jobs:
        if job.status in RUNNING_STATUSES or not (job.is_terminal or known_only):
            return job
        if is_real_run(job):
            return None
    return None


def any_running_job(jobs: list[JobData]) -> JobData | None:
    """Return a Job that may run, of rows newest first: also one under a run that has ended.

    That one may have the time of a clock that is ahead. A row of another day that never ended does
    not count.
    """
    newest = max((job.created_ts for job in jobs if job.created_ts is not None), default=0)
    recent = (job for job in jobs if (job.created_ts or newest) > newest - _DAY_MS)
    return running_job(jobs) or next(
        (job for job in recent if job.status in RUNNING_STATUSES), None
    )
