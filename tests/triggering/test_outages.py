"""An outage before the POST: a trigger with a time-out outlasts it, as nothing was started."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.triggering.support import now, posts, runs

PASSING: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": 503}),
    ("status", {"status": 429}),
    ("status", {"status": 403, "body": "<html>"}),
    ("drop", {}),
    ("html", {}),
]


@pytest.mark.parametrize(("fault", "options"), PASSING)
@pytest.mark.parametrize("on", ["get_pipeline", "list_jobs"])
async def test_reading_is_repeated_until_the_outage_is_over(
    emulator: HevoEmulator, hevo: HevoClient, fault: str, options: dict[str, Any], on: str
) -> None:
    rule = getattr(emulator.faults, fault)(on=on, times=None, **options)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger(timeout=3600))
    await asyncio.sleep(1800)
    rule.times = 0
    job = await triggering
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1
    assert len(emulator.requests) < 400


@pytest.mark.parametrize("call", ["trigger", "prepare_trigger"])
async def test_the_time_out_says_why(emulator: HevoEmulator, hevo: HevoClient, call: str) -> None:
    emulator.faults.status(503, times=None)
    start = now()
    with pytest.raises(errors.TriggerTimeout, match="reading its state and Jobs") as caught:
        await getattr(hevo.pipeline(123), call)(timeout=100)
    assert now() - start == pytest.approx(100, abs=0.1)
    assert isinstance(caught.value.__cause__, errors.ServerError)
    told = str(caught.value)
    assert "within 100 s" in told
    assert told.endswith(f"because requests failed; the last one: {caught.value.__cause__}")
    assert "longer timeout" not in told
    assert not posts(emulator)


async def test_without_a_time_out_it_ends_soon(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(503, times=None)
    start = now()
    with pytest.raises(errors.ServerError):
        await hevo.pipeline(123).trigger()
    assert now() - start < 10


@pytest.mark.parametrize(("status", "kind"), [(401, "AuthenticationError"), (404, "NotFound")])
async def test_what_no_time_mends_is_raised_at_once(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: str
) -> None:
    emulator.faults.status(status, {"message": "no"}, times=None)
    start = now()
    with pytest.raises(getattr(errors, kind)):
        await hevo.pipeline(123).trigger(timeout=3600)
    assert now() - start < 1


async def test_a_post_that_cannot_be_sent_is_sent_later(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    await emulator.stop()
    firing = asyncio.create_task(hevo.fire(ticket, timeout=3600))
    await asyncio.sleep(900)
    await emulator.start()
    job = await firing
    assert [job.id] == runs(emulator)

    await job.await_completion()
    ticket = await hevo.pipeline(123).prepare_trigger()
    await emulator.stop()
    with pytest.raises(errors.RequestNotSent):
        await hevo.fire(ticket)
    with pytest.raises(errors.TriggerTimeout, match="sending the POST|reading") as caught:
        await hevo.fire(ticket, timeout=60)
    assert isinstance(caught.value.__cause__, errors.RequestNotSent)
