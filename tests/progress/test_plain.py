"""Progress on stderr: a line for each change, or a count of many."""

from __future__ import annotations

import asyncio
import io
import re
import sys

import pytest

from hevo_edge import HevoClient, Priority, RateLimit, api, errors
from hevo_edge._progress.display import Display
from hevo_edge._progress.lines import Line
from hevo_edge._progress.plain import MAX_FAILED
from hevo_edge._text.durations import format_duration
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, now, started
from tests.conftest import client_of


async def test_progress_goes_to_stderr(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    emulated, job = started(emulator, hevo, duration=75, outcome="FAILED")
    with pytest.raises(errors.JobFailed):
        await job.await_completion(poll_interval=60, progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    name = f"Pipeline 123 INCREMENTAL Job {emulated.job_id}"
    assert printed.err.splitlines() == [
        f"{name}: IN_PROGRESS after 0s, 0 events loaded, 0 of 3 objects",
        f"{name}: IN_PROGRESS after 1m00s, 360 events loaded, 40 failed, 1 of 3 objects",
        f"{name}: FAILED after 1m15s, 450 events loaded, 50 failed, 1 of 3 objects, 1 failed",
    ]
    assert format_duration(3600) == "1h00m"


async def test_progress_counts_when_jobs_are_many(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 12, lambda n: 20 * n)
    emulator.pipeline(1003).running.outcome = "FAILED"  # type: ignore[union-attr]
    await hevo.await_all(jobs, progress=True, on_failure="return")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "waiting for 12 Jobs"
    assert lines[1] == "1 of 12 waits are over, 11 to go, after 30s"
    (failed,) = [line for line in lines if line.startswith("Pipeline")]
    assert f"Pipeline 1003 INCREMENTAL Job {jobs[2].id}: FAILED after 1m00s" in failed
    assert lines[-1].startswith(
        "12 of 12 waits are over, 1 of them with an error, 0 to go, after 4m0"
    )
    assert len(lines) <= 14


async def test_a_count_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    group = display.group("waits", 1000)
    lines = [Line(1, {1: None}.get, now()) for _ in range(1000)]
    for line in lines:
        display.begin(line, group)
    for line in lines:
        display.end(line, "COMPLETED")
        await asyncio.sleep(0.1)
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 11
    assert printed[-1] == "1,000 of 1,000 waits are over, 0 to go, after 1m40s"


@pytest.mark.parametrize("count", [2, 8])
async def test_what_ends_by_an_error_is_named_with_its_reason(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    _, jobs = fleet(emulator, hevo, count, lambda _: 5000.0)
    await hevo.await_all(jobs, progress=True, timeout=60, on_failure="return")
    lines = capsys.readouterr().err.splitlines()
    for job in jobs:
        name = f"Pipeline {job.pipeline_id} INCREMENTAL Job {job.id}: IN_PROGRESS after"
        last = [line for line in lines if line.startswith(name)][-1]
        assert last.endswith(", ended by JobTimeout")


async def test_many_errors_are_named_up_to_a_bound(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 60, lambda _: 5000.0)
    emulator.faults.status(401, times=None)
    await hevo.await_all(jobs, progress=True, on_failure="return")
    _, *failed, last = capsys.readouterr().err.splitlines()
    assert len(failed) <= MAX_FAILED + 1
    assert all(line.endswith(": ended by AuthenticationError") for line in failed[:MAX_FAILED])
    assert "60 of them with an error" in last


async def test_a_trigger_says_what_it_is_doing(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = emulator.add_pipeline(7, name="orders")
    pipeline.plan(duration=50, appears_after=0)
    running = pipeline.start_job(now=emulator.now)
    job = await hevo.pipeline(7).trigger(if_running="wait", progress=True)
    what = "Pipeline 7 orders SYNC_NOW"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{what}: waiting for Job {running.job_id} to end"
    assert lines[1] == f"{what}: looking for its Job"
    assert lines[2].startswith(f"{what}: became Job {job.id} (certain), after 1m14s")
    assert len(lines) == 3


async def test_the_error_and_the_interrupt_of_a_trigger(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    started(emulator, hevo, duration=500)
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(123).trigger(progress=True)
    waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait", progress=True))
    await asyncio.sleep(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Pipeline 123 SYNC_NOW: ended by JobInProgress, after 0s"
    assert lines[-1] == "Pipeline 123 SYNC_NOW: nothing was started; interrupted, after 10s"


async def test_an_interrupted_trigger_says_what_it_leaves_behind(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        emulator.pipeline(123).plan(appears_after=100)
    emulator.faults.delay(20, on="sync_now")
    said = []
    for seconds in (5, 60):  # in the POST, and in the search for its Job
        waiting = asyncio.create_task(hevo.pipeline(123).trigger(progress=True))
        await asyncio.sleep(seconds)
        waiting.cancel()
        await asyncio.wait({waiting})
        said.append(capsys.readouterr().err.splitlines()[-1])
        await asyncio.sleep(2000)
    assert "may have started in Hevo; interrupted, after 5s" in said[0]
    assert "goes on in Hevo; interrupted, after 1m00s" in said[1]


@pytest.mark.parametrize(
    ("cancels", "fate"), [(False, "goes on in Hevo"), (True, "cancelling in Hevo")]
)
async def test_an_interrupted_wait_says_what_becomes_of_its_job(
    emulator: HevoEmulator,
    hevo: HevoClient,
    capsys: pytest.CaptureFixture[str],
    *,
    cancels: bool,
    fate: str,
) -> None:
    _, job = started(emulator, hevo, duration=5000)
    waiting = asyncio.create_task(job.await_completion(progress=True, cancel_on_interrupt=cancels))
    await asyncio.sleep(20)
    waiting.cancel()
    await asyncio.wait({waiting})
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"Pipeline 123 INCREMENTAL Job {job.id}: {fate}; no longer awaited"


async def test_many_waits_that_are_left_are_counted_once(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 12, lambda n: 20 * n)
    emulator.pipeline(1002).running.outcome = "FAILED"  # type: ignore[union-attr]
    with pytest.raises(errors.JobFailed):
        await hevo.await_all(jobs, progress=True)
    *lines, count, left = capsys.readouterr().err.splitlines()
    assert any(f"{jobs[1].id}: FAILED" in line for line in lines)
    assert "2 of 12 waits are over, 1 of them with an error, 10 no longer waited for" in count
    assert left == f"goes on in Hevo: {', '.join(job.ref for job in jobs[2:])}"
    assert len(lines) <= 4


async def test_triggers_that_wait_for_the_call_budget_say_so(
    emulator: HevoEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 31):
        emulator.add_pipeline(number).plan(duration=5000, appears_after=1)
    async with client_of(emulator, rate_limit=RateLimit(60, 60.0)) as hevo:
        await asyncio.gather(
            *(hevo.pipeline(n).trigger(progress=True, timeout=3600) for n in range(1, 31))
        )
    lines = capsys.readouterr().err.splitlines()
    assert "30 waiting for the call budget" in lines[0]
    assert lines[0].endswith("after 10s")
    assert lines[-1].startswith("30 of 30 triggers are over, 0 to go, after ")
    assert len(lines) < 40


async def test_one_trigger_says_for_how_long_it_waits(
    emulator: HevoEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.pipeline(123).plan(duration=5000, appears_after=1)
    async with client_of(emulator, rate_limit=RateLimit(10, 60.0)) as hevo:
        while hevo._core.transport._limiter.free_slots(Priority.TRIGGER) > 0:
            await hevo.send(api.get_pipeline(123), priority=Priority.TRIGGER)
        began = now()
        await hevo.pipeline(123).trigger(progress=True)
        waited = now() - began
    lines = capsys.readouterr().err.splitlines()
    expected = re.fullmatch(r".*: waiting for the call budget, about (\d)m(\d\d)s", lines[0])
    assert expected is not None
    assert 60 * int(expected[1]) + int(expected[2]) == pytest.approx(waited, abs=20)


async def test_the_expected_end_is_learnt_without_a_request_more(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.add_pipeline(5, history=20, duration=300)
    requests = []
    for progress in (False, True):
        pipeline = emulator.pipeline(5)
        pipeline.plan(appears_after=0, duration=300)
        emulated = pipeline.start_job(now=emulator.now)
        before = len(emulator.requests)
        await hevo.job(5, emulated.job_id).await_completion(poll_interval="auto", progress=progress)
        requests.append(len(emulator.requests) - before)
    assert requests[0] >= requests[1]
    assert any(re.search(r"about \d+m?\d*s left", x) for x in capsys.readouterr().err.splitlines())


class Broken:
    """A stderr whose write raises anything."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


class Bare:
    """What a framework has put in the place of stderr."""


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize(
    "stderr",
    [
        None,  # a service, pythonw
        Bare(),
        Broken(BrokenPipeError()),
        Broken(UnicodeEncodeError("ascii", "\u20ac", 0, 1, "no such character")),
        Broken(RuntimeError("the cell is gone")),
    ],
    ids=["none", "bare", "broken pipe", "encoding", "anything"],
)
async def test_no_stderr_ends_a_wait(
    emulator: HevoEmulator,
    hevo: HevoClient,
    monkeypatch: pytest.MonkeyPatch,
    stderr: object,
    jobs: int,
) -> None:
    waited_for = [started(emulator, hevo, 1000 + n, duration=50)[1] for n in range(jobs)]
    monkeypatch.setattr(sys, "stderr", stderr)
    assert len(await hevo.await_all(waited_for, progress=True)) == jobs


async def test_a_stderr_that_broke_ends_no_wait(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [started(emulator, hevo, 1000 + n, duration=50 + 20 * n)[1] for n in range(8)]
    broken = io.StringIO()
    monkeypatch.setattr(sys, "stderr", broken)
    waiting = asyncio.create_task(hevo.await_all(jobs, progress=True))
    await asyncio.sleep(20)
    broken.close()
    assert len(await asyncio.wait_for(waiting, 3600)) == 8
