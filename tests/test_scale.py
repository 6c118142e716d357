"""Many waits at once: one budget, shared looks, nobody starves, nothing left behind."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, RateLimit, errors, schedules
from hevo_edge._awaiting.progress import ProgressCounter
from hevo_edge._awaiting.snapshots import SnapshotStream
from hevo_edge._awaiting.watched_job import JobKey
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import DIALECTS, EmulatedJob, HevoEmulator
from hevo_edge.models import JobData, Page

from .conftest import START, client_of


def now() -> float:
    return asyncio.get_running_loop().time()


def fleet(
    emulator: HevoEmulator, hevo: HevoClient, count: int, duration: Callable[[int], float]
) -> tuple[list[EmulatedJob], list[Job]]:
    """Start a Job in each of so many Pipelines."""
    emulated = []
    for number in range(1, count + 1):
        pipeline = emulator.add_pipeline(1000 + number)
        pipeline.plan(appears_after=0, duration=duration(number))
        emulated.append(pipeline.start_job(now=emulator.now))
    return emulated, [hevo.job(1000 + n, job.job_id) for n, job in enumerate(emulated, 1)]


def refused(emulator: HevoEmulator) -> int:
    return sum(call.status == 429 for call in emulator.requests)


# -- one budget -----------------------------------------------------------------------------------


async def test_more_jobs_than_the_budget_can_poll(emulator: HevoEmulator, hevo: HevoClient) -> None:
    chance = random.Random(5)
    emulated, jobs = fleet(emulator, hevo, 200, lambda _: 300 * math.exp(chance.gauss(0, 0.6)))
    late = {}
    async for job in hevo.as_completed(jobs):
        late[job.id] = emulator.now
    delays = [late[job.job_id] - (job.ended or 0) for job in emulated]
    assert len(delays) == 200
    assert min(delays) >= 0
    assert refused(emulator) == 0
    # A round takes 200 / 1.5 s, and rounds get shorter as Jobs end.
    assert sum(delays) / 200 < 200 / 1.5 / 2


async def test_a_wait_is_no_task_and_no_timer(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 300, lambda _: 5000)
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(hevo.await_all(jobs, timeout=4000))
    for _ in range(20):
        await asyncio.sleep(31.3)
        ours = [task for task in asyncio.all_tasks() - before if "hevo_edge" in repr(task)]
        assert len(ours) <= 3, "the one who waits, and the looks under way"
    loop: Any = asyncio.get_running_loop()
    assert sum("hevo_edge" in repr(timer) for timer in loop._scheduled) < 10
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not [task for task in asyncio.all_tasks() - before if "awaiting" in repr(task)]
    looks = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == looks


async def test_cancels_and_triggers_do_not_queue_behind_looks(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 300, lambda _: 50_000)
    waiting = asyncio.create_task(hevo.await_all(jobs))
    await asyncio.sleep(200)
    start = now()
    await jobs[250].cancel()
    assert now() - start < 0.1
    emulator.pipeline(123).appears_after = 0
    await hevo.pipeline(123).trigger()
    assert now() - start < 5
    assert refused(emulator) == 0
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_what_others_spend_of_the_quota_slows_us_down_and_fails_nobody(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 100, lambda n: 300 + n)
    async with client_of(emulator) as other:

        async def spend() -> None:
            while True:
                try:
                    await other.transport.send(_get(jobs[0]), Priority.TRIGGER)
                except errors.RateLimited:
                    await asyncio.sleep(30)

        spending = asyncio.create_task(spend())
        results = await hevo.await_all(jobs, on_failure="return")
        spending.cancel()
        await asyncio.wait({spending})
    assert [result.status for result in results if isinstance(result, Job)] == ["COMPLETED"] * 100
    assert refused(emulator) > 0


def _get(job: Job) -> Any:
    from hevo_edge import api  # noqa: PLC0415

    return api.get_job(job.pipeline_id, job.id)


async def test_a_new_wait_is_looked_at_soon_though_many_wait(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 400, lambda _: 50_000)
    waiting = asyncio.create_task(hevo.await_all(jobs[1:]))
    await asyncio.sleep(600)
    start = now()
    first: list[float] = []
    late = asyncio.create_task(
        jobs[0].await_completion(on_update=lambda _: first.append(now() - start))
    )
    await asyncio.sleep(60)
    assert first[0] < 5, "it may have ended long ago"
    for task in (waiting, late):
        task.cancel()
    await asyncio.wait({waiting, late})


# -- fairness -------------------------------------------------------------------------------------


class FakeEyes:
    """Sees Jobs that never end, at so many looks a second; notes when it looked at which."""

    def __init__(self, calls: int) -> None:
        self.limiter = RateLimiter(RateLimit(calls, 60.0), Clock())
        self.looks: dict[JobKey, list[float]] = {}

    async def read_job(self, key: JobKey, *, final: bool, on_slot: Callable[[], None]) -> JobData:
        slot = await self.limiter.acquire(Priority.LOOK)
        assert slot is not None
        on_slot()
        self.looks.setdefault(key, []).append(now())
        self.limiter.release(slot, sent=True)
        return JobData(job_id=key[1], status="IN_PROGRESS", duration=len(self.looks[key]))

    async def read_page(
        self,
        pipeline_id: int,
        cursor: str | None = None,
        *,
        final: bool,
        on_slot: Callable[[], None],
    ) -> Page[JobData]:
        raise NotImplementedError

    def free_slots(self, *, final: bool) -> int:
        return self.limiter.room(Priority.LOOK)

    def final_poll_timeout(self, polls: int) -> float:
        return 60.0


async def test_nobody_starves_beside_the_eager_ones() -> None:
    """The bound of the docs: its own interval, and four looks for each Job that is due."""
    eyes = FakeEyes(100)
    watcher = Watcher(eyes, Clock(seed=1))
    intervals = [0.01] * 40 + [1.0] * 40 + [15.0] * 60 + [300.0] * 20
    readers = [
        SnapshotStream(watcher, (number, "job"), schedules.fixed(interval))
        for number, interval in enumerate(intervals, 1)
    ]
    for reader in readers:
        await reader.__aenter__()
    await asyncio.sleep(2400)
    round_of_looks = len(intervals) / 1.5
    for number, interval in enumerate(intervals, 1):
        looks = eyes.looks[number, "job"]
        longest = max(after - before for before, after in itertools.pairwise(looks))
        assert longest <= interval + 4 * round_of_looks
    means = {
        interval: sum(
            len(eyes.looks[n, "job"]) for n, each in enumerate(intervals, 1) if each == interval
        )
        / intervals.count(interval)
        for interval in set(intervals)
    }
    # Who asks for more gets more, but not at any price for the others.
    assert means[0.01] >= means[1.0] >= means[15.0] > means[300.0]
    assert means[0.01] < 3 * means[15.0]
    for reader in readers:
        await reader.__aexit__(None, None, None)


async def test_within_the_budget_each_keeps_its_own_interval() -> None:
    eyes = FakeEyes(100)
    watcher = Watcher(eyes, Clock(seed=1))
    intervals = [20.0] * 10 + [60.0] * 20 + [300.0] * 15
    readers = [
        SnapshotStream(watcher, (number, "job"), schedules.fixed(interval))
        for number, interval in enumerate(intervals, 1)
    ]
    for reader in readers:
        await reader.__aenter__()
    await asyncio.sleep(3600)
    for number, interval in enumerate(intervals, 1):
        looks = eyes.looks[number, "job"][10:] if interval < 300 else eyes.looks[number, "job"][3:]
        for before, after in itertools.pairwise(looks):
            assert after - before == pytest.approx(interval, abs=1.5)
    for reader in readers:
        await reader.__aexit__(None, None, None)


async def test_thousands_who_wait_for_one_job_cost_one_look(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    asked = 0

    class Counting:
        def gap(self, age: float) -> float:
            nonlocal asked
            asked += 1
            return 15.0

    _, jobs = fleet(emulator, hevo, 1, lambda _: 40)
    same = Counting()
    handles = [hevo.job(jobs[0].ref) for _ in range(2000)]
    results = await hevo.await_all(handles, poll_interval=same)
    assert {job.status for job in results} == {"COMPLETED"}
    assert len(emulator.requests) == 4
    assert asked < 20, "who wants the same is asked once"


async def test_waits_for_a_start_and_for_an_end_share_the_budget(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 100, lambda n: 200 + n)
    ends = asyncio.create_task(hevo.await_all(jobs))
    for number in range(60):
        pipeline = emulator.add_pipeline(5000 + number)
        pipeline.plan(appears_after=0, duration=900)
    starts = [
        asyncio.create_task(hevo.pipeline(5000 + number).await_completion(timeout=3000))
        for number in range(60)
    ]
    await asyncio.sleep(100)
    began = emulator.now
    for number in range(60):
        emulator.pipeline(5000 + number).start_job(now=emulator.now)
    await ends
    assert emulator.now - began < 300, "160 looks a round, and rounds get shorter"
    found = await asyncio.gather(*starts)
    assert {job.status for job in found} == {"COMPLETED"}
    assert refused(emulator) == 0


async def test_idle_waits_for_a_start_get_their_share_and_no_more(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 300, lambda _: 50_000)
    for number in range(50):
        emulator.add_pipeline(5000 + number)
    waiting = [asyncio.create_task(hevo.await_all(jobs))]
    waiting += [
        asyncio.create_task(_list_of(hevo.pipeline(5000 + number).await_completion()))
        for number in range(50)
    ]
    await asyncio.sleep(900)
    lists, looks = (len(emulator.requests.of(name)) for name in ("list_jobs", "get_job"))
    assert lists / (lists + looks) == pytest.approx(50 / 350, abs=0.05)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def _list_of(job: Any) -> list[Job]:
    return [await job]


# -- lists ----------------------------------------------------------------------------------------


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
    assert results[2].data is not None
    assert results[2].data.duration_seconds == 70
    # At 0, 15 and 30 for all. Then each is looked at itself, as a list may lag behind; from then
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
async def test_what_the_list_does_not_show_is_looked_at_one_by_one(
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


async def test_a_blip_of_the_list_is_only_a_blip(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = several(emulator, hevo, 40, 70)
    emulator.faults.status(503, on="list_jobs", times=6)
    await hevo.await_all(jobs, timeout=300)
    assert len(emulator.requests.of("list_jobs")) == 4, "one look, and its retries"


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
async def test_a_list_that_lags_or_lacks_hides_no_end_and_no_count(
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


# -- learning -------------------------------------------------------------------------------------


def with_history(emulator: HevoEmulator, number: int, *durations: float) -> None:
    pipeline = emulator.add_pipeline(number)
    for n, duration in enumerate(durations):
        pipeline.add_history(created=START - 86_400 + n * 3600, duration=duration)


async def test_auto_learns_from_the_list_and_looks_when_the_end_is_near(
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
    looks = [call.at - start for call in calls]
    assert looks[0] == pytest.approx(15, abs=0.1), "a first look for what fails at once"
    assert len([at for at in looks if at < 500]) < 10, "fixed: 33"
    assert len([at for at in looks if 550 < at < 650]) > 10
    assert emulator.now - start - 615 < 3


async def test_auto_makes_its_first_look_by_the_list_for_a_job_not_seen_yet(
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
    for interval, looks in zip(intervals, (8, 3), strict=True):
        emulator.pipeline(7).plan(appears_after=0, duration=100)
        started = emulator.pipeline(7).start_job(now=emulator.now)
        before = len(emulator.requests)
        await hevo.job(7, started.job_id).await_completion(poll_interval=interval)
        assert len(emulator.requests) - before == looks


async def test_auto_learns_by_type(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with_history(emulator, 7, *[600.0] * 20)
    emulator.pipeline(7).plan(appears_after=0, duration=100, type="HISTORICAL")
    started = emulator.pipeline(7).start_job(now=emulator.now)
    await hevo.job(7, started.job_id).await_completion(poll_interval="auto")
    assert len(emulator.requests) == 8


# -- deadlines ------------------------------------------------------------------------------------


async def test_each_of_many_deadlines_has_its_last_look(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """They end seconds before the deadline they share; no budget can look at all at once."""
    _, jobs = fleet(emulator, hevo, 300, lambda n: 595 if n % 3 else 100_000)
    start = emulator.now
    results = await hevo.await_all(jobs, timeout=600, on_failure="return")
    for number, result in enumerate(results, 1):
        if number % 3:
            assert isinstance(result, Job)
        else:
            assert isinstance(result, errors.JobTimeout)
            looks = [c.at for c in emulator.requests.of("get_job") if jobs[number - 1].id in c.path]
            assert looks[-1] - start >= 600 - 0.01
    assert refused(emulator) == 0
    # As long as 300 calls take, and not much longer.
    assert emulator.now - start < 600 + 300 / 95 * 60.1 + 10


async def test_deadlines_in_an_outage_are_bounded(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 50, lambda _: 100_000)
    emulator.faults.status(429, headers={"Retry-After": "100"}, times=None)
    start = now()
    results = await hevo.await_all(jobs, timeout=60, on_failure="return")
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert now() - start < 60 + 300
    assert isinstance(results[0], errors.JobTimeout)


async def test_many_can_be_cancelled_at_their_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, jobs = fleet(emulator, hevo, 250, lambda _: 100_000)
    results = await hevo.await_all(jobs, timeout=300, on_timeout="cancel", on_failure="return")
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert all("was asked to cancel it" in str(result) for result in results)
    assert {job.status for job in emulated} <= {"CANCELLING", "CANCELLED"}


async def test_deadlines_are_each_ones_own(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 20, lambda _: 100_000)
    start = now()

    async def wait(number: int) -> float:
        with pytest.raises(errors.JobTimeout):
            await jobs[number].await_completion(poll_interval=1000, timeout=10 + number)
        return now() - start

    ends = await asyncio.gather(*map(wait, range(20)))
    assert ends == pytest.approx([10 + number for number in range(20)], abs=0.1)


# -- callbacks ------------------------------------------------------------------------------------


async def test_a_callback_that_raises_ends_its_wait_and_releases_the_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 3, lambda _: 40)

    async def crash(job: Job) -> None:
        raise ZeroDivisionError(job.id)

    others = asyncio.create_task(hevo.await_all(jobs[1:]))
    with pytest.raises(ZeroDivisionError):
        await jobs[0].await_completion(on_update=crash)
    looks = len(emulator.requests.of("get_job"))
    await others
    assert all(
        jobs[0].id not in call.path for call in list(emulator.requests.of("get_job"))[looks:]
    ), "nobody waits for it any more, so nobody looks"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_callback_that_is_cancelled_itself(
    is_async: bool, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 1, lambda _: 40)

    async def cancelled(_: Job) -> None:
        raise asyncio.CancelledError

    def cancelled_at_once(_: Job) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await jobs[0].await_completion(on_update=cancelled if is_async else cancelled_at_once)


async def test_a_slow_callback_delays_no_other_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 10, lambda n: 20 * n)
    seen: dict[str, float] = {}

    async def slow(job: Job) -> None:
        if job is jobs[0]:
            await asyncio.sleep(1000)
        elif job.is_terminal:
            seen[job.id] = emulator.now

    start = emulator.now
    await hevo.await_all(jobs, on_update=slow)
    assert [seen[job.id] - start for job in jobs[1:]] == pytest.approx(
        [15 * math.ceil(20 * n / 15) for n in range(2, 11)], abs=0.1
    )


async def test_a_callback_that_blocks_is_named_in_debug_mode(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    import time  # noqa: PLC0415

    _, jobs = fleet(emulator, hevo, 1, lambda _: 1)
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 0.05

    def blocks(_: Job) -> None:
        time.sleep(0.06)

    caplog.set_level(logging.WARNING, logger="hevo_edge")
    await jobs[0].await_completion(on_update=blocks)
    assert "blocked the event loop" not in caplog.text
    loop.set_debug(True)
    try:
        await hevo.job(jobs[0].ref).await_completion(on_update=blocks)
    finally:
        loop.set_debug(False)
    assert "blocked the event loop" in caplog.text
    assert "blocks" in caplog.text
    assert jobs[0].id in caplog.text


async def test_callbacks_see_the_callers_context(emulator: HevoEmulator, hevo: HevoClient) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    async def later(_: Job) -> None:
        await asyncio.sleep(0)
        seen.append(who.get())

    async def wait(name: str, callback: Any) -> None:
        who.set(name)
        await hevo.job(jobs[0].ref).await_completion(on_update=callback)

    _, jobs = fleet(emulator, hevo, 1, lambda _: 1)
    await asyncio.gather(wait("one", later), wait("two", lambda _: seen.append(who.get())))
    assert set(seen) == {"one", "two"}


# -- bad schedules --------------------------------------------------------------------------------


class Says:
    def __init__(self, first: Any, then: Any) -> None:
        self.first, self.then = first, then

    def gap(self, age: float) -> Any:
        return self.first if age < 10 else self.then

    def __repr__(self) -> str:
        return "my schedule"


@pytest.mark.parametrize(
    "wrong", [0, -1, float("nan"), float("inf"), 1e9, None, "soon", True, 10**400]
)
async def test_a_bad_answer_of_a_schedule(
    wrong: Any, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 3, lambda _: 40)
    with pytest.raises(errors.ConfigurationError, match="my schedule"):
        await jobs[0].await_completion(poll_interval=Says(wrong, 5))
    assert len(emulator.requests) == 0, "said at registration, before any call"
    other = asyncio.create_task(hevo.await_all([jobs[1]]))
    results = await hevo.await_all(
        [jobs[0], jobs[2]], poll_interval=Says(5, wrong), on_failure="return"
    )
    assert {type(result) for result in results} == {errors.ConfigurationError}
    assert "my schedule" in str(results[0])
    assert [job.status for job in await other] == ["COMPLETED"]


@pytest.mark.parametrize("wrong", ["Auto", "", 0, -3, float("nan"), 1e6, None, schedules.Fixed])
async def test_a_bad_poll_interval(wrong: Any, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError):
        await hevo.job("123:x").await_completion(poll_interval=wrong)


# -- progress -------------------------------------------------------------------------------------


async def test_progress_counts_when_jobs_are_many(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 12, lambda n: 20 * n)
    emulator.pipeline(1003).running.outcome = "FAILED"  # type: ignore[union-attr]
    await hevo.await_all(jobs, progress=True, on_failure="return")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "waiting for 12 Jobs"
    assert lines[1] == "1 of 12 waits are over, 11 to go, after 30s"
    assert lines[-1].startswith("12 of 12 waits are over, 1 of them with an error, 0 to go, after 4m0")
    assert len(lines) <= 13


def test_a_tally_says_something_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    tally = ProgressCounter(1000, 0.0)
    for number in range(1000):
        tally.count(failed=number % 100 == 0, now=number / 10)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "1,000 of 1,000 waits are over, 10 of them with an error, 0 to go, after 1m40s"
