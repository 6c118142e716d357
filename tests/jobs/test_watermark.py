"""Which runs are new since a watermark."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge._common.pagination import Fetch
from hevo_edge._jobs.listing import (
    Reading,
    is_real_run,
    read_newest,
)
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.emulator import virtual_time
from hevo_edge.models import JobData
from tests.jobs.support import ids, job, pages_of


def test_which_runs_are_new() -> None:
    mark = Watermark(known_job_ids=("1",), server_time=100.0)
    assert not mark.is_new(job(1, created=200_000))
    assert not mark.is_new(job(2, "SKIPPED", created=200_000))
    assert mark.is_new(job(2, created=100_000))
    assert mark.is_new(job(2, "FAILED", created=200_000))
    # How old it is by another clock is not judged here.
    assert mark.is_new(job(2, created=1))
    assert mark.is_new(job(2, created=None))


def test_it_keeps_the_newest_ids_only() -> None:
    mark = Watermark.of(Reading([job(n) for n in range(1000, 0, -1)], is_whole=True), 5.0)
    assert len(mark.known_job_ids) == 200
    assert mark.known_job_ids[0] == "1000"
    assert not mark.is_whole
    assert Watermark.of(Reading([job(1)], is_whole=True), None).is_whole


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("size", [5, 10])
async def test_what_the_list_shows_below_all_known_rows_is_old(size: int, order: str) -> None:
    """After a cursor has died, a list that runs oldest first is read from its beginning."""
    listed = [job(n) for n in range(1, 31)]
    fetch, _ = pages_of(listed if order == "oldest" else listed[::-1], size)
    mark = Watermark(known_job_ids=("28", "27", "26"))
    assert ids(await mark.new_jobs(fetch, thorough=True)) == [29, 30]


@pytest.mark.parametrize("wrong", [1e9, -1e9, 3_600_000, -3_600_000])
@pytest.mark.parametrize("size", [4, 10, 100])
@pytest.mark.parametrize("order", ["newest", "oldest", "created"])
@pytest.mark.parametrize("which", ["the new row", "a known row"])
async def test_no_clock_hides_a_new_row(size: int, order: str, which: str, wrong: float) -> None:
    """A row has the time of a node whose clock is wrong; the list may be sorted by that time."""
    minutes = 5 * 60
    listed = [job(n * minutes) for n in range(1, 31)]
    new = job(31 * minutes)
    odd = new if which == "the new row" else listed[-1]
    odd.__dict__["created_ts"] = round((odd.created_ts or 0) + wrong)

    def fetcher() -> Fetch[JobData]:
        rows = sorted(listed, key=lambda row: row.created_ts or 0) if order == "created" else listed
        return pages_of(rows if order == "oldest" else rows[::-1], size)[0]

    reading = await read_newest(fetcher(), is_real_run)
    mark = Watermark.of(reading, server_time=None)
    listed.append(new)
    found = await mark.new_jobs(fetcher(), thorough=True)
    if order == "created" and odd is new and wrong < 0 and not mark.is_whole:
        return  # it stands below all rows that were read
    assert found == [new]


@given(
    before=st.integers(0, 60),
    new=st.integers(0, 15),
    size=st.sampled_from([1, 2, 7, 100]),
    order=st.sampled_from(["newest", "oldest"]),
    skipped=st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_new_runs_are_found_whatever_the_order_and_the_paging(
    before: int, new: int, size: int, order: str, skipped: random.Random
) -> None:
    if size == 1 and order == "oldest":
        return  # one row a page shows no order
    listed = [job(n) for n in range(1, before + 1)]

    def arranged() -> list[JobData]:
        return listed if order == "oldest" else listed[::-1]

    def fetcher() -> Fetch[JobData]:
        return pages_of(arranged(), size)[0]

    async def main() -> None:
        reading = await read_newest(fetcher(), is_real_run)
        mark = Watermark.of(reading, server_time=before + 0.5 + 5)
        fresh = [
            job(n, "SKIPPED" if skipped.random() < 0.5 else "FAILED")
            for n in range(before + 1, before + new + 1)
        ]
        listed.extend(fresh)
        found = await mark.new_jobs(fetcher())
        assert found == [row for row in fresh if row.status != "SKIPPED"]

    virtual_time.run(main())
