"""Which runs are new since a watermark."""

from __future__ import annotations

import random

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
from tests.jobs.support import job, pages_of


def test_which_runs_are_new() -> None:
    mark = Watermark(known_job_ids=("1",), server_time=100.0)
    assert not mark.is_new(job(1, created=200_000))
    assert not mark.is_new(job(2, "SKIPPED", created=200_000))
    assert mark.is_new(job(2, created=100_000))
    assert mark.is_new(job(2, "FAILED", created=200_000))
    # How old it is by another clock is not judged here.
    assert mark.is_new(job(2, created=1))
    assert mark.is_new(job(2, created=None))


def test_a_run_older_than_the_newest_known_is_not_new() -> None:
    mark = Watermark(known_job_ids=("5",), newest_ts=5000)
    assert mark.is_new(job(6))
    assert not mark.is_new(job(4))
    assert Watermark().is_new(job(1))


def test_it_keeps_the_newest_ids_only() -> None:
    mark = Watermark.of(Reading([job(n) for n in range(1000, 0, -1)]), 5.0)
    assert len(mark.known_job_ids) == 200
    assert mark.known_job_ids[0] == "1000"
    assert mark.newest_ts == 1_000_000
    assert Watermark.of(Reading([]), None).newest_ts is None


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
