"""Triggering in every state of the Pipeline, and through its restarts."""

from __future__ import annotations

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    PipelineAction,
    errors,
)
from hevo_edge.emulator import DIALECTS, HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, runs


@pytest.mark.parametrize(
    "status", ["DISABLED", "DISABLING", "DELETED", "RESTART_FAILED", "INITIALIZE_FAILED", "PAUSED"]
)
@pytest.mark.parametrize("action", list(PipelineAction))
async def test_a_state_in_which_nothing_can_run(
    emulator: HevoEmulator, hevo: HevoClient, status: str, action: PipelineAction
) -> None:
    emulator.pipeline(123).status = status
    with pytest.raises(errors.PipelineNotReady, match=status) as caught:
        await hevo.pipeline(123).trigger(action)
    assert (caught.value.status, caught.value.pipeline_id) == (status, 123)
    assert posts(emulator) == 0


@pytest.mark.parametrize("status", ["ENABLED", "BRAND_NEW_STATUS", "INITIALIZING"])
async def test_the_server_judges_every_other_state(
    emulator: HevoEmulator, hevo: HevoClient, status: str
) -> None:
    emulator.faults.unknown_value("status", status, on="get_pipeline", times=None)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    await job.await_completion()

    emulator.pipeline(123).status = "DISABLED"
    with pytest.raises(errors.ApiError, match="DISABLED") as caught:
        await hevo.pipeline(123).trigger()
    assert caught.value.code == "PIPELINE_NOT_ACTIVE"
    assert posts(emulator) == 2


async def test_restarting_is_waited_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).restart_duration = 300
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).plan(duration=20)
    start = now()
    job = await hevo.pipeline(123).trigger(if_running="wait")
    assert now() - start > 320
    assert job.type == "INCREMENTAL"


async def test_restarting_that_begins_after_the_check_is_waited_out_too(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).status = "RESTARTING"
    job = await hevo.fire(ticket)
    assert job.type == "INCREMENTAL"


async def test_restarting_forever_is_reported(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.unknown_value("status", "RESTARTING", on="get_pipeline", times=None)
    start = now()
    with pytest.raises(errors.PipelineNotReady, match="RESTARTING"):
        await hevo.pipeline(123).trigger()
    assert now() - start == pytest.approx(1800, abs=6)


async def test_a_resync_whose_restart_fails(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(fail_restart=True)
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="no new Job") as caught:
        await hevo.pipeline(123).resync(discovery_timeout=60)
    assert caught.value.ticket.action is PipelineAction.RESYNC
    with pytest.raises(errors.PipelineNotReady, match="RESTART_FAILED"):
        await hevo.pipeline(123).resync()


async def test_a_pipeline_that_does_not_exist(hevo: HevoClient) -> None:
    with pytest.raises(errors.NotFound, match="999 does not exist"):
        await hevo.pipeline(999).trigger()


async def test_a_restart_that_failed_is_reported_soon(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(fail_restart=True)
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="RESTART_FAILED") as caught:
        await hevo.pipeline(123).resync()
    assert "Enable the Pipeline later" in str(caught.value)
    assert now() - start < 45  # 10 s of restarting, and 20 s for a Job that began before it failed


async def test_a_restart_may_take_longer_than_jobs_take_to_show_up(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 900
    job = await hevo.pipeline(123).resync(discovery_timeout=60)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


async def test_a_restart_without_end_is_given_up_on(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).restart_duration = 10_000
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="the Pipeline is RESTARTING"):
        await hevo.pipeline(123).resync(discovery_timeout=60)
    assert now() - start == pytest.approx(1860, abs=15)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_resync_through_the_statuses_of_every_generation(dialect: str) -> None:
    """RESTARTING or RESYNCING, INITIALIZED or ENABLED, RESTART_FAILED or FAILED."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=1, restart_duration=200, duration=30)
        form = "drop_and_load" if dialect == "drop_and_load" else "resync_mode"
        async with client_of(emulator, dialect=form) as hevo:
            job = await hevo.pipeline(123).resync()
            assert [job.id] == runs(emulator)
            await job.await_completion()
            pipeline.plan(fail_restart=True)
            with pytest.raises(errors.JobNotFoundAfterTrigger, match="FAILED.*Enable the Pipeline"):
                await hevo.pipeline(123).resync()
            with pytest.raises(errors.PipelineNotReady, match="FAILED"):
                await hevo.pipeline(123).trigger()
            await hevo.pipeline(123).enable()
            pipeline.plan(fail_restart=False)
            pipeline.resync(emulator.now, drop_and_load=False)
            start = now()
            job = await hevo.pipeline(123).sync_now(if_running="wait")
            assert now() - start > 200
            assert job.type == "INCREMENTAL"
