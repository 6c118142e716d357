"""Many triggers at once, in a small call budget."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import (
    HevoClient,
    Job,
    RateLimit,
    TriggerTicket,
    api,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


async def test_two_triggers_of_one_pipeline_never_interleave(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    async with client_of(emulator) as other:
        results = await asyncio.gather(
            hevo.pipeline(123).trigger(),
            other.pipeline(123).trigger(),
            hevo.pipeline(123).trigger(if_running="join"),
            return_exceptions=True,
        )
    assert posts(emulator) == 1
    assert isinstance(results[2], Job)
    # Whoever comes first starts it.
    assert all(job == results[2] for job in results if isinstance(job, Job))
    refused = [error for error in results if not isinstance(error, Job)]
    assert refused
    assert all(isinstance(error, errors.JobInProgress) for error in refused)


@pytest.mark.parametrize("waiters", [1, 3])
async def test_fail_does_not_wait_for_the_job_of_a_run_that_is_known_to_be_started(
    emulator: HevoEmulator, hevo: HevoClient, waiters: int
) -> None:
    emulator.pipeline(123).plan(appears_after=100, duration=600)
    emulator.faults.delay(5, on="sync_now")
    first = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(1)
    start = now()
    async with client_of(emulator) as other:

        async def fails() -> float:
            with pytest.raises(errors.JobInProgress, match="not in the list yet") as caught:
                await other.pipeline(123).trigger()
            assert caught.value.job is None
            return now() - start

        # They hear of it as soon as Hevo has accepted, and later ones at once.
        waits = await asyncio.gather(*(fails() for _ in range(waiters)))
        assert waits == pytest.approx([4] * waiters, abs=0.5)
        start = now()
        assert await fails() < 0.5
    job = await first
    # The run is over, and so is what was known of it.
    await job.await_completion()
    again = await hevo.pipeline(123).trigger()
    assert [job.id, again.id] == runs(emulator)


async def test_fail_waits_for_a_trigger_that_may_have_started_nothing(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.drop(on="sync_now", effect="before")
    first = asyncio.create_task(hevo.pipeline(123).trigger(discovery_timeout=30))
    await asyncio.sleep(1)
    job = await hevo.pipeline(123).trigger()
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await first
    assert [job.id] == runs(emulator)


async def test_a_trigger_that_waits_does_not_block_another(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
    await asyncio.sleep(5)
    start = now()
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(123).trigger()
    assert now() == pytest.approx(start, abs=0.01)
    job = await waiting
    assert [job.id] == runs(emulator)


async def test_cancelling_a_trigger_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=600)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(2)
    triggering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await triggering
    calls = len(emulator.requests)
    await asyncio.sleep(60)
    assert len(emulator.requests) == calls
    # The lock is free again.
    job = await hevo.pipeline(123).trigger(if_running="join")
    assert [job.id] == runs(emulator)


async def test_a_job_that_came_and_went_while_the_post_waited_is_not_taken(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(10, 60.0)) as hevo:
        for _ in range(9):
            await hevo.send(api.get_job(123, emulator.pipeline(123).jobs[0].job_id))
        triggering = asyncio.create_task(hevo.pipeline(123).trigger())
        await asyncio.sleep(10)
        scheduled = run_as_scheduled(emulator, duration=20)
        job = await triggering
    assert job.id != scheduled
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert posts(emulator) == 1


@pytest.mark.parametrize("calls", [1, 3, 4, 10])
async def test_a_small_share_of_calls_is_enough_to_trigger(
    emulator: HevoEmulator, calls: int
) -> None:
    """Used evenly, so that there is a slot every now and then and never two at once."""
    async with client_of(emulator, rate_limit=RateLimit(calls, 60.0)) as hevo:
        others = [hevo.job(123, emulator.pipeline(123).jobs[0].job_id) for _ in range(20)]

        async def keep_busy(job: Job) -> None:
            while True:
                await job.refresh()

        busy = [asyncio.create_task(keep_busy(job)) for job in others]
        await asyncio.sleep(300)
        emulator.pipeline(123).plan(duration=3600)
        job = await hevo.pipeline(123).trigger(discovery_timeout=600)
        assert [job.id] == runs(emulator)
        assert posts(emulator) == 1
        for task in busy:
            task.cancel()
        await asyncio.wait(busy)


async def test_a_hundred_triggers_on_scheduled_pipelines_find_their_own_jobs() -> None:
    async with HevoEmulator(start=START) as emulator:
        for number in range(1, 41):
            emulator.add_pipeline(number, every_minutes=3, duration=20, history=1)
        await asyncio.sleep(150)
        async with client_of(emulator) as hevo:
            jobs = await asyncio.gather(
                *(hevo.pipeline(number).trigger(if_running="wait") for number in range(1, 41))
            )
        for job in jobs:
            assert [job.id] == runs(emulator, job.pipeline_id)
        assert 429 not in {call.status for call in emulator.requests}


@pytest.mark.parametrize("foreign", [True, False])
async def test_an_old_ticket_fired_twice_at_once_is_posted_once(
    emulator: HevoEmulator, hevo: HevoClient, foreign: bool
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    await asyncio.sleep(10)
    async with client_of(emulator) as other:
        firing = other if foreign else hevo
        emulator.pipeline(123).plan(duration=2, appears_after=0)
        first, second = await asyncio.gather(firing.fire(ticket), firing.fire(ticket))
    assert first == second
    assert posts(emulator) == 1


async def test_a_search_for_a_ticket_holds_the_pipelines_lock(emulator: HevoEmulator) -> None:
    async with client_of(emulator) as first:
        text = (await first.pipeline(123).prepare_trigger(discovery_timeout=60)).dumps()
    async with client_of(emulator) as hevo:
        firing = asyncio.create_task(hevo.fire(TriggerTicket.loads(text)))
        await asyncio.sleep(3)
        triggering = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
        jobs = await asyncio.gather(firing, triggering)
    assert [job.id for job in jobs] == runs(emulator)
