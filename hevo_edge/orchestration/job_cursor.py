"""Tells of every run of a Pipeline that has ended, once, whoever started it.

The API has no such list: what has ended since is told by which Jobs were known before, and which of
them ran. A cursor keeps that, as plain JSON::

    found = await ended_jobs(hevo.pipeline(123), cursor)     # None the first time: tells of nothing
    for job in found.jobs: ...
    cursor = found.cursor                                    # store it when that is done
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from hevo_edge._common import validation
from hevo_edge._jobs.listing import Reading, is_real_run, read_newest
from hevo_edge._jobs.watermark import KNOWN_IDS
from hevo_edge._text.logger import get_logger
from hevo_edge.enums import JobStatus
from hevo_edge.errors import ApiError, ConfigurationError, NotFound, RequestError
from hevo_edge.job import Job
from hevo_edge.models import JobData
from hevo_edge.pipeline import Pipeline

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EndedJobs", "JobCursor", "ended_jobs"]

log: logging.Logger = get_logger("hevo_edge.orchestration")

_MAX_UNLISTED = 3
"""How many Jobs that run, but are not among the rows that were read, are polled by themselves.
A Pipeline runs one Job at a time, so older rows without an end will have none."""


@dataclass(frozen=True)
class JobCursor:
    """Which Jobs of a Pipeline are known, and which of these had not ended.

    What is new is told by ids and by the list's order, never by a clock.

    Attributes:
        known: The newest ids, newest first in the list's own order.
        running: The ids of those that had not ended.
        is_whole: Whether ``known`` were all that there were: then any other row is new.
        newest_ts: When the newest known Job was created, in ms since 1970 by Hevo's clock.
        tail: Where new rows appear in a list that runs oldest first; the API's own cursor.
    """

    known: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    is_whole: bool = False
    newest_ts: int | None = None
    tail: str | None = None

    def has_ended(self, job_id: str) -> bool:
        """Say whether a Job is known to have ended, so that it was told already."""
        return job_id in self.known and job_id not in self.running

    def shortened(self, ids: int = 20) -> JobCursor:
        """Return one that knows fewer of the newest ids, for stores that keep each version.

        Hevo may remove so many Jobs before it tells what is new by the time of creation.
        """
        if len(self.known) <= ids:
            return self
        return replace(self, known=self.known[:ids], is_whole=False)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, at most some 10 KB of them."""
        return {
            "known": list(self.known),
            "running": list(self.running),
            "is_whole": self.is_whole,
            "newest_ts": self.newest_ts,
            "tail": self.tail,
        }

    @classmethod
    def from_dict(cls, stored: Any) -> Self:
        """Read what ``to_dict`` has made; more keys do no harm.

        Raises:
            ConfigurationError: for anything else.
        """
        if isinstance(stored, Mapping):
            known, running = stored.get("known"), stored.get("running")
            whole, newest, tail = (stored.get(key) for key in ("is_whole", "newest_ts", "tail"))
            ids_fit = _are_ids(known) and _are_ids(running)
            fits = isinstance(newest, (int, NoneType)) and isinstance(tail, (str, NoneType))
            if isinstance(whole, bool) and ids_fit and fits:
                return cls(tuple(known or ()), tuple(running or ()), whole, newest, tail)
        raise ConfigurationError(f"this is no cursor of ended Jobs: {stored!r}")


@dataclass(frozen=True)
class EndedJobs:
    """What a poll has found.

    Attributes:
        jobs: The Jobs that have ended since the cursor, however they ended, the first to end first;
            SKIPPED rows are no runs.
        cursor: From where to go on.
    """

    jobs: tuple[Job[JobData], ...]
    cursor: JobCursor


async def ended_jobs(
    pipeline: Pipeline,
    cursor: JobCursor | Mapping[str, Any] | None = None,
    *,
    ended_since: datetime | None = None,
) -> EndedJobs:
    """Poll a Pipeline once: return which runs have ended since, each once, and the next cursor.

    It takes one call, a list; and one for each Job that runs, but is not among the newest hundred
    rows any more. After a long time without a poll it takes one for each hundred rows since.

    Args:
        pipeline: The Pipeline.
        cursor: Where the last poll has ended, also as ``JobCursor.to_dict`` has given it; None for
            the first poll, which tells of no Job that ended before it.
        ended_since: In the first poll, tell also of Jobs that ended at this time or later, by
            Hevo's clock.

    Raises:
        ConfigurationError: for wrong options, before any request.
        RequestError: when the list cannot be read; the cursor stays as it is.
    """
    if cursor is not None and not isinstance(cursor, JobCursor):
        cursor = JobCursor.from_dict(cursor)
    since = validation.parse_timestamp(ended_since, "ended_since")
    (found,) = await ended_jobs_for(pipeline, [Start(cursor, since)])
    return found


@dataclass(frozen=True)
class Start:
    """From where a subscriber is told.

    Attributes:
        cursor: Where its last poll has ended; None for the first.
        ended_since: In the first, tell of Jobs that ended then or later; in ms since 1970.
    """

    cursor: JobCursor | None
    ended_since: int | None = None

    def needs_no_older(self, job: JobData) -> bool:
        """Say of a row whether those further down are not needed."""
        if self.cursor is not None:
            return job.job_id in self.cursor.known
        # A Pipeline runs one Job at a time: under a run there is none that runs.
        return is_real_run(job) and not self.counts(job)

    def counts(self, job: JobData) -> bool:
        """Say whether a Job that had ended at the first poll is told nevertheless."""
        if self.ended_since is None or job.ended_ts is None:
            return False
        return job.ended_ts >= self.ended_since


