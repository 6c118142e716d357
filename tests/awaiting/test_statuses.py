"""What ends a wait whatever the clocks say, and what the words of a status mean."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, JobStatus, errors
from hevo_edge._jobs.handle import update_snapshot
from hevo_edge.emulator import EmulatedJob, HevoEmulator
from hevo_edge.models import JobData
from tests.awaiting.support import now, started
from tests.conftest import START
from tests.triggering.support import posts, run_as_scheduled

NOW_MS = round(START * 1000)
CLOCKS = [
    pytest.param(NOW_MS + 100_001, NOW_MS + 100_000, id="1 ms later before the end"),
    pytest.param(NOW_MS + 3_700_000, NOW_MS + 100_000, id="an hour ahead"),
    pytest.param(NOW_MS + 50_000, NOW_MS // 1000 + 100, id="seconds after milliseconds"),
    pytest.param(10**14, None, id="no time at the end"),
]


def with_clocks(emulated: EmulatedJob, running: int, ended: int | None, seconds: float) -> None:
    """Let the Job show one time while it runs, and another one, after some seconds, at its end."""
    emulated.extra["updated_ts"] = running

    def end() -> None:
        emulated.extra["updated_ts"] = ended

    asyncio.get_running_loop().call_later(seconds, end)


# -- a terminal status always wins ----------------------------------------------------------------


@pytest.mark.parametrize(("running", "ended"), CLOCKS)
@pytest.mark.parametrize("how", ["await", "list", "watch", "refresh"])
async def test_an_end_is_seen_whatever_the_clocks_say(
    running: int, ended: int | None, how: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    with_clocks(emulated, running, ended, 99)
    if how == "await":
        await job.await_completion(timeout=150)
    elif how == "list":
        other, beside = started(emulator, hevo, duration=100)
        with_clocks(other, running, ended, 99)
        await hevo.await_all([job, beside], timeout=150)
        assert emulator.requests.of("list_jobs")
    elif how == "watch":

        async def watch() -> None:
            async for _ in job.watch():
                pass

        await asyncio.wait_for(watch(), 150)
    else:
        await job.refresh()
        await asyncio.sleep(101)
        await job.refresh()
    assert job.status == "COMPLETED"


@pytest.mark.parametrize(("running", "ended"), CLOCKS)
async def test_a_trigger_that_waits_goes_on_after_such_an_end(
    running: int, ended: int | None, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=100)
    with_clocks(emulator.pipeline(123).jobs[-1], running, ended, 99)
    await hevo.pipeline(123).trigger(if_running="wait", timeout=300)
    assert posts(emulator) == 1


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "DEFERRED", "SKIPPED"])
async def test_a_stale_row_does_not_undo_an_end(
    end: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=10, outcome=end)
    await asyncio.sleep(11)
    await job.refresh()
    emulated.extra.update(status="IN_PROGRESS", updated_ts=10**14)
    await job.refresh()
    assert job.status == end
    update_snapshot(job, JobData(job_id=job.id, status="ON_THE_MOON", updated_ts=10**14), now())
    assert job.is_terminal


async def test_two_rows_of_one_job_in_a_list(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    _, other = started(emulator, hevo, duration=1000)
    done = {"status": "COMPLETED", "events_loaded": 1, "duration": 1, "updated_ts": 1}
    stale = {"status": "IN_PROGRESS", "events_loaded": 1, "duration": 1, "updated_ts": 10**14}
    rows = [{"job_id": each.id, **row} for each in (job, other) for row in (done, stale)]
    emulator.faults.body({"data": rows, "has_more": False}, on="list_jobs", times=None)
    await hevo.await_all([job, other], timeout=60)
    assert {job.status, other.status} == {"COMPLETED"}


async def test_progress_is_seen_behind_a_clock_that_was_ahead(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    with_clocks(emulated, NOW_MS + 3_600_000, NOW_MS + 40_000, 40)
    loaded: list[int | None] = []
    await job.await_completion(on_update=lambda seen: loaded.append(seen.data.events_loaded))
    assert loaded == sorted(set(loaded), key=lambda count: count or 0)
    assert len(loaded) == 8


# -- a row without a usable status ----------------------------------------------------------------

UNUSABLE: list[Any] = [None, "", "UNKNOWN", "unknown", 5, True, {}, "ON_THE_MOON"]


@pytest.mark.parametrize("status", UNUSABLE, ids=repr)
async def test_a_trigger_does_not_wait_for_ever_for_a_job_without_a_status(
    status: Any, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=100)
    emulator.pipeline(123).jobs[-1].extra["status"] = status
    start = now()
    job = await hevo.pipeline(123).trigger(if_running="wait", timeout=600)
    assert now() - start < 200
    assert posts(emulator) > 1
    assert (await job.await_completion()).status == "COMPLETED"


async def test_a_status_that_is_missing_is_no_other(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=100)
    emulator.faults.missing_field("status", on="*_job*", times=None)
    waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait", timeout=600))
    await asyncio.sleep(110)
    emulator.faults.clear()
    await waiting
    assert waiting.result().certainty == "certain"


@pytest.mark.parametrize("status", UNUSABLE, ids=repr)
async def test_a_job_without_a_status_is_taken_as_running(
    status: Any, emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    emulated.extra["status"] = status
    asyncio.get_running_loop().call_later(50, emulated.extra.pop, "status")
    active = await hevo.pipeline(123).active_job()
    assert active == job
    assert not active.data.has_known_status
    await job.await_completion()
    assert job.status == "COMPLETED"
    assert caplog.text.count("has the unknown status") == 1


# -- in any case ----------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["PartiallyDone", "partiallydone", " PARTIALLYDONE"])
async def test_statuses_are_accepted_in_any_case(
    accept: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=1000)
    emulated.extra["status"] = "PartiallyDone"
    await job.await_completion(accept=[accept], timeout=10)
    assert job.status == "PartiallyDone"
    assert await hevo.await_all([job], accept=[job.status]) == [job]
    assert [each async for each in hevo.pipeline(123).list_jobs(status=accept)] == [job]


@pytest.mark.parametrize(("status", "error"), [("Completed", None), ("failed", errors.JobFailed)])
async def test_a_known_status_ends_a_wait_in_any_case(
    status: str, error: type[errors.HevoError] | None, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=1000)
    emulated.extra["status"] = status
    ended = await hevo.await_all([job], on_failure="return", timeout=10)
    assert isinstance(ended[0], Job if error is None else error)
    assert isinstance(job.status, JobStatus)


async def test_a_value_that_never_equals_itself_is_no_change(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    row = {"job_id": job.id, "status": "IN_PROGRESS", "ratio": float("nan")}
    emulator.faults.body(row, on="get_job", times=None)
    changes = 0

    def count(_: Job) -> None:
        nonlocal changes
        changes += 1

    with pytest.raises(errors.JobTimeout):
        await job.await_completion(on_update=count, timeout=100)
    assert changes == 1
