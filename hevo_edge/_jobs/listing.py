"""Reading a Pipeline's jobs list, whose order is documented nowhere.

Newest first is likely; the other way works too, at the price of reading to the end once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from hevo_edge.enums import PUT_ASIDE_STATUSES, RUNNING_STATUSES, JobStatus
from hevo_edge.errors import ApiError, UnexpectedResponse
from hevo_edge.models import JobData, Page

T = TypeVar("T")
Fetch = Callable[[str | None], Awaitable[Page[T]]]
"""Fetches the page at a cursor; None for the first."""

_CURSOR_REFUSED = frozenset({400, 404, 410, 422})
KNOWN_IDS = 200
"""How many of the newest job ids a watermark remembers."""


def next_cursor(page: Page[T], cursor: str | None) -> str | None:
    """Return the cursor of the page after this one; None after the last.

    Raises:
        UnexpectedResponse: when more rows are announced and there is no way to them.
    """
    more = bool(page.next_cursor) if page.has_more is None else page.has_more
    if not more:
        return None
    if not page.next_cursor or page.next_cursor == cursor:
        raise UnexpectedResponse(
            "a list says that it has more rows, but gives no cursor that leads to them"
        )
    return page.next_cursor


async def rows(fetch: Fetch[T]) -> AsyncIterator[T]:
    """Yield the rows of all pages, in the server's order."""
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        for row in page.data:
            yield row
        cursor = next_cursor(page, cursor)
        if cursor is None:
            return


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


def tells_what_runs(job: JobData) -> bool:
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
        if tells_what_runs(job):
            return None
    return None


class Watermark(BaseModel):
    """What was in the list at a moment, to tell what is new since.

    Attributes:
        known_job_ids: The newest ids.
        read_at: The moment by Hevo's clock (its Date header), in seconds since 1970.
        newest_ts: The ``created_ts`` in ms of the newest real run.
        tail: See ``Reading``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    known_job_ids: tuple[str, ...] = ()
    read_at: float | None = None
    newest_ts: int | None = None
    tail: str | None = None

    @classmethod
    def of(cls, reading: Reading, read_at: float | None) -> Watermark:
        """Set it at a reading that was taken at ``read_at`` by Hevo's clock."""
        stamps = [
            job.created_ts
            for job in reading.jobs
            if job.created_ts is not None and tells_what_runs(job)
        ]
        return cls(
            known_job_ids=tuple(job.job_id for job in reading.jobs[:KNOWN_IDS]),
            read_at=read_at,
            newest_ts=max(stamps, default=None),
            tail=reading.tail,
        )

    def is_news(self, job: JobData) -> bool:
        """Say whether a run was not in the list at that moment; a SKIPPED row is no run.

        Two clocks are not compared: the newest run that was there and this one go by the same.
        """
        if job.job_id in self.known_job_ids or job.status == JobStatus.SKIPPED:
            return False
        if job.created_ts is None or self.newest_ts is None:
            return True
        return job.created_ts >= self.newest_ts

    async def news(self, fetch: Fetch[JobData]) -> list[JobData]:
        """Read the list and return the runs that were not in it, oldest first."""
        known = set(self.known_job_ids)

        def is_known(job: JobData) -> bool:
            return job.job_id in known

        try:
            reading = await read_newest(fetch, is_known, self.tail)
        except ApiError as error:
            if self.tail is None or error.status not in _CURSOR_REFUSED:
                raise
            # A cursor may not live for ever.
            reading = await read_newest(fetch, is_known)
        return [job for job in reversed(reading.jobs) if self.is_news(job)]
