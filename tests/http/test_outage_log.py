"""What is logged of requests that fail: the beginning, an hourly count, the end."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge._http.outage_log import OutageLog
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.http.support import GET, now


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> OutageLog:
    return OutageLog(lambda: clock.now)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_outage_is_its_beginning_its_hours_and_its_end(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2 * 3600):
        outages.failed(errors.ServerError("503: upstream", status=503))
        clock.now += 1
    for _ in range(400):
        outages.succeeded()
        clock.now += 1
    first, still, end = lines(caplog)
    assert first.endswith("503: upstream")
    assert "requests still fail: 3,601 of 3,601 failed within 3600 s; the last: 503" in still
    assert "answers again as it should: 7,200 of 7,230 failed within 7199 s" in end


@pytest.mark.parametrize("interval", [1, 15, 60, 300])
def test_a_gateway_that_answers_badly_at_times_for_two_days(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture, interval: int
) -> None:
    chance = random.Random(1)
    for _ in range(48 * 3600 // interval):
        clock.now += interval
        if chance.random() < 0.05:
            outages.failed(errors.RequestOutcomeUnknown("timed out"))
        else:
            outages.succeeded()
    assert len(lines(caplog)) < 100


@pytest.mark.parametrize(
    "refusal",
    [
        errors.NotFound("404", status=404),
        errors.AuthenticationError("401", status=401),
        errors.JobInProgress("409", status=409),
    ],
)
def test_a_refusal_is_no_outage(
    outages: OutageLog, caplog: pytest.LogCaptureFixture, refusal: errors.ApiError
) -> None:
    outages.failed(refusal)
    outages.succeeded()
    assert lines(caplog) == []


def test_a_second_outage_is_counted_from_its_beginning(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        outages.failed(errors.RequestNotSent("refused"))
        clock.now += 301
        outages.succeeded()
        clock.now += 3600
    assert len(lines(caplog)) == 4
    assert "1 of 2 failed within 0 s" in lines(caplog)[-1]


def test_the_end_of_outages_that_follow_each_other_is_believed_later_and_later(
    outages: OutageLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for quiet in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        outages.failed(errors.RequestNotSent("refused"))
        before = len(lines(caplog))
        clock.now += quiet - 1
        outages.succeeded()
        assert len(lines(caplog)) == before
        clock.now += 1
        outages.succeeded()
        assert len(lines(caplog)) == before + 1


@pytest.mark.parametrize("length", [12, 300])
async def test_a_minute_after_an_outage_it_is_said_to_be_over(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    caplog.set_level(logging.WARNING, "hevo_edge")
    emulator.pipeline(123).plan(duration=5000)
    job = await hevo.pipeline(123).trigger()
    waiting = asyncio.create_task(job.await_completion(poll_interval=15))
    await asyncio.sleep(60)
    emulator.faults.status(503, times=None)
    await asyncio.sleep(length)
    emulator.faults.clear()
    assert len(lines(caplog)) == 1
    await asyncio.sleep(60)
    assert "answers again" in lines(caplog)[-1]
    assert len(lines(caplog)) == 2
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_half_an_hour_of_503_with_many_waits_is_two_lines(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It was a line for each retry, and one for each poll: more than a thousand."""
    caplog.set_level(logging.WARNING, "hevo_edge")
    refs = []
    for number in range(1, 26):
        pipeline = emulator.add_pipeline(number, appears_after=0, duration=2700)
        refs.append(f"{number}:{pipeline.start_job(now=emulator.now).job_id}")
    waiting = asyncio.create_task(hevo.await_all(refs, poll_interval=60))
    await asyncio.sleep(60)
    emulator.faults.status(503, times=None)
    await asyncio.sleep(1800)
    emulator.faults.clear()
    assert len(await waiting) == 25
    first, end = lines(caplog)
    assert "503" in first
    assert "answers again" in end


async def test_a_call_without_a_slot_is_no_outage(
    emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(emulator) as hevo:
        hevo._core.transport._limiter.rejected(60.0)
        with pytest.raises(errors.RequestNotSent, match="call budget"):
            await hevo._core.transport.send(GET, Priority.POLL, deadline=now() + 1)
    assert lines(caplog) == []
