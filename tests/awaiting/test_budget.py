"""Many waits in one call budget: it is kept, it is shared, and nobody starves."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, RateLimit, api, errors, schedules
from hevo_edge._awaiting.snapshots import SnapshotStream
from hevo_edge._awaiting.watched_job import JobKey
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData, Page
from tests.awaiting.support import fleet, many, now, refused
from tests.conftest import client_of


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


async def test_more_jobs_than_the_budget_has_calls_for_all_end_without_a_429(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(100, 60.0)) as hevo:
        jobs = many(emulator, hevo, *({"duration": 100 + n} for n in range(60)))
        await hevo.await_all(jobs)
    assert 429 not in {call.status for call in emulator.requests}


async def test_a_wait_is_no_task_and_no_timer(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 300, lambda _: 5000)
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(hevo.await_all(jobs, timeout=4000))
    for _ in range(20):
        await asyncio.sleep(31.3)
        ours = [task for task in asyncio.all_tasks() - before if "hevo_edge" in repr(task)]
        assert len(ours) <= 3, "the awaiting task, and the polls in flight"
    loop: Any = asyncio.get_running_loop()
    assert sum("hevo_edge" in repr(timer) for timer in loop._scheduled) < 10
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not [task for task in asyncio.all_tasks() - before if "awaiting" in repr(task)]
    polls = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == polls


async def test_what_others_spend_of_the_quota_slows_us_down_and_fails_nobody(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 100, lambda n: 300 + n)
    async with client_of(emulator) as other:

        async def spend() -> None:
            while True:
                try:
                    await other._core.transport.send(
                        api.get_job(1001, jobs[0].id), Priority.TRIGGER
                    )
                except errors.RateLimited:
                    await asyncio.sleep(30)

        spending = asyncio.create_task(spend())
        results = await hevo.await_all(jobs, on_failure="return")
        spending.cancel()
        await asyncio.wait({spending})
    assert [result.status for result in results if isinstance(result, Job)] == ["COMPLETED"] * 100
    assert refused(emulator) > 0


# -- who goes first -------------------------------------------------------------------------------


async def test_cancels_and_triggers_do_not_queue_behind_polls(
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


async def test_many_waits_delay_no_other_requests(emulator: HevoEmulator) -> None:
    async with client_of(emulator) as hevo:
        jobs = many(emulator, hevo, *({"duration": 3000} for _ in range(100)))
        waiting = asyncio.create_task(hevo.await_all(jobs))
        await asyncio.sleep(120)
        start = now()
        await hevo.pipeline(1).enable()
        assert now() - start < 5
        await hevo.get_pipeline(1)
        assert now() - start < 180
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_a_new_wait_is_polled_soon_though_many_wait(
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


async def test_waits_for_a_start_leave_calls_to_waits_for_an_end(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator) as hevo:
        idle = []
        for number in range(1000, 1060):
            emulator.add_pipeline(number, history=1)
            idle.append(asyncio.create_task(hevo.pipeline(number).await_completion()))
        (job,) = many(emulator, hevo, {"duration": 480})
        start = now()
        await job.await_completion(timeout=3600)
        assert now() - start < 600
        for waiting in idle:
            waiting.cancel()
        await asyncio.wait(idle)


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
    assert emulator.now - began < 300, "160 polls a round, and rounds get shorter"
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
    lists, polls = (len(emulator.requests.of(name)) for name in ("list_jobs", "get_job"))
    assert lists / (lists + polls) == pytest.approx(50 / 350, abs=0.05)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def _list_of(job: Any) -> list[Job[JobData]]:
    return [await job]


# -- fairness -------------------------------------------------------------------------------------


class FakeReader:
    """Reads Jobs that never end, at so many polls a minute; records when it read which."""

    def __init__(self, calls: int) -> None:
        self.limiter = RateLimiter(RateLimit(calls, 60.0), Clock())
        self.polls: dict[JobKey, list[float]] = {}

    async def read_job(self, key: JobKey, *, final: bool, on_slot: Callable[[], None]) -> JobData:
        slot = await self.limiter.acquire(Priority.POLL)
        assert slot is not None
        on_slot()
        self.polls.setdefault(key, []).append(now())
        self.limiter.release(slot, sent=True)
        return JobData(job_id=key[1], status="IN_PROGRESS", duration=len(self.polls[key]))

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
        return self.limiter.free_slots(Priority.POLL)

    def final_poll_timeout(self, polls: int) -> float:
        return 60.0

    @property
    def window(self) -> float:
        return self.limiter.window

    def spare_calls(self, share: float, own: int) -> float:
        return self.limiter.spare_calls(share, own)


async def test_nobody_starves_beside_short_intervals() -> None:
    """The bound of the docs: its own interval, and four polls for each Job that is due."""
    reader = FakeReader(100)
    watcher = Watcher(reader, Clock(seed=1))
    intervals = [0.01] * 40 + [1.0] * 40 + [15.0] * 60 + [300.0] * 20
    streams = [
        SnapshotStream(watcher, (number, "job"), schedules.fixed(interval))
        for number, interval in enumerate(intervals, 1)
    ]
    for stream in streams:
        await stream.__aenter__()
    await asyncio.sleep(2400)
    round_of_polls = len(intervals) / 1.5
    for number, interval in enumerate(intervals, 1):
        polls = reader.polls[number, "job"]
        longest = max(after - before for before, after in itertools.pairwise(polls))
        assert longest <= interval + 4 * round_of_polls
    means = {
        interval: sum(
            len(reader.polls[n, "job"]) for n, each in enumerate(intervals, 1) if each == interval
        )
        / intervals.count(interval)
        for interval in set(intervals)
    }
    # A shorter interval gets more polls, but not at any price for the others.
    assert means[0.01] >= means[1.0] >= means[15.0] > means[300.0]
    assert means[0.01] < 3 * means[15.0]
    for stream in streams:
        await stream.__aexit__(None, None, None)


async def test_within_the_budget_each_keeps_its_own_interval() -> None:
    reader = FakeReader(100)
    watcher = Watcher(reader, Clock(seed=1))
    intervals = [20.0] * 10 + [60.0] * 20 + [300.0] * 15
    streams = [
        SnapshotStream(watcher, (number, "job"), schedules.fixed(interval))
        for number, interval in enumerate(intervals, 1)
    ]
    for stream in streams:
        await stream.__aenter__()
    await asyncio.sleep(3600)
    for number, interval in enumerate(intervals, 1):
        polls = (
            reader.polls[number, "job"][10:] if interval < 300 else reader.polls[number, "job"][3:]
        )
        for before, after in itertools.pairwise(polls):
            assert after - before == pytest.approx(interval, abs=1.5)
    for stream in streams:
        await stream.__aexit__(None, None, None)
