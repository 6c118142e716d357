"""Waits that must end, and end well, whatever callbacks, lists, handles and clocks do."""

from __future__ import annotations

import asyncio
import gc
import io
import pickle
import sys
import weakref
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, RateLimit, api, errors
from hevo_edge._awaiting.watched_job import WatchedJob
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import EmulatedJob, HevoEmulator

from .conftest import START, client_of


def now() -> float:
    return asyncio.get_running_loop().time()


def started(
    emulator: HevoEmulator, hevo: HevoClient, number: int = 123, **plan: Any
) -> tuple[EmulatedJob, Job]:
    pipeline = emulator.pipeline(123) if number == 123 else emulator.add_pipeline(number)
    pipeline.plan(appears_after=0, **plan)
    emulated = pipeline.start_job(now=emulator.now)
    return emulated, hevo.job(number, emulated.job_id)


# -- deadlines ------------------------------------------------------------------------------------


async def test_a_deadline_before_the_first_look_of_a_job_just_seen(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=5000)
    job = await hevo.pipeline(123).trigger()
    start = now()
    with pytest.raises(errors.JobTimeout):
        await job.await_completion(poll_interval=300, timeout=10)
    assert now() - start == pytest.approx(10, abs=0.1)
    patient = asyncio.create_task(hevo.job(job.ref).await_completion(poll_interval=300))
    await asyncio.sleep(5)
    start = now()
    with pytest.raises(errors.JobTimeout):
        await hevo.job(job.ref).await_completion(poll_interval=300, timeout=10)
    assert now() - start == pytest.approx(10, abs=0.1)
    patient.cancel()
    await asyncio.wait({patient})


async def test_an_end_by_error_calls_off_nobody_elses_look(emulator: HevoEmulator) -> None:
    emulator.rate_limit = None
    async with client_of(emulator, rate_limit=None) as hevo:
        jobs = [started(emulator, hevo, 1000 + n, duration=100)[1] for n in range(150)]
        waiting = asyncio.create_task(
            hevo.await_all(jobs, poll_interval=600, timeout=200, on_failure="return")
        )
        await asyncio.sleep(150)
        emulator.faults.status(403, on="get_job", times=50)
        results = await waiting
    kinds = [type(result).__name__ for result in results]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"PermissionDenied": 50, "Job": 100}


async def test_a_last_look_that_could_not_be_made_is_said(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(1, 60.0)) as hevo:
        _, job = started(emulator, hevo, duration=50_000)
        await job.refresh()

        async def more_urgent() -> None:
            while True:
                await hevo.send(api.get_pipeline(123), priority=Priority.CANCEL)

        urgent = [asyncio.create_task(more_urgent()) for _ in range(2)]
        start = now()
        with pytest.raises(errors.JobTimeout) as caught:
            await job.await_completion(timeout=60)
        assert "the final poll could not be made" in str(caught.value.__cause__)
        assert now() - start < 60 + 180
        for task in urgent:
            task.cancel()
        await asyncio.wait(urgent)


async def test_without_a_limit_many_last_looks_are_still_made(emulator: HevoEmulator) -> None:
    emulator.rate_limit = None
    emulator.faults.delay(1, on="get_job", times=None)
    async with client_of(emulator, rate_limit=None) as hevo:
        jobs = [started(emulator, hevo, 1000 + n, duration=595)[1] for n in range(400)]
        results = await hevo.await_all(jobs, poll_interval=400, timeout=600, on_failure="return")
    assert all(isinstance(result, Job) for result in results)


