"""When a Job is polled: waits for it share polls, at the shortest of their intervals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, RateLimit, errors, schedules
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, now, started
from tests.conftest import client_of


async def test_waits_for_one_job_share_its_polls(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulated, job = started(emulator, hevo, duration=100)

    async def later(seconds: float) -> Job:
        await asyncio.sleep(seconds)
        return await hevo.job(f"123:{emulated.job_id}").await_completion()

    alone = asyncio.create_task(job.await_completion())
    others = [asyncio.create_task(later(seconds)) for seconds in (0, 1, 7, 16, 99)]
    await asyncio.gather(alone, *others)
    assert len(emulator.requests.of("get_job")) == 8


async def test_the_shortest_interval_counts(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    slow = asyncio.create_task(job.await_completion(poll_interval=50))
    await asyncio.sleep(20)
    fast = hevo.job(job.ref)
    with pytest.raises(errors.JobTimeout):
        await fast.await_completion(poll_interval=5, timeout=20)
    # At 0 for the slow one; then at once, as five seconds are long over, and every five until the
    # deadline, where the final poll is; then at the slow one's own interval again.
    polls = [call.at - emulated.created for call in emulator.requests.of("get_job")]
    assert polls == pytest.approx([0, 20, 25, 30, 35, 40], abs=0.01)
    await slow
    assert len(emulator.requests.of("get_job")) == 8


async def test_a_job_just_read_is_not_polled_at_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job = await hevo.pipeline(123).trigger()
    seen_at = emulator.requests[-1].at
    await job.await_completion()
    assert emulator.requests.of("get_job")[0].at - seen_at == pytest.approx(15, abs=0.01)


async def test_a_newer_snapshot_is_published_to_other_waits(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    seen: list[int | None] = []
    waiting = asyncio.create_task(
        job.await_completion(
            poll_interval=60,
            on_update=lambda job: seen.append(job.data.duration),
        )
    )
    await asyncio.sleep(30)
    fresh = await hevo.job(job.ref).refresh()
    other = asyncio.create_task(fresh.await_completion(poll_interval=60))
    await asyncio.sleep(0)
    assert fresh.data.duration == 30_000
    await asyncio.gather(waiting, other)
    assert seen == [0, 30_000, 90_000, 100_000]


async def test_what_the_user_reads_saves_a_poll(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=100)
    waiting = asyncio.create_task(hevo.job(job.ref).await_completion(poll_interval=3000))
    await asyncio.sleep(110)
    start = now()
    await job.refresh()
    assert (await waiting).status == "COMPLETED"
    assert now() - start < 1


async def test_a_late_reply_hides_no_newer_snapshot(emulator: HevoEmulator) -> None:
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


async def test_a_deferred_job_is_polled_anew(emulator: HevoEmulator, hevo: HevoClient) -> None:
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


async def test_thousands_of_waits_for_one_job_cost_one_poll(
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
    assert asked < 20, "equal schedules are asked once"


# -- schedules ------------------------------------------------------------------------------------


async def test_any_schedule_will_do(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulated, job = started(emulator, hevo, duration=200)
    await job.await_completion(
        poll_interval=schedules.geometric(share=0.5, shortest=10, longest=60)
    )
    polls = [call.at - emulated.created for call in emulator.requests.of("get_job")]
    assert polls == pytest.approx([0, 10, 20, 30, 45, 67.5, 101.25, 151.88, 211.88], abs=0.1)


async def test_a_schedule_that_breaks_ends_its_own_wait_only(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    class Broken:
        def gap(self, age: float) -> float:
            return 10 if age < 25 else -1

    class Crashing:
        def gap(self, age: float) -> float:
            raise RuntimeError("of its own")

    _, job = started(emulator, hevo, duration=100)
    other = asyncio.create_task(hevo.job(job.ref).await_completion())
    with pytest.raises(errors.ConfigurationError, match="Broken"):
        await job.await_completion(poll_interval=Broken())
    with pytest.raises(RuntimeError, match="of its own"):
        await hevo.job(job.ref).await_completion(poll_interval=Crashing())
    assert (await other).status == "COMPLETED"


async def test_a_schedule_by_age_needs_no_duration_from_hevo(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    emulator.faults.missing_field("duration", times=None)
    await job.await_completion(poll_interval=schedules.geometric())
    assert len(emulator.requests.of("get_job")) < 100


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


class Scripted:
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
        await jobs[0].await_completion(poll_interval=Scripted(wrong, 5))
    assert len(emulator.requests) == 0, "raised at registration, before any call"
    other = asyncio.create_task(hevo.await_all([jobs[1]]))
    results = await hevo.await_all(
        [jobs[0], jobs[2]], poll_interval=Scripted(5, wrong), on_failure="return"
    )
    assert {type(result) for result in results} == {errors.ConfigurationError}
    assert "my schedule" in str(results[0])
    assert [job.status for job in await other] == ["COMPLETED"]


@pytest.mark.parametrize("wrong", ["Auto", "", 0, -3, float("nan"), 1e6, None, schedules.Fixed])
async def test_a_bad_poll_interval(wrong: Any, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError):
        await hevo.job("123:x").await_completion(poll_interval=wrong)
