"""``await_all`` and ``as_completed``: many Jobs as a group."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import many, now


async def test_await_all_keeps_the_order(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(emulator, hevo, {"duration": 50}, {"duration": 10}, {"duration": 30})
    assert await hevo.await_all([jobs[0], jobs[1].ref, jobs[2]]) == jobs
    assert await hevo.await_all([]) == []


async def test_await_all_raises_the_first_failure_and_ends_the_rest(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 500}, {"duration": 10, "outcome": "FAILED"})
    start = now()
    with pytest.raises(errors.JobFailed) as caught:
        await hevo.await_all(jobs)
    assert caught.value.job == jobs[1]
    assert now() - start == pytest.approx(15, abs=0.1)
    polls = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == polls


async def test_a_failure_in_a_group_cancels_nothing_in_hevo_but_an_interrupt_does(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 500}, {"duration": 10, "outcome": "FAILED"})
    with pytest.raises(errors.JobFailed):
        await hevo.await_all(jobs, cancel_on_interrupt=True)
    assert len(asyncio.all_tasks()) <= 4, "the other waits are over when await_all raises"
    assert not emulator.requests.of("cancel_job")

    waiting = asyncio.create_task(
        hevo.await_all(jobs, cancel_on_interrupt=True, on_failure="return")
    )
    await asyncio.sleep(20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [call.pipeline_id for call in emulator.requests.of("cancel_job")] == [1]


async def test_await_all_can_collect_failures(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(
        emulator, hevo, {"duration": 50}, {"duration": 10, "outcome": "FAILED"}, {"duration": 500}
    )
    results = await hevo.await_all(jobs, on_failure="return", timeout=60)
    assert results[0] is jobs[0]
    assert isinstance(results[1], errors.JobFailed)
    assert isinstance(results[2], errors.JobTimeout)


async def test_as_completed_yields_in_the_order_of_ending(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    plans: list[dict[str, Any]] = [
        {"duration": 50},
        {"duration": 10, "outcome": "FAILED"},
        {"duration": 30},
    ]
    jobs = many(emulator, hevo, *plans)
    ended = [result async for result in hevo.as_completed(jobs, on_failure="return")]
    assert isinstance(ended[0], errors.JobFailed)
    assert [ended[0].job, *ended[1:]] == [jobs[1], jobs[2], jobs[0]]

    with pytest.raises(errors.JobFailed):
        async for _ in hevo.as_completed([hevo.job(job.ref) for job in jobs]):
            pass


async def test_leaving_a_group_early_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 10}, {"duration": 5000}, {"duration": 5000})
    async with aclosing(hevo.as_completed(jobs)) as ending:
        async for job in ending:
            assert job == jobs[0]
            break
    waiting = asyncio.create_task(hevo.await_all(jobs[1:]))
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    polls = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == polls


async def test_a_crash_in_a_callback_is_never_collected(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 10}, {"duration": 20})

    def crash(_: Job) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hevo.await_all(jobs, on_failure="return", on_update=crash)


async def test_jobs_that_have_failed_already_are_all_accounted_for(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = many(emulator, hevo, *({"duration": 1, "outcome": "FAILED"} for _ in range(3)))
    await asyncio.sleep(2)
    for job in jobs:
        await job.refresh()
    with pytest.raises(errors.JobFailed):
        await hevo.await_all(jobs)
    gc.collect()
    await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text
