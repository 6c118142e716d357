"""Reading a jobs list whose order is not documented."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge import errors
from hevo_edge._common.pagination import Fetch, next_cursor, rows
from hevo_edge._jobs.listing import (
    Reading,
    is_real_run,
    jobs_newest_first,
    read_newest,
    running_job,
)
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.emulator import virtual_time
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


class TestCursors:
    def test_where_a_list_goes_on(self) -> None:
        def page(has_more: bool | None, cursor: str | None) -> Page[int]:
            return Page(data=[], has_more=has_more, next_cursor=cursor)

        assert next_cursor(page(True, "b"), "a") == "b"
        assert next_cursor(page(False, None), "a") is None
        assert next_cursor(page(False, "b"), "a") is None
        assert next_cursor(page(None, "b"), "a") == "b"
        assert next_cursor(page(None, None), "a") is None

    @pytest.mark.parametrize("cursor", [None, "a"])
    def test_more_rows_without_a_way_to_them_are_not_passed_over(self, cursor: str | None) -> None:
        page: Page[int] = Page(data=[], has_more=True, next_cursor=cursor)
        with pytest.raises(errors.UnexpectedResponse, match="no cursor that leads to them"):
            next_cursor(page, "a")

    async def test_all_rows_in_the_servers_order(self) -> None:
        fetch, asked = pages_of([job(n) for n in (3, 1, 2)], 2)
        assert [row.job_id async for row in rows(fetch)] == ["3", "1", "2"]
        assert asked == [None, "2"]


class TestOrder:
    @pytest.mark.parametrize("size", [1, 3, 10, 100])
    @pytest.mark.parametrize("descending", [True, False])
    async def test_newest_first_whatever_the_server_does(self, size: int, descending: bool) -> None:
        listed = [job(n) for n in range(25)]
        fetch, _ = pages_of(listed[::-1] if descending else listed, size)
        found = [row async for row in jobs_newest_first(fetch)]
        if size == 1 and not descending:
            # One row a page tells no order; the server's own is taken.
            assert sorted(ids(found)) == list(range(25))
        else:
            assert ids(found) == list(range(24, -1, -1))

    async def test_a_list_that_runs_newest_first_is_read_no_further_than_asked(self) -> None:
        fetch, asked = pages_of([job(n) for n in range(100, 0, -1)], 10)
        async for row in jobs_newest_first(fetch):
            if row.job_id == "95":
                break
        assert asked == [None]

    async def test_rows_without_a_time_keep_their_place(self) -> None:
        fetch, _ = pages_of([job(3, created=None), job(2), job(1, created=None)], 10)
        assert ids([row async for row in jobs_newest_first(fetch)]) == [3, 2, 1]


class TestReading:
    async def test_it_stops_where_enough_is_known(self) -> None:
        fetch, asked = pages_of([job(n) for n in range(100, 0, -1)], 10)
        reading = await read_newest(fetch, lambda row: row.job_id == "85")
        assert ids(reading.jobs) == list(range(100, 80, -1))
        assert reading.tail is None
        assert asked == [None, "10"]

    async def test_a_list_that_runs_oldest_first_is_read_to_its_end_and_its_tail_kept(self) -> None:
        listed = [job(n) for n in range(1, 36)]
        fetch, asked = pages_of(listed, 10)
        reading = await read_newest(fetch, lambda _: True)
        assert ids(reading.jobs)[0] == 35
        assert reading.tail == "30"
        listed.append(job(36))
        asked.clear()
        again = await read_newest(fetch, lambda _: True, reading.tail)
        assert ids(again.jobs)[0] == 36
        assert asked == ["30"]
        assert again.tail == "30"

    @pytest.mark.parametrize("count", [0, 1])
    async def test_an_empty_or_single_row_list(self, count: int) -> None:
        fetch, _ = pages_of([job(1)] * count, 10)
        reading = await read_newest(fetch, lambda _: True)
        assert len(reading.jobs) == count
        assert reading.tail is None


class TestRunning:
    @pytest.mark.parametrize(
        ("statuses", "running"),
        [
            ([], None),
            (["COMPLETED", "IN_PROGRESS"], None),
            (["IN_PROGRESS", "COMPLETED"], 0),
            (["SKIPPED", "SKIPPED", "IN_PROGRESS"], 2),
            (["DEFERRED", "SKIPPED", "CANCELLING"], 2),
            (["SKIPPED", "FAILED", "IN_PROGRESS"], None),
            (["QUEUED"], 0),
            (["ON_THE_MOON"], 0),
            (["SKIPPED"], None),
        ],
    )
    def test_one_job_runs_at_a_time(self, statuses: list[str], running: int | None) -> None:
        listed = [job(9 - n, status) for n, status in enumerate(statuses)]
        found = running_job(listed)
        assert found == (None if running is None else listed[running])

    def test_an_unknown_status_is_left_to_the_server_to_judge(self) -> None:
        listed = [job(2, "ON_THE_MOON"), job(1, "IN_PROGRESS")]
        assert running_job(listed, known_only=True) is None
        assert running_job([job(1, "IN_PROGRESS")], known_only=True) is not None

    def test_rows_that_say_nothing_about_older_ones(self) -> None:
        assert not is_real_run(job(1, "SKIPPED"))
        assert not is_real_run(job(1, "DEFERRED_WITH_FAILURES"))
        assert is_real_run(job(1, "FAILED"))
        assert is_real_run(job(1, "IN_PROGRESS"))


class TestWatermark:
    def test_what_is_news(self) -> None:
        mark = Watermark(known_job_ids=("1",), server_time=100.0)
        assert not mark.is_new(job(1, created=200_000))
        assert not mark.is_new(job(2, "SKIPPED", created=200_000))
        assert mark.is_new(job(2, created=100_000))
        assert mark.is_new(job(2, "FAILED", created=200_000))
        # How old it is by another clock is not judged here.
        assert mark.is_new(job(2, created=1))
        assert mark.is_new(job(2, created=None))

    def test_the_newest_job_is_the_measure(self) -> None:
        mark = Watermark(known_job_ids=("5",), newest_ts=5000)
        assert mark.is_new(job(6))
        assert not mark.is_new(job(4))
        assert Watermark().is_new(job(1))

    def test_it_remembers_the_newest_ids_only(self) -> None:
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
    def test_news_are_found_whatever_the_order_and_the_paging(
        self, before: int, new: int, size: int, order: str, skipped: random.Random
    ) -> None:
        if size == 1 and order == "oldest":
            return  # one row a page tells no order
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
