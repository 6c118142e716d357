"""Reading a jobs list whose order is not documented."""

from __future__ import annotations

import pytest

from hevo_edge._jobs.listing import (
    any_running_job,
    is_of_type,
    is_real_run,
    jobs_newest_first,
    read_newest,
    running_job,
)
from tests.jobs.support import ids, job, pages_of

# -- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 10, 100])
@pytest.mark.parametrize("descending", [True, False])
async def test_newest_first_whatever_the_server_does(size: int, descending: bool) -> None:
    listed = [job(n) for n in range(25)]
    fetch, _ = pages_of(listed[::-1] if descending else listed, size)
    found = [row async for row in jobs_newest_first(fetch)]
    if size == 1 and not descending:
        # One row a page shows no order; the server's own is taken.
        assert sorted(ids(found)) == list(range(25))
    else:
        assert ids(found) == list(range(24, -1, -1))


async def test_a_list_that_runs_newest_first_is_read_no_further_than_asked() -> None:
    fetch, asked = pages_of([job(n) for n in range(100, 0, -1)], 10)
    async for row in jobs_newest_first(fetch):
        if row.job_id == "95":
            break
    assert asked == [None]


async def test_rows_without_a_time_keep_their_place() -> None:
    fetch, _ = pages_of([job(3, created=None), job(2), job(1, created=None)], 10)
    assert ids([row async for row in jobs_newest_first(fetch)]) == [3, 2, 1]


# -- the newest rows ------------------------------------------------------------------------------


async def test_it_stops_where_enough_is_known() -> None:
    fetch, asked = pages_of([job(n) for n in range(100, 0, -1)], 10)
    reading = await read_newest(fetch, lambda row: row.job_id == "85")
    assert ids(reading.jobs) == list(range(100, 80, -1))
    assert reading.tail is None
    assert asked == [None, "10"]


async def test_a_list_that_runs_oldest_first_is_read_to_its_end_and_its_tail_kept() -> None:
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
async def test_an_empty_or_single_row_list(count: int) -> None:
    fetch, _ = pages_of([job(1)] * count, 10)
    reading = await read_newest(fetch, lambda _: True)
    assert len(reading.jobs) == count
    assert reading.tail is None


# -- the Job that runs ----------------------------------------------------------------------------


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
def test_one_job_runs_at_a_time(statuses: list[str], running: int | None) -> None:
    listed = [job(9 - n, status) for n, status in enumerate(statuses)]
    found = running_job(listed)
    assert found == (None if running is None else listed[running])


def test_an_unknown_status_is_left_to_the_server() -> None:
    listed = [job(2, "ON_THE_MOON"), job(1, "IN_PROGRESS")]
    assert running_job(listed, known_only=True) is None
    assert running_job([job(1, "IN_PROGRESS")], known_only=True) is not None


def test_a_job_under_one_that_a_clock_has_put_first_may_run() -> None:
    hour = 3600
    ahead, runs, stuck = job(101 * hour), job(100 * hour, "IN_PROGRESS"), job(1, "IN_PROGRESS")
    assert running_job([ahead, runs]) is None
    assert any_running_job([ahead, runs]) is runs
    assert any_running_job([ahead, job(99 * hour, "FAILED"), stuck]) is None
    assert any_running_job([job(2, "ON_THE_MOON"), job(1)]) is not None
    assert any_running_job([]) is None


def test_which_rows_are_runs() -> None:
    assert not is_real_run(job(1, "SKIPPED"))
    assert not is_real_run(job(1, "DEFERRED_WITH_FAILURES"))
    assert is_real_run(job(1, "FAILED"))
    assert is_real_run(job(1, "IN_PROGRESS"))


def test_of_which_type_a_job_is() -> None:
    assert is_of_type(job(1), None)
    assert is_of_type(job(1), "INCREMENTAL")
    assert not is_of_type(job(1), "HISTORICAL")
