"""Waits in task groups and under anyio's scopes: who fails, who is cancelled, what goes on in Hevo."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import anyio
import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import many

FAILS = {"duration": 60, "outcome": "FAILED"}
LONG = {"duration": 36000}


async def in_task_group(waits: Sequence[Callable[[], Coroutine[Any, Any, Any]]]) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("asyncio.TaskGroup came with Python 3.11")
    else:

        async def awaited(wait: Callable[[], Coroutine[Any, Any, Any]]) -> None:
            await wait()

        async with asyncio.TaskGroup() as group:
            for wait in waits:
                group.create_task(awaited(wait))


async def in_anyio_group(waits: Sequence[Callable[[], Coroutine[Any, Any, Any]]]) -> None:
    async with anyio.create_task_group() as group:
        for wait in waits:
            group.start_soon(wait)


GROUPS = {"TaskGroup": in_task_group, "anyio": in_anyio_group}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("cancels", [False, True])
async def test_a_sibling_that_fails_ends_the_other_waits(
    emulator: HevoEmulator, hevo: HevoClient, group: str, cancels: bool
) -> None:
    jobs = many(emulator, hevo, FAILS, LONG, LONG)
    waits = [lambda job=job: job.await_completion(cancel_on_interrupt=cancels) for job in jobs]
    with pytest.raises(Exception) as raised:
        await GROUPS[group](waits)
    (failure,) = raised.value.exceptions  # type: ignore[attr-defined]
    assert isinstance(failure, errors.JobFailed)
    assert failure.job == jobs[0]
    cancelled = {call.pipeline_id for call in emulator.requests.of("cancel_job")}
    assert cancelled == ({2, 3} if cancels else set())
    before = len(emulator.requests)
    await asyncio.sleep(300)
    assert len(emulator.requests) == before
    if not cancels:
        assert [(await job.refresh()).is_terminal for job in jobs] == [True, False, False]


async def test_await_all_ends_no_other_wait(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(emulator, hevo, FAILS, {"duration": 600})
    failed, completed = await hevo.await_all(jobs, on_failure="return")
    assert isinstance(failed, errors.JobFailed)
    assert completed is jobs[1]


async def fail_after(job: Job, **wait: Any) -> None:
    with anyio.fail_after(40):
        await job.await_completion(**wait)


async def wait_for(job: Job, **wait: Any) -> None:
    try:
        await asyncio.wait_for(job.await_completion(**wait), 40)
    except asyncio.TimeoutError as error:  # the built-in one from Python 3.11 on
        raise TimeoutError from error


@pytest.mark.parametrize("bounded", [fail_after, wait_for])
@pytest.mark.parametrize("cancels", [False, True])
async def test_a_scope_makes_no_final_poll(
    emulator: HevoEmulator, hevo: HevoClient, bounded: Callable[..., Any], cancels: bool
) -> None:
    (job,) = many(emulator, hevo, LONG if cancels else {"duration": 39})
    with pytest.raises(TimeoutError) as raised:
        await bounded(job, cancel_on_interrupt=cancels)
    assert not isinstance(raised.value, errors.JobTimeout)
    assert job.status != "COMPLETED"
    assert len(emulator.requests.of("cancel_job")) == cancels


async def test_a_timeout_of_ours_does(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job, other = many(emulator, hevo, {"duration": 39}, LONG)
    assert (await job.await_completion(timeout=40)).status == "COMPLETED"
    with pytest.raises(errors.JobTimeout) as raised:
        await other.await_completion(timeout=40)
    assert raised.value.job is other
