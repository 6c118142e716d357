"""Two tasks that hold one ticket: neither changes its state under the other."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.triggering.support import posts, run_as_scheduled, runs


@pytest.mark.parametrize("timeout", [None, 100])
async def test_a_running_job_is_joined_by_both(
    emulator: HevoEmulator, hevo: HevoClient, timeout: float | None
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="join")
    running = run_as_scheduled(emulator, duration=300)
    jobs = await asyncio.gather(hevo.fire(ticket, timeout=100), hevo.fire(ticket, timeout=timeout))
    assert [job.id for job in jobs] == [running, running]


@pytest.mark.parametrize("at", [20, 22, 24, 24.5])
async def test_a_restart_does_not_reopen_a_ticket_that_another_task_posts(
    emulator: HevoEmulator, hevo: HevoClient, at: float
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 23
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    pipeline.plan(duration=0, appears_after=0, type="RESYNC")
    pipeline.plan(duration=1, appears_after=60)
    pipeline.resync(emulator.now, drop_and_load=False)
    one = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(at)
    for _ in range(4):
        emulator.faults.delay(2, on="list_jobs")
    results = await asyncio.gather(one, hevo.fire(ticket), return_exceptions=True)
    assert not any(isinstance(result, AssertionError) for result in results)
    assert sum(bool(call.took_effect) for call in emulator.requests.of("sync_now")) <= 1
    assert posts(emulator) >= 1


async def test_a_reconcile_beside_a_refused_post_takes_no_strangers_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    run_as_scheduled(emulator, duration=120)
    emulator.faults.delay(3, on="sync_now")
    one = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(1)
    job, found = await asyncio.gather(one, hevo.reconcile(ticket))
    assert found is None
    assert [job.id] == runs(emulator)
