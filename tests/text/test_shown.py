"""What a user sees of Jobs whose words are hostile, huge or hardly readable."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.triggering import TriggerTicket
from tests.awaiting.support import started
from tests.text.test_printable import FORGED, is_one_line

HOSTILE = {"forged": FORGED, "huge": "x" * 1_000_000, "half an emoji": "Orders \ud83d"}
LONGEST = 5000


@pytest.fixture(params=list(HOSTILE.values()), ids=list(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def row(**fields: Any) -> dict[str, Any]:
    return {"job_id": "j1", "created_ts": 1, "events_loaded": 3, "duration": 5, **fields}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def check(caplog: pytest.LogCaptureFixture, *shown: object) -> None:
    lines = [record.getMessage() for record in caplog.records]
    for line in [*lines, *map(str, shown), *map(repr, shown)]:
        assert is_one_line(line)
        assert len(line) < LONGEST


async def test_a_wait_shows_one_line_a_change(
    emulator: HevoEmulator,
    hevo: HevoClient,
    hostile: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    _, job = started(emulator, hevo)
    for status, skip in ((f"S{hostile}", 0), ("FAILED", 2)):
        fields = row(job_id=job.id, status=status, type=f"T{hostile}", name=hostile)
        emulator.faults.body(body(fields), on="get_job", times=2, skip=skip)
    with pytest.raises(errors.JobFailed) as caught:
        await job.await_completion(progress=True, poll_interval=5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(is_one_line(line) and len(line) < LONGEST for line in lines)
    assert lines[0].startswith("Pipeline 123 T")
    assert "has the unknown status" in caplog.text
    check(caplog, caught.value, job, job.data)
    assert len(str(caught.value)) < 1000
    assert "see Job.list_objects()" in str(caught.value)
    assert job.type is not None
    assert job.type.startswith("T")
    assert len(job.type) == 1 + len(hostile)  # the data is whole
    assert pickle.loads(pickle.dumps(job)).data == job.data


async def test_a_trigger_names_a_hostile_job_in_one_line(
    emulator: HevoEmulator, hevo: HevoClient, hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    running = row(job_id=f"j{hostile}", type=hostile, status="IN_PROGRESS")
    emulator.faults.body(body({"data": [running]}), on="list_jobs", times=9)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.pipeline(123).trigger()
    check(caplog, caught.value, caught.value.job)
    assert "was not started. Pass if_running=" in str(caught.value)


async def test_a_hostile_row_spoils_neither_a_list_nor_a_trigger(
    emulator: HevoEmulator, hevo: HevoClient, hostile: str
) -> None:
    old = row(status="COMPLETED", type=hostile, extra={hostile: [hostile]})
    emulator.faults.body(body({"data": [old], "has_more": False}), on="list_jobs", times=2)
    pipeline = hevo.pipeline(123)
    assert [job.id async for job in pipeline.list_jobs()] == ["j1"]
    emulator.faults.body(body({"id": 123, "name": hostile, "status": "INITIALIZED"}), times=1)
    await pipeline.refresh()
    assert is_one_line(repr(pipeline))
    assert len(repr(pipeline)) < LONGEST
    job = await pipeline.trigger()
    assert await job.await_completion() is job


@pytest.mark.parametrize("status", [200, 400, 409, 500])
async def test_a_reply_to_the_post_reaches_the_ticket_printable(
    emulator: HevoEmulator,
    hevo: HevoClient,
    hostile: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    stored: list[str] = []
    said = body({"message": hostile, hostile: hostile}).decode()
    if status == 200:
        # Half of it, so that it is no JSON.
        emulator.faults.body(said[:-2].encode(), on="sync_now")
    else:
        emulator.faults.status(status, said, on="sync_now")
    shown: list[object] = []
    try:
        shown.append(
            await hevo.pipeline(123).trigger(
                on_ticket=lambda ticket: stored.append(ticket.dumps()), discovery_timeout=20
            )
        )
    except errors.HevoError as error:
        shown.append(error)
    check(caplog, *shown)
    assert stored
    for text in stored:
        assert len(text) < LONGEST + 2000
        assert TriggerTicket.loads(text).dumps() == text


async def test_an_accepted_post_is_accepted_whatever_words_it_is_accepted_with(
    emulator: HevoEmulator, hevo: HevoClient, hostile: str
) -> None:
    emulator.faults.body(body({"message": hostile}), on="sync_now")
    job = await hevo.pipeline(123).trigger()
    assert job.certainty != "possible"


async def test_an_error_body_with_half_an_emoji_is_printable(
    emulator: HevoEmulator, hevo: HevoClient, hostile: str
) -> None:
    said = body({"message": hostile, "code": "A" * 100_000}).decode()
    emulator.faults.status(400, said, on="get_pipeline")
    with pytest.raises(errors.ApiError) as caught:
        await hevo.get_pipeline(123)
    error = caught.value
    assert is_one_line(str(error))
    assert len(str(error)) < 1000
    assert len(error.body) < LONGEST
    assert len(error.code or "") < 300
    error.body.encode()
