"""A cancel is sent again after what may pass; Hevo cancels a Job once at most."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of

TRANSIENT: list[Any] = [
    pytest.param({"status": 429, "headers": {"Retry-After": "2"}}, id="429"),
    pytest.param({"status": 503}, id="503"),
    pytest.param({"status": 500}, id="500"),
    pytest.param(None, id="lost"),
]


def fail(emulator: HevoEmulator, fault: dict[str, Any] | None, times: int | None) -> None:
    if fault is None:
        emulator.faults.drop(on="cancel_job", times=times)
    else:
        emulator.faults.status(on="cancel_job", times=times, **fault)


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_it_is_sent_again(
    emulator: HevoEmulator, hevo: HevoClient, fault: dict[str, Any] | None
) -> None:
    job = await hevo.pipeline(123).trigger()
    fail(emulator, fault, 3)
    await job.cancel(wait=True)
    assert job.status == "CANCELLED"
    assert [call.took_effect for call in emulator.requests.of("cancel_job")] == [False] * 3 + [True]


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_not_for_ever(
    emulator: HevoEmulator, hevo: HevoClient, fault: dict[str, Any] | None
) -> None:
    job = await hevo.pipeline(123).trigger()
    fail(emulator, fault, None)
    with pytest.raises(errors.RequestError):
        await job.cancel()
    assert len(emulator.requests.of("cancel_job")) == 4


async def test_a_long_pause_is_no_pause(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = await hevo.pipeline(123).trigger()
    emulator.faults.status(429, headers={"Retry-After": "3600"}, on="cancel_job")
    with pytest.raises(errors.RateLimited):
        await job.cancel()


async def test_at_a_deadline_as_well(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=None)
    job = await hevo.pipeline(123).trigger()
    emulator.faults.status(503, on="cancel_job", times=2)
    with pytest.raises(errors.JobTimeout, match="Hevo was asked to cancel it"):
        await job.await_completion(timeout=60, on_timeout="cancel")
    assert emulator.pipeline(123).jobs[-1].status == "CANCELLING"


async def test_polls_leave_a_call_for_it_however_few_there_are(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(duration=None)
    async with client_of(emulator, rate_limit=RateLimit(5, 60.0)) as hevo:
        job = await hevo.pipeline(123).trigger()
        await asyncio.sleep(61)
        waits = [asyncio.ensure_future(job.refresh()) for _ in range(20)]
        await asyncio.sleep(1)
        before = asyncio.get_running_loop().time()
        await job.cancel()
        assert asyncio.get_running_loop().time() - before < 1
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
