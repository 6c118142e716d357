"""A wait that is cancelled: it stops polling, and cancels the Job only if asked to."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import now, started
from tests.awaiting.test_interrupts import notes_of


async def test_cancelling_the_await_stops_polling_and_leaves_the_job_alone(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(31)
    polls = len(emulator.requests)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(100)
    assert len(emulator.requests) == polls
    assert not emulator.requests.of("cancel_job")
    assert asyncio.all_tasks() >= {asyncio.current_task()}


async def test_cancelling_while_a_poll_is_in_flight(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(20, on="get_job")
    waiting = asyncio.create_task(job.await_completion())
    staying = asyncio.create_task(hevo.job(job.ref).await_completion(timeout=60))
    await asyncio.sleep(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(errors.JobTimeout):
        await staying

    emulator.faults.delay(20, on="get_job")
    alone = asyncio.create_task(hevo.job(job.ref).await_completion())
    await asyncio.sleep(5)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone


async def test_an_interrupt_can_cancel_the_job_as_well(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True))
    await asyncio.sleep(31)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert emulated.status == "CANCELLING"


async def test_an_interrupt_that_cannot_cancel_is_bounded_and_logged(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    for fault, message in (("delay", "did not answer within 10 s"), ("status", "403")):
        getattr(emulator.faults, fault)(400 if fault == "delay" else 403, on="cancel_job")
        waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True))
        await asyncio.sleep(1)
        start = now()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert now() - start <= 10.1
        assert message in caplog.text


async def test_a_second_interrupt_does_not_end_the_cancelling_but_its_bound_does(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(400, on="cancel_job")
    waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True, cancel_timeout=20))
    await asyncio.sleep(1)
    start = now()
    waiting.cancel()
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await waiting
    assert now() == pytest.approx(start + 20, abs=0.01)
    assert job.ref in notes_of(caught.value)[0]


async def test_closing_the_client_ends_the_waits(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(1)
    await hevo.close()
    with pytest.raises(errors.HevoError, match="closed while a Job was awaited"):
        await waiting