async def ended_jobs_for(pipeline: Pipeline, starts: Sequence[Start]) -> list[EndedJobs]:
    """Poll a Pipeline once for several subscribers; one result for each.

    Raises:
        RequestError: when the list cannot be read.
    """
    reading = await _read(pipeline, starts)
    listed = {row.job_id for row in reading.rows}
    unlisted = dict.fromkeys(
        job_id
        for start in starts
        if start.cursor is not None
        for job_id in _ordered(start.cursor.running, start.cursor.known)
        if job_id not in listed
    )
    polled = await _poll_unlisted(pipeline, list(unlisted)[:_MAX_UNLISTED])
    return [_advance(pipeline, start, reading, polled) for start in starts]


async def _read(pipeline: Pipeline, starts: Sequence[Start]) -> Reading:
    """Read the newest rows, as many as the subscriber that is furthest behind needs."""
    left = list(starts)

    def is_enough(job: JobData) -> bool:
        left[:] = [start for start in left if not start.needs_no_older(job)]
        return not left

    pages = pipeline._core.pages(pipeline.id)  # noqa: SLF001 -- as Pipeline's own verbs do
    tails = {start.cursor.tail if start.cursor is not None else None for start in starts}
    tail = tails.pop() if len(tails) == 1 else None
    try:
        return await read_newest(pages, is_enough, tail)
    except ApiError as error:
        if tail is None or error.transient:
            raise
        return await read_newest(pages, is_enough)  # a cursor of the API may expire


async def _poll_unlisted(pipeline: Pipeline, job_ids: Iterable[str]) -> dict[str, JobData | None]:
    """Poll Jobs one by one; None for one that is gone, nothing for one that cannot be read now."""
    polled: dict[str, JobData | None] = {}
    for job_id in job_ids:
        try:
            polled[job_id] = (await pipeline.job(job_id).refresh()).data
        except NotFound:
            polled[job_id] = None
        except RequestError as error:
            log.debug("Job %s of Pipeline %s cannot be read: %s", job_id, pipeline.id, error)
    return polled


def _advance(
    pipeline: Pipeline, start: Start, reading: Reading, polled: Mapping[str, JobData | None]
) -> EndedJobs:
    cursor = start.cursor
    rows = list({row.job_id: row for row in reading.rows}.values())
    if cursor is None:
        ended = [row for row in rows if row.is_terminal and start.counts(row)]
        running = [row.job_id for row in rows if not row.is_terminal]
    else:
        listed = {row.job_id for row in rows}
        unlisted = [i for i in _ordered(cursor.running, cursor.known) if i not in listed]
        snapshots = [polled.get(job_id) for job_id in unlisted]
        followed = [row for row in rows if row.job_id in cursor.running]
        followed += [row for row in snapshots if row is not None]
        current = [*_new_rows(cursor, rows), *followed]
        ended = [row for row in current if row.is_terminal]
        unread = [job_id for job_id in unlisted[:_MAX_UNLISTED] if job_id not in polled]
        running = [row.job_id for row in current if not row.is_terminal] + unread
    before = JobCursor(is_whole=reading.is_whole) if cursor is None else cursor
    told = [row for row in reversed(ended) if row.status != JobStatus.SKIPPED]
    told.sort(key=lambda row: row.ended_ts or row.created_ts or 0)
    as_job = pipeline._job  # noqa: SLF001 -- as Pipeline's own verbs do
    return EndedJobs(tuple(map(as_job, told)), _next(before, rows, running, reading.tail))


def _next(
    before: JobCursor, rows: list[JobData], running: list[str], tail: str | None
) -> JobCursor:
    # A node of Hevo that lags behind may leave out a row which another one has shown.
    known = tuple(dict.fromkeys([*(row.job_id for row in rows), *before.known]))
    stamps = [row.created_ts for row in rows if row.created_ts is not None]
    known_stamps = [] if before.newest_ts is None else [before.newest_ts]
    return replace(
        before,
        known=known[:KNOWN_IDS],
        running=tuple(dict.fromkeys(running)),
        is_whole=before.is_whole and len(known) <= KNOWN_IDS,
        newest_ts=max([*stamps, *known_stamps], default=None),
        tail=tail,
    )


def _new_rows(cursor: JobCursor, rows: list[JobData]) -> list[JobData]:
    """Return the rows that the last poll did not see; what stands below all known ones is older."""
    known = set(cursor.known)
    places = [place for place, row in enumerate(rows) if row.job_id in known]
    if places and not cursor.is_whole:
        rows = rows[: places[-1]]
    elif known and not places and cursor.newest_ts is not None:
        # Another history: Hevo has removed the old one, or it is another account by now.
        rows = [row for row in rows if (row.created_ts or 0) > (cursor.newest_ts or 0)]
    return [row for row in rows if row.job_id not in known]


def _ordered(running: Collection[str], known: Sequence[str]) -> list[str]:
    """Return ids newest first, those that have been forgotten last."""
    places = {job_id: place for place, job_id in enumerate(known)}
    return sorted(running, key=lambda job_id: places.get(job_id, len(places)))


def _are_ids(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
