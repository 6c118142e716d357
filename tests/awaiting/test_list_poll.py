"""Several Jobs of one Pipeline polled by one call of its list, which has not the last word."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import DIALECTS, HevoEmulator
from tests.awaiting.support import now
from tests.conftest import START


def several(emulator: HevoEmulator, hevo: HevoClient, *durations: float) -> list[Job]:
    """Start Jobs in one Pipeline."""
    pipeline = emulator.pipeline(123)
    for duration in durations:
        pipeline.plan(appears_after=0, duration=duration)
    started = [pipeline.start_job(now=emulator.now) for _ in durations]
    return [hevo.job(123, job.job_id) for job in started]


async def test_several_jobs_of_a_pipeline_are_read_by_one_call(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = several(emulator, hevo, 40, 20, 70)
    results = await hevo.await_all(jobs)
    assert [job.status for job in results] == ["COMPLETED"] * 3
    assert results[2].data.duration_seconds == 70
    # At 0, 15 and 30 for all. Then each is read by its id, as a list may lag behind; from then
    # on one is left.
    assert len(emulator.requests.of("list_jobs")) == 3
    assert len(emulator.requests.of("get_job")) == 4


async def test_a_hundred_old_jobs_cost_one_call(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipeline = emulator.pipeline(123)
    old = [pipeline.add_history(created=START - 9000 + n * 60) for n in range(90)]
    jobs = [hevo.job(123, job.job_id) for job in old]
    await hevo.await_all(jobs)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("trouble", ["oldest first", "refused", "no rows"])
async def test_what_the_list_does_not_show_is_polled_one_by_one(
    trouble: str, hevo: HevoClient, emulator: HevoEmulator
) -> None:
    if trouble == "refused":
        emulator.faults.status(403, on="list_jobs", times=None)
    if trouble == "no rows":
        emulator.faults.body({"data": [], "has_more": False}, on="list_jobs", times=None)
    if trouble == "oldest first":
        emulator.dialect = emulator.service.dialect = DIALECTS["newest"]
        object.__setattr__(emulator.dialect, "list_order", "oldest_first")
        for n in range(150):
            emulator.pipeline(123).add_history(created=START - 90_000 + n * 60)
    try:
        jobs = several(emulator, hevo, 40, 70)
        results = await hevo.await_all(jobs, timeout=300)
    finally:
        object.__setattr__(emulator.dialect, "list_order", "newest_first")
    assert [job.status for job in results] == ["COMPLETED"] * 2
    assert len(emulator.requests.of("list_jobs")) == 1, "and not asked again"


async def test_a_transient_error_of_the_list_is_retried(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = several(emulator, hevo, 40, 70)
    emulator.faults.status(503, on="list_jobs", times=6)
    await hevo.await_all(jobs, timeout=300)
    assert len(emulator.requests.of("list_jobs")) == 4, "one poll, and its retries"


async def test_the_list_has_not_the_last_word(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """It may lag behind; a Job that ended before the deadline must count as ended."""
    jobs = several(emulator, hevo, 35, 36, 500)
    results = await hevo.await_all(jobs, poll_interval=30, timeout=40, on_failure="return")
    assert results[:2] == jobs[:2]
    assert isinstance(results[2], errors.JobTimeout)
    assert len(emulator.requests.of("get_job")) == 3


@pytest.mark.parametrize(
    "row",
    [
        {"status": "IN_PROGRESS"},
        {"status": "ON_THE_MOON"},
        {},
        {"status": "COMPLETED"},
        {"status": "COMPLETED", "events_loaded": 5},
    ],
)
async def test_a_list_that_lags_or_is_incomplete_hides_no_end_and_no_count(
    row: dict[str, Any], emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = several(emulator, hevo, 100, 100)
    rows = [{"job_id": job.id, **row} for job in jobs]
    emulator.faults.body({"data": rows, "has_more": False}, on="list_jobs", times=None)
    start = now()
    await hevo.await_all(jobs)
    assert now() - start < 100 + 5 * 15
    for job in jobs:
        assert job.data is not None
        assert job.data.events_loaded == 1000


@pytest.mark.parametrize("poll_interval", [15, "auto"])
@pytest.mark.parametrize("fault", ["status", "html", "drop", "missing_field", "body"])
async def test_a_list_that_cannot_be_read_is_no_reason_to_wait_for_ever(
    fault: str, poll_interval: Any, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    arguments: dict[str, list[Any]] = {
        "status": [500],
        "missing_field": ["job_id"],
        "body": [{"jobs": []}],
    }
    getattr(emulator.faults, fault)(*arguments.get(fault, []), on="list_jobs", times=None)
    jobs = several(emulator, hevo, 100, 100)
    start = now()
    await hevo.await_all(jobs[: 1 if poll_interval == "auto" else 2], poll_interval=poll_interval)
    assert now() - start < 150
