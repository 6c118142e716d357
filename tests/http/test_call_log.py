"""One DEBUG line a call: method, path, status, time, attempt, and the calls that are left."""

from __future__ import annotations

import logging
import re

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of


def calls(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if re.match("(GET|POST) /", line)]


async def test_each_call_is_a_line(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hevo_edge.http")
    emulator.faults.status(503, on="get_pipeline")
    emulator.faults.drop(on="get_pipeline", skip=1)
    emulator.faults.delay(0.5, on="get_pipeline", skip=2)
    job = await hevo.pipeline(123).trigger()
    said = calls(caplog)
    assert len(said) == len(emulator.requests)
    path = "GET /api/v1/pipelines/123"
    assert said[0].startswith(f"{path}: 503 in 0 ms, attempt 1, ")
    assert said[1].startswith(f"{path}: RequestOutcomeUnknown in 0 ms, attempt 2, ")
    assert re.match(rf"{path}: 200 in 50\d ms, attempt 3, ", said[2])
    assert said[3].startswith(f"{path}/jobs?limit=100: 200 in 0 ms, attempt 1, ")
    assert said[4].startswith("POST /api/v1/pipelines/123/actions/sync-now: 200 in 0 ms")
    left = [int(re.findall(r"(\d+) calls left", line)[0]) for line in said]
    assert left == [left[0] - n for n in range(len(said))]
    assert job.id


async def test_without_a_limit_nothing_is_left_to_say(
    emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hevo_edge.http")
    async with client_of(emulator, rate_limit=None) as hevo:
        await hevo.get_pipeline(123)
    assert calls(caplog) == ["GET /api/v1/pipelines/123: 200 in 0 ms, attempt 1"]


async def test_a_call_that_was_not_sent(
    hevo: HevoClient, emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hevo_edge.http")
    await emulator.stop()
    with pytest.raises(errors.RequestNotSent):
        await hevo.get_pipeline(123)
    assert [line.partition(" in ")[0] for line in calls(caplog)] == [
        "GET /api/v1/pipelines/123: RequestNotSent"
    ] * 4


async def test_by_default_there_is_none(hevo: HevoClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hevo_edge.http")
    await hevo.get_pipeline(123)
    assert calls(caplog) == []
