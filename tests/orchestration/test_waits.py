"""await_job and await_pipeline: waits that end in an outcome."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest

from hevo_edge import Certainty, HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import RunSpec, await_job, await_pipeline
from tests.conftest import START
from tests.orchestration.support import end_last_job, running_job


def at(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, timezone.utc)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("COMPLETED", "success"),
        ("FAILED", "failed"),
        ("CANCELLED", "failed"),
        ("SKIPPED", "failed"),
    ],
)
async def test_a_job_is_awaited(
    emulator: HevoEmulator, hevo: HevoClient, status: str, kind: str
) -> None:
    one = running_job(emulator, duration=60, outcome=status)
    outcome = await await_job(hevo.pipeline(123).job(one.job_id), RunSpec(123))
    assert (outcome.kind, outcome.job_id, outcome.certainty) == (kind, one.job_id, None)
    assert (outcome.error is None) is (kind == "success")
    assert outcome.has_ended


@pytest.mark.parametrize(
    ("certainty", "cancelled"), [(Certainty.LIKELY, 1), (Certainty.POSSIBLE, 0), (None, 0)]
)
async def test_at_the_deadline_only_the_tasks_own_job_is_cancelled(
    emulator: HevoEmulator, hevo: HevoClient, certainty: Certainty | None, cancelled: int
) -> None:
    job = hevo.pipeline(123).job(running_job(emulator).job_id)
    job.certainty = certainty
    outcome = await await_job(job, RunSpec(123, deadline=time.time() + 60, on_timeout="cancel"))
    assert outcome.kind == "timeout"
    assert outcome.certainty == certainty
    assert len(emulator.requests.of("cancel_job")) == cancelled


@pytest.mark.parametrize("left", [60, 7, 0])
async def test_a_time_out_names_the_limit_and_not_what_was_left_of_it(
    emulator: HevoEmulator, hevo: HevoClient, left: float
) -> None:
    job = hevo.pipeline(123).job(running_job(emulator).job_id)
    spec = RunSpec(123, deadline=time.time() + left, limit=90)
    assert "is still IN_PROGRESS after waiting 90 s" in (await await_job(job, spec)).message
    end_last_job(emulator)
    spec = RunSpec(123, deadline=time.time() + left, limit=90)
    outcome = await await_pipeline(hevo, spec, job_type="RESYNC")
    assert outcome.message == "no RESYNC Job of Pipeline 123 started within 90 s"


async def test_a_deadline_that_has_passed_leaves_one_poll(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job_id = emulator.pipeline(123).jobs[0].job_id
    spec = RunSpec(123, deadline=time.time() - 3600)
    assert spec.seconds_left() == 0
    assert (await await_job(hevo.pipeline(123).job(job_id), spec)).kind == "success"
    assert len(emulator.requests) == 1


async def test_a_job_that_is_not_there_is_a_final_error(hevo: HevoClient) -> None:
    outcome = await await_job(hevo.pipeline(123).job("abc"), RunSpec(123))
    assert (outcome.kind, outcome.error, outcome.is_final) == ("error", "NotFound", True)
    assert not outcome.has_ended


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([{"object_name": "a", "status": "FAILED"}], "failed objects: a (FAILED)"),
        ([{"status": "FAILED"}], "failed objects: an object without a name (FAILED)"),
        ([{"object_name": f"t{n}", "status": "FAILED"} for n in range(7)], " and 2 more"),
        ([{"object_name": "a", "status": "COMPLETED"}], None),
        ([], None),
    ],
)
async def test_the_failed_objects_are_named(
    emulator: HevoEmulator, hevo: HevoClient, rows: Any, named: str | None
) -> None:
    one = running_job(emulator, duration=60, outcome="FAILED")
    emulator.faults.body({"data": rows, "has_more": False}, on="list_job_objects")
    outcome = await await_job(hevo.pipeline(123).job(one.job_id), RunSpec(123))
    assert outcome.message.endswith(named) if named else "failed objects" not in outcome.message


async def test_one_page_of_objects_is_read(emulator: HevoEmulator, hevo: HevoClient) -> None:
    one = running_job(emulator, duration=60, outcome="FAILED")
    rows = [{"object_name": f"t{n}", "status": "COMPLETED"} for n in range(100)]
    emulator.faults.body(
        {"data": rows, "has_more": True, "next_cursor": "c"}, on="list_job_objects", times=None
    )
    outcome = await await_job(hevo.pipeline(123).job(one.job_id), RunSpec(123))
    assert outcome.kind == "failed"
    assert len(emulator.requests.of("list_job_objects")) == 1


async def test_objects_that_cannot_be_read_are_no_obstacle(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    one = running_job(emulator, duration=60, outcome="FAILED")
    emulator.faults.status(403, {"message": "no"}, on="list_job_objects", times=None)
    outcome = await await_job(hevo.pipeline(123).job(one.job_id), RunSpec(123))
    assert (outcome.kind, outcome.error) == ("failed", "JobFailed")
    assert "failed objects" not in outcome.message


# -- a Pipeline -----------------------------------------------------------------------------------


async def test_the_job_that_runs_is_awaited(emulator: HevoEmulator, hevo: HevoClient) -> None:
    one = running_job(emulator, duration=60)
    outcome = await await_pipeline(hevo, RunSpec(123))
    assert (outcome.kind, outcome.job_id) == ("success", one.job_id)


async def test_a_job_that_ended_since_is_taken(emulator: HevoEmulator, hevo: HevoClient) -> None:
    outcome = await await_pipeline(hevo, RunSpec(123), ended_since=at(START - 7200))
    assert outcome.job_id == emulator.pipeline(123).jobs[0].job_id


async def test_only_a_job_that_starts_later_or_is_of_the_type_is_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running_job(emulator, duration=60)
    spec = RunSpec(123, deadline=time.time() + 120)
    late = await await_pipeline(hevo, spec, started_since=at(emulator.now + 600))
    assert (late.kind, late.job_id, late.job) == ("timeout", None, None)
    assert not late.has_ended
    typed = await await_pipeline(hevo, RunSpec(123, deadline=time.time() + 1), job_type="RESYNC")
    assert typed.kind == "timeout"


async def test_a_pipeline_that_is_not_there_is_a_final_error(hevo: HevoClient) -> None:
    outcome = await await_pipeline(hevo, RunSpec(404))
    assert (outcome.kind, outcome.error, outcome.is_final) == ("error", "NotFound", True)


async def test_both_moments_are_a_final_error(hevo: HevoClient) -> None:
    moment = at(START)
    outcome = await await_pipeline(hevo, RunSpec(123), ended_since=moment, started_since=moment)
    assert (outcome.error, outcome.is_final) == ("ConfigurationError", True)
