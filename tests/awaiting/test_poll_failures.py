"""Failures of a poll: transient ones never end a wait, the others end every wait."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import now, started
from tests.conftest import START, client_of


@pytest.mark.parametrize(
    "fault",
    [
        ("drop", {}),
        ("status", {"status": 500}),
        ("status", {"status": 503, "headers": {"Retry-After": "1000"}}),
        ("status", {"status": 408}),
        ("status", {"status": 499, "body": "<html>closed</html>"}),
        ("status", {"status": 429}),
        ("status", {"status": 429, "headers": {"Retry-After": "300"}}),
        ("status", {"status": 429, "headers": {"Retry-After": "0"}}),
        ("html", {}),
        ("truncate", {}),
        ("body", {"body": []}),
        ("delay", {"seconds": 50}),
    ],
)
async def test_a_transient_error_is_never_a_failed_job(
    emulator: HevoEmulator, hevo: HevoClient, fault: tuple[str, dict[str, Any]]
) -> None:
    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    getattr(emulator.faults, fault[0])(on="get_job", times=12, **fault[1])
    await job.await_completion()
    assert job.status == "COMPLETED"


async def test_an_outage_is_waited_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=100)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(20)
    await emulator.stop()
    await asyncio.sleep(300)
    await emulator.start()
    assert (await waiting).status == "COMPLETED"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, errors.AuthenticationError), (403, errors.PermissionDenied)]
)
async def test_what_makes_polls_pointless_ends_every_wait(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: type[errors.ApiError]
) -> None:
    _, job = started(emulator, hevo, duration=100)
    waits = [asyncio.create_task(hevo.job(job.ref).await_completion()) for _ in range(3)]
    await asyncio.sleep(20)
    emulator.faults.status(status, on="get_job", times=None)
    caught = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(error) for error in caught] == [kind] * 3
    assert len({id(error) for error in caught}) == 3


async def test_a_wait_that_fails_cancels_no_poll_of_others(emulator: HevoEmulator) -> None:
    emulator.rate_limit = None
    # On a connection that was kept, each refusal would be asked for again.
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        client_of(emulator, rate_limit=None, session=session) as hevo,
    ):
        jobs = [started(emulator, hevo, 1000 + n, duration=100)[1] for n in range(150)]
        waiting = asyncio.create_task(
            hevo.await_all(jobs, poll_interval=600, timeout=200, on_failure="return")
        )
        await asyncio.sleep(150)
        emulator.faults.status(403, on="get_job", times=50)
        results = await waiting
    kinds = [type(result).__name__ for result in results]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"PermissionDenied": 50, "Job": 100}


# -- 404 ------------------------------------------------------------------------------------------


async def test_a_job_that_does_not_exist(emulator: HevoEmulator, hevo: HevoClient) -> None:
    start = now()
    with pytest.raises(errors.NotFound):
        await hevo.job("123:nope").await_completion()
    # Over a kept connection an error may be a stray reply, so it is asked for again over another.
    assert {round(call.at - START) for call in emulator.requests} == {0, 10, 20}
    assert now() - start == pytest.approx(20, abs=0.1)
    with pytest.raises(errors.NotFound):
        await hevo.job("123:nope").await_completion(timeout=0)


@pytest.mark.parametrize("interval", [0.2, 15.0, 3600.0])
async def test_a_404_is_confirmed_in_the_same_time_whatever_the_interval(
    emulator: HevoEmulator, hevo: HevoClient, interval: float
) -> None:
    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=None)
    start = now()
    with pytest.raises(errors.NotFound):
        await job.await_completion(poll_interval=interval)
    assert now() - start == pytest.approx(interval + 60, abs=0.1)


async def test_a_job_read_before_is_gone_only_when_that_is_confirmed(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=6)
    await job.await_completion()
    assert job.status == "COMPLETED"

    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=None)
    start = now()
    with pytest.raises(errors.NotFound):
        await job.await_completion()
    # One poll on schedule, and six after it.
    assert now() - start == pytest.approx(75, abs=0.1)


async def test_404s_are_counted_in_a_row(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=120)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=6)
    emulator.faults.status(404, on="get_job", skip=7, times=6)
    await job.await_completion()
    assert job.status == "COMPLETED"


async def test_one_404_is_not_believed_of_a_job_that_another_wait_has_read(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=60)
    await job.refresh()
    emulator.faults.status(503, on="get_job", times=4)
    blind = asyncio.create_task(hevo.job(job.ref).await_completion())
    await asyncio.sleep(10)
    seeing = asyncio.create_task(job.await_completion())
    await asyncio.sleep(0)
    emulator.faults.status(404, on="get_job", times=1)
    await asyncio.gather(blind, seeing)
    assert job.status == "COMPLETED"