async def test_why_no_start_was_seen(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(500, on="list_jobs", times=None)
    with pytest.raises(errors.JobTimeout, match=r"was seen to start within 40 s") as caught:
        await hevo.pipeline(123).await_completion(timeout=40)
    assert isinstance(caught.value.__cause__, errors.ServerError)
    emulator.faults.clear()
    with pytest.raises(errors.JobTimeout, match=r"started within 0.4 s"):
        await hevo.pipeline(123).await_completion(timeout=0.4)


# -- handles --------------------------------------------------------------------------------------


async def test_jobs_from_another_process_are_awaited_like_any(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=50)
    job = pickle.loads(pickle.dumps(await hevo.pipeline(123).trigger()))
    assert await hevo.await_all([job]) == [job]
    assert job.status == "COMPLETED"


async def test_what_the_user_reads_saves_a_look(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=100)
    waiting = asyncio.create_task(hevo.job(job.ref).await_completion(poll_interval=3000))
    await asyncio.sleep(110)
    start = now()
    await job.refresh()
    assert (await waiting).status == "COMPLETED"
    assert now() - start < 1


async def test_a_reading_that_came_late_hides_no_newer_one(emulator: HevoEmulator) -> None:
    async with client_of(emulator, timeout=60) as hevo:
        _, job = started(emulator, hevo, duration=50)
        slow = job.watch(poll_interval=5)
        await slow.__anext__()
        await asyncio.sleep(35)
        emulator.faults.delay(25, effect="after", on="get_job")
        other = hevo.job(job.ref)
        await other.refresh()
        await asyncio.wait_for(other.await_completion(), 3600)
        assert other.status == "COMPLETED"
        await slow.aclose()


async def test_a_job_that_was_put_aside_is_looked_at_anew(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=20, outcome="DEFERRED")
    slow = job.watch(poll_interval=5)
    await slow.__anext__()
    await asyncio.sleep(40)
    emulated.status = "IN_PROGRESS"
    emulated.ended, emulated.ends, emulated.outcome = None, emulator.now + 30, "COMPLETED"
    again = hevo.job(job.ref)
    await again.await_completion(timeout=60)
    assert again.status == "COMPLETED"
    await slow.aclose()


async def test_one_404_is_not_believed_of_a_job_that_somebody_has_seen(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=60)
    await job.refresh()
    emulator.faults.status(503, on="get_job", times=4)
    blind = asyncio.create_task(hevo.job(job.ref).await_completion())
    await asyncio.sleep(10)
    seeing = asyncio.create_task(job.await_completion())
    await asyncio.sleep(0)
    emulator.faults.status(404, on="get_job", times=1)
    await asyncio.gather(blind, seeing)
    assert job.status == "COMPLETED"


# -- odd replies ----------------------------------------------------------------------------------


async def test_a_duration_beyond_all_numbers(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).add_history(created=START - 7200).extra["duration"] = 10**400
    emulated, job = started(emulator, hevo, duration=100)
    emulated.extra["duration"] = -(10**400)
    await job.await_completion(poll_interval="auto", timeout=300)
    assert job.status == "COMPLETED"
    assert len(emulator.requests) < 12


@pytest.mark.parametrize("shown", ["frozen", "missing"])
async def test_auto_with_a_duration_that_says_nothing(
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


# -- callbacks and schedules ----------------------------------------------------------------------


class Fatal(BaseException):
    """What pytest.fail raises is of this kind."""


@pytest.mark.parametrize("is_async", [True, False])
async def test_even_what_is_no_exception_ends_the_wait(
    is_async: bool, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)

    async def later(_: Job) -> None:
        raise Fatal

    def at_once(_: Job) -> None:
        raise Fatal

    with pytest.raises(Fatal):
        await asyncio.wait_for(job.await_completion(on_update=later if is_async else at_once), 99)


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


async def test_a_schedule_with_an_attribute_of_its_own(emulator: HevoEmulator) -> None:
    class Mine:
        def gap(self, age: float) -> float:
            return 15.0

        def expected_delay(self) -> None:
            raise ValueError

    async with client_of(emulator, rate_limit=RateLimit(20, 60.0)) as hevo:
        jobs = [started(emulator, hevo, 1000 + n, duration=100)[1] for n in range(40)]
        odd = asyncio.create_task(jobs[0].await_completion(poll_interval=Mine()))
        assert len(await hevo.await_all(jobs[1:])) == 39
        await odd


# -- nothing is kept ------------------------------------------------------------------------------


async def test_nothing_is_kept_of_waits_that_are_over(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Noted(WatchedJob):
        __slots__ = ("__weakref__",)

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            alive.add(self)

    monkeypatch.setattr("hevo_edge._awaiting.watcher.WatchedJob", Noted)
    emulator.rate_limit = None
    async with client_of(emulator, rate_limit=None) as free:
        emulated, _ = started(emulator, hevo, duration=1)
        await asyncio.sleep(2)
        for _ in range(300):
            await free.job(123, emulated.job_id).await_completion()
    gc.collect()
    assert len(alive) < 80


@pytest.mark.parametrize(
    "name", ["cancel_on_interrupt", "progress", "accept_completed_with_failures"]
)
async def test_a_flag_is_true_or_false(name: str, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"{name} must be True or False, not 'no'"):
        await hevo.job("123:x").await_completion(**{name: "no"})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 5])
async def test_jobs_that_are_none(wrong: Any, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="jobs must be several"):
        await hevo.await_all(wrong)
