"""Rows of a jobs list, and pages of them, in the order given."""

from __future__ import annotations

from hevo_edge._common.pagination import Fetch
from hevo_edge.models import JobData, Page


def job(number: int, status: str = "COMPLETED", created: int | None = -1) -> JobData:
    stamp = number * 1000 if created == -1 else created
    return JobData(job_id=str(number), status=status, created_ts=stamp, type="INCREMENTAL")


def pages_of(jobs: list[JobData], size: int) -> tuple[Fetch[JobData], list[str | None]]:
    """Return a fetch over the rows in the order given, and the log of its cursors."""
    asked: list[str | None] = []

    async def fetch(cursor: str | None) -> Page[JobData]:
        asked.append(cursor)
        start = int(cursor or 0)
        more = start + size < len(jobs)
        return Page(
            data=jobs[start : start + size],
            has_more=more,
            next_cursor=str(start + size) if more else None,
        )

    return fetch, asked


def ids(jobs: list[JobData]) -> list[int]:
    return [int(row.job_id) for row in jobs]
