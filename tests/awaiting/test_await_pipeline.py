"""``Pipeline.await_completion``: the Job that runs, else the next one to start."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import (
    HevoClient,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.triggering.support import now, run_as_scheduled


async def test_awaiting_a_pipeline_takes_the_job_that_runs(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100)
    job = await hevo.pipeline(123).await_completion()
    assert job.id == running
    assert job.status == "COMPLETED"


async def test_awaiting_a_pipeline_takes_the_next_job_to_start(emulator: HevoEmulator) -> None:
    emulator.add_pipeline(1, every_minutes=10, history=3, duration=50)
    async with client_of(emulator) as hevo:
        emulator.faults.status(503, on="list_jobs", skip=3, times=8)
        job = await hevo.pipeline(1).await_completion(job_type="incremental")
        assert job.status == "COMPLETED"
        emulated = next(job for job in emulator.pipeline(1).jobs if job.origin == "schedule")
        assert job.id == emulated.job_id
        with pytest.raises(errors.JobTimeout, match="no HISTORICAL Job") as caught:
            await hevo.pipeline(1).await_completion(job_type="HISTORICAL", timeout=700)
        assert caught.value.job is None


async def test_awaiting_a_pipeline_takes_a_job_that_is_not_in_the_list_yet(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=14, duration=60)
    unlisted = pipeline.start_job(now=emulator.now)
    await asyncio.sleep(12)
    job = await hevo.pipeline(123).await_completion(timeout=600)
    assert job.id == unlisted.job_id


async def test_awaiting_a_pipeline_survives_errors_at_its_first_poll(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100)
    emulator.faults.status(502, on="list_jobs", times=10)
    job = await hevo.pipeline(123).await_completion()
    assert job.id == running
    emulator.faults.delay(1000, on="list_jobs", times=None)
    start = now()
    with pytest.raises(errors.JobTimeout):
        await hevo.pipeline(123).await_completion(timeout=50)
    assert now() - start < 56


async def test_the_time_out_covers_the_start_as_well(emulator: HevoEmulator) -> None:
    emulator.add_pipeline(1, every_minutes=10, duration=5000)
    async with client_of(emulator) as hevo:
        start = now()
        with pytest.raises(errors.JobTimeout) as caught:
            await hevo.pipeline(1).await_completion(timeout=900)
        assert now() - start == pytest.approx(900, abs=0.1)
        assert caught.value.job is not None
