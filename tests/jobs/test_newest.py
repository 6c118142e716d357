"""The newest Jobs, exactly, whatever a list is sorted by."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._jobs.newest import newest_jobs
from hevo_edge.models import JobData
from tests.jobs.support import ids, job, pages_of

ORDERS = {
    "newest_first": lambda row: -row.created_ts,
    "oldest_first": lambda row: row.created_ts,
    "last_updated_first": lambda row: (-row.updated_ts, -row.created_ts),
}


@st.composite
def lists(draw: st.DrawFn) -> list[JobData]:
    """Jobs of different times of creation, each changed then or later."""
    created = draw(st.lists(st.integers(0, 500), unique=True, max_size=60))
    later = st.integers(0, 60)
    return [
        JobData(job_id=str(stamp), created_ts=stamp, updated_ts=stamp + draw(later))
        for stamp in created
    ]


@given(
    lists(),
    st.sampled_from(list(ORDERS)),
    st.integers(2, 20),
    st.none() | st.integers(1, 30),
    st.none() | st.integers(0, 500),
)
def test_exactly_the_newest_whatever_the_order(
    drawn: list[JobData], order: str, size: int, limit: int | None, since: int | None
) -> None:
    fetch, _ = pages_of(sorted(drawn, key=ORDERS[order]), size)
    found = asyncio.run(newest_jobs(fetch, limit=limit, since=since))
    wanted = sorted((int(row.job_id) for row in drawn), reverse=True)
    assert ids(found) == [each for each in wanted if each >= (since or 0)][:limit]


@pytest.mark.parametrize(
    ("limit", "since", "pages"),
    [(50, None, 1), (99, None, 1), (100, None, 2), (None, 951_000, 1), (None, 850_000, 2)],
)
async def test_no_more_pages_than_needed(limit: int | None, since: int | None, pages: int) -> None:
    """Of Jobs that run one after another, each changed last when it ended."""
    rows = [
        JobData(job_id=str(n), created_ts=n * 1000, updated_ts=n * 1000 + 900)
        for n in range(1000, 0, -1)
    ]
    fetch, asked = pages_of(rows, 100)
    found = await newest_jobs(fetch, limit=limit, since=since)
    assert len(found) == (limit or 1001 - (since or 0) // 1000)
    assert len(asked) == pages


async def test_rows_that_shift_between_pages_count_once() -> None:
    rows = [job(n) for n in (9, 8, 7, 7, 6, 5)]
    fetch, _ = pages_of(rows, 3)
    assert ids(await newest_jobs(fetch, limit=4, since=None)) == [9, 8, 7, 6]


async def test_rows_without_a_time() -> None:
    rows = [job(n, created=None) for n in range(9, 0, -1)]
    fetch, asked = pages_of(rows, 3)
    assert ids(await newest_jobs(fetch, limit=2, since=None)) == [9, 8]
    assert asked == [None]
    fetch, _ = pages_of([job(3), job(2, created=None), job(1)], 3)
    assert ids(await newest_jobs(fetch, limit=None, since=1000)) == [3, 1]
