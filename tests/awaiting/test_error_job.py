"""An error that is about one Job names it, whatever its class."""

from __future__ import annotations

import pickle
import re
from collections.abc import Awaitable, Callable

import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import many, started

REFUSED = {"message": "no"}


async def watch(job: Job) -> None:
    async for _ in job.watch():
        pass


async def list_objects(job: Job) -> None:
    async for _ in job.list_objects():
        pass


CALLS: list[Callable[[Job], Awaitable[object]]] = [
    Job.refresh,
    Job.cancel,
    Job.await_completion,
    lambda job: job.await_completion(timeout=0),
    watch,
    list_objects,
]


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_about_a_job(
    emulator: HevoEmulator, hevo: HevoClient, call: Callable[[Job], Awaitable[object]]
) -> None:
    _, job = started(emulator, hevo, duration=100)
    emulator.faults.status(403, REFUSED, times=None)
    with pytest.raises(errors.PermissionDenied) as caught:
        await call(job)
    assert caught.value.job is job
    there = pickle.loads(pickle.dumps(caught.value))
    assert there.job == job


async def test_each_wait_of_many(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(emulator, hevo, *({"duration": 100} for _ in range(5)))
    emulator.faults.status(403, REFUSED, on="get_job", times=None)
    results = await hevo.await_all([*jobs, jobs[0].ref], on_failure="return")
    told = [result.job for result in results if isinstance(result, errors.HevoError)]
    assert told == [*jobs, jobs[0]]


async def test_the_job_that_a_trigger_waits_for(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, running = started(emulator, hevo, duration=1000)
    emulator.faults.status(403, REFUSED, on="get_job", times=None)
    with pytest.raises(errors.PermissionDenied) as caught:
        await hevo.pipeline(123).trigger(if_running="wait")
    assert caught.value.job == running


async def test_what_is_about_no_job_names_none(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(403, REFUSED, times=None)
    with pytest.raises(errors.PermissionDenied) as caught:
        await hevo.get_pipeline(123)
    assert caught.value.job is None


# -- what a time-out says --------------------------------------------------------------------------


async def timed_out(job: Job, seconds: float) -> str:
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=seconds)
    assert caught.value.job is job
    return str(caught.value)


async def test_it_goes_on_where_the_final_poll_saw_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    assert "is still IN_PROGRESS after waiting 20 s. It goes on in Hevo." in await timed_out(
        job, 20
    )


async def test_when_it_was_seen_last(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    await job.refresh()
    emulator.faults.status(503, on="get_job", times=None)
    said = await timed_out(job, 40)
    assert re.search(
        "was IN_PROGRESS when it was last read, 4[0-2] s ago, and may have ended", said
    )
    assert "the final poll after waiting 40 s failed: GET " in said
    assert "goes on" not in said


async def test_that_it_was_never_seen(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.status(503, on="get_job", times=None)
    said = await timed_out(job, 40)
    assert "could not be read after waiting 40 s, so whether it runs is not known" in said
    assert "goes on" not in said
