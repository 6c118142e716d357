"""``timeout=0``: poll once, then time out."""

from __future__ import annotations

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator


async def test_a_running_job_is_polled_once(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(appears_after=0, duration=300)
    running = emulator.pipeline(123).start_job(now=emulator.now)
    job = hevo.pipeline(123).job(running.job_id)
    with pytest.raises(errors.JobTimeout, match=r"is still IN_PROGRESS\. It goes on in Hevo"):
        await job.await_completion(timeout=0)
    assert len(emulator.requests) == 1
    assert await job.await_completion(timeout=0, on_timeout="return") is job
    assert len(emulator.requests) == 2


async def test_a_job_that_is_over_is_no_time_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    over = emulator.pipeline(123).jobs[0]
    job = await hevo.pipeline(123).job(over.job_id).await_completion(timeout=0)
    assert job.status == "COMPLETED"
    assert len(emulator.requests) == 1


async def test_many_are_polled_once_each(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipelines = [
        emulator.add_pipeline(number, appears_after=0, duration=300) for number in range(200, 220)
    ]
    refs = [f"{one.id}:{one.start_job(now=emulator.now).job_id}" for one in pipelines]
    results = await hevo.await_all(refs, timeout=0, on_failure="return")
    assert all(isinstance(result, errors.JobTimeout) for result in results)
    assert len(emulator.requests) == 20


async def test_a_pipeline_without_a_run_is_polled_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    with pytest.raises(errors.JobTimeout, match="no new Job of Pipeline 123 started") as caught:
        await hevo.pipeline(123).await_completion(timeout=0)
    assert caught.value.job is None
    assert len(emulator.requests) == 1
