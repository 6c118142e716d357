"""``poll_interval="auto"``: what is learnt from the Pipeline's finished Jobs."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient, schedules
from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData
from hevo_edge.schedules import Auto
from tests.awaiting.support import started
from tests.conftest import START


def with_history(emulator: HevoEmulator, number: int, *durations: float) -> None:
    pipeline = emulator.add_pipeline(number)
    for n, duration in enumerate(durations):
        pipeline.add_history(created=START - 86_400 + n * 3600, duration=duration)


async def test_auto_learns_from_the_list_and_polls_when_the_end_is_near(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    with_history(emulator, 7, *(600 + 10 * (n % 7) for n in range(20)))
    emulator.pipeline(7).plan(appears_after=0, duration=615)
    job = await hevo.pipeline(7).trigger()
    start = emulator.now
    before = len(emulator.requests)
    await job.await_completion(poll_interval="auto")
    calls = emulator.requests[before:]
    assert [call.endpoint for call in calls[:2]] == ["list_jobs", "get_job"]
    polls = [call.at - start for call in calls]
    assert polls[0] == pytest.approx(15, abs=0.1), "a first poll for what fails at once"
    assert len([at for at in polls if at < 500]) < 10, "fixed: 33"
    assert len([at for at in polls if 550 < at < 650]) > 10
    assert emulator.now - start - 615 < 3


async def test_auto_makes_its_first_poll_by_the_list_for_a_job_not_read_yet(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    with_history(emulator, 7, *[600.0] * 20)
    emulator.pipeline(7).plan(appears_after=0, duration=300)
    started = emulator.pipeline(7).start_job(now=emulator.now)
    await hevo.job(7, started.job_id).await_completion(poll_interval="auto")
    names = [call.endpoint for call in emulator.requests]
    assert names[0] == "list_jobs"
    assert names.count("list_jobs") == 1
    # What was learnt serves the next wait as well.
    emulator.pipeline(7).plan(appears_after=0, duration=300)
    started = emulator.pipeline(7).start_job(now=emulator.now)
    await hevo.job(7, started.job_id).await_completion(poll_interval="auto")
    assert [call.endpoint for call in emulator.requests].count("list_jobs") == 1


async def test_auto_without_a_history_is_the_plain_interval(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.add_pipeline(7)
    intervals: list[schedules.PollInterval] = ["auto", schedules.auto(interval=50)]
    for interval, polls in zip(intervals, (8, 3), strict=True):
        emulator.pipeline(7).plan(appears_after=0, duration=100)
        started = emulator.pipeline(7).start_job(now=emulator.now)
        before = len(emulator.requests)
        await hevo.job(7, started.job_id).await_completion(poll_interval=interval)
        assert len(emulator.requests) - before == polls


async def test_auto_learns_by_type(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with_history(emulator, 7, *[600.0] * 20)
    emulator.pipeline(7).plan(appears_after=0, duration=100, type="HISTORICAL")
    started = emulator.pipeline(7).start_job(now=emulator.now)
    await hevo.job(7, started.job_id).await_completion(poll_interval="auto")
    assert len(emulator.requests) == 8


@pytest.mark.parametrize("shown", ["frozen", "missing"])
async def test_auto_with_a_useless_duration(
    shown: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.add_pipeline(7)
    for n in range(20):
        pipeline.add_history(created=START - 86_400 + n * 3600, duration=900)
    emulated, job = started(emulator, hevo, duration=900)
    emulator.pipeline(7).jobs.append(emulated)
    job = hevo.job(7, emulated.job_id)
    await asyncio.sleep(500)
    if shown == "frozen":
        emulated.extra["duration"] = 0
    else:
        emulator.faults.missing_field("duration", on="get_job", times=None)
    start = emulator.now
    await job.await_completion(poll_interval="auto")
    assert emulator.now - start < 400 + 20, "no worse than the plain interval by much"
    assert len(emulator.requests) < 45


async def test_auto_learns_nothing_from_the_oldest_page(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.add_pipeline(7)
    object.__setattr__(emulator.service.dialect, "list_order", "oldest_first")
    try:
        for n in range(300):
            pipeline.add_history(created=START - 1e6 + n * 1800, duration=900 if n < 200 else 300)
        pipeline.plan(appears_after=0, duration=300)
        emulated = pipeline.start_job(now=emulator.now)
        start = emulator.now
        await hevo.job(7, emulated.job_id).await_completion(poll_interval="auto")
    finally:
        object.__setattr__(emulator.service.dialect, "list_order", "newest_first")
    assert emulator.now - start <= 315.1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipelines come and go, types are open words, and anybody passes an interval of his own."""
    module = "hevo_edge._awaiting.duration_history"
    for name in ("MAX_PIPELINES", "MAX_TYPES", "MAX_SCHEDULES"):
        monkeypatch.setattr(f"{module}.{name}", 3)
    history = DurationHistory()
    for number in range(50):
        rows = [
            JobData(job_id=f"{number}", type=f"TYPE_{number + n}", status="COMPLETED", duration=9e4)
            for n in range(2)
        ]
        history.record(1, rows, now=float(number))
        history.record(number, rows, now=float(number))
    assert [number for number in range(50) if history.is_fresh(number, 60.0)] == [1, 48, 49]
    plain = Auto(10.0)
    known = [n for n in range(60) if history.schedule(1, f"TYPE_{n}", plain) is not plain]
    assert known == [48, 49, 50], "the latest"
    for seconds in range(1, 50):
        history.schedule(1, "TYPE_50", Auto(float(seconds)))
    past = history._pipelines.get(1)
    assert past is not None
    assert len(past.schedules) == 3
