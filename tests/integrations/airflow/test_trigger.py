"""The trigger: what it waits for, and what it says."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoTrigger
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import (
    end_last_job,
    event_of,
    last_job,
    reborn,
    start_by_schedule,
)


def job_of(emu: HevoEmulator, duration: float | None = 20, **plan: Any) -> str:
    """Start a Job of Pipeline 123 that shows at once. Returns its id."""
    emu.pipeline(123).plan(duration=duration, appears_after=0, **plan)
    return start_by_schedule(emu).job_id


def trigger(job_id: str | None = None, **options: Any) -> HevoTrigger:
    return HevoTrigger(123, job_id=job_id, **{"poke_interval": 0.05, **options})


EVERYTHING: dict[str, Any] = {
    "pipeline_id": 123,
    "connection_id": "other",
    "job_id": "abc",
    "job_type": "HISTORICAL",
    "poke_interval": "auto",
    "accept_completed_with_failures": True,
    "deadline": 1_767_225_600.5,
    "on_timeout": "cancel",
    "ended_since": "2026-01-01T00:00:00+00:00",
    "started_since": "2026-01-01T00:00:00+02:00",
    "cancel_on_kill": True,
    "certainty": "certain",
    "limit": 90.0,
    "accept_any_end": True,
}


def test_serialize_is_plain_json_and_restores_everything() -> None:
    path, kwargs = json.loads(json.dumps(HevoTrigger(**EVERYTHING).serialize()))
    assert path == "hevo_edge.integrations.airflow.triggers.HevoTrigger"
    assert kwargs == EVERYTHING
    assert reborn(HevoTrigger(**EVERYTHING)).serialize() == (path, kwargs)


def test_serialize_of_a_bare_trigger_restores_the_defaults() -> None:
    bare = HevoTrigger(123)
    assert reborn(bare).serialize() == bare.serialize()
    assert bare.poke_interval == 15
    assert bare.connection_id == "hevo_airflow_conn_id"


def test_serialize_makes_strings_of_enums() -> None:
    from hevo_edge import Certainty, JobType  # noqa: PLC0415

    made = HevoTrigger(123, job_type=JobType.RESYNC, certainty=Certainty.LIKELY)
    kwargs = made.serialize()[1]
    assert type(kwargs["job_type"]) is str
    assert type(kwargs["certainty"]) is str


def test_the_event_says_all_that_is_known_of_the_job(emu: HevoEmulator) -> None:
    job_id = job_of(emu)
    event = event_of(trigger(job_id))
    assert event["status"] == "success"
    assert event["pipeline_id"] == 123
    assert event["job_id"] == job_id
    assert event["ended"] is True
    assert "completed_with_failures" not in event
    assert event["job"]["status"] == "COMPLETED"
    assert event["job"]["type"] == "INCREMENTAL"
    assert event["job"]["events_loaded"] == 1000
    assert event["job"]["duration_ms"] == 20_000
    assert job_id in event["message"]


def test_a_failed_job_gives_an_error_event_with_counts_and_objects(emu: HevoEmulator) -> None:
    event = event_of(trigger(job_of(emu, outcome="FAILED")))
    assert event["status"] == "error"
    assert event["error"] == "JobFailed"
    assert event["ended"] is True
    assert event["job"]["status"] == "FAILED"
    assert "failed objects: items (FAILED)" in event["message"]


@pytest.mark.parametrize(("accepted", "status"), [(True, "success"), (False, "error")])
def test_completed_with_failures_is_as_it_is_accepted(
    emu: HevoEmulator, accepted: bool, status: str
) -> None:
    job_id = job_of(emu, outcome="COMPLETED_WITH_FAILURES")
    event = event_of(trigger(job_id, accept_completed_with_failures=accepted))
    assert event["status"] == status
    assert event.get("completed_with_failures", False) is accepted


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "COMPLETED_WITH_FAILURES"])
def test_accept_any_end_takes_every_end_for_success(emu: HevoEmulator, status: str) -> None:
    event = event_of(trigger(job_of(emu, outcome=status), accept_any_end=True))
    assert event["status"] == "success"
    assert event["job"]["status"] == status


@pytest.mark.parametrize("fault", ["status", "drop", "truncate", "html", "429"])
def test_trouble_on_the_way_never_ends_a_wait(emu: HevoEmulator, fault: str) -> None:
    job_id = job_of(emu, duration=40)
    faults = emu.faults
    {
        "status": lambda: faults.status(500, "oops", on="get_job", times=3),
        "drop": lambda: faults.drop(on="get_job", times=3),
        "truncate": lambda: faults.truncate(on="get_job", times=3),
        "html": lambda: faults.html(on="get_job", times=3),
        "429": lambda: faults.status(429, "", headers={"Retry-After": "0"}, on="get_job", times=2),
    }[fault]()
    event = event_of(trigger(job_id))
    assert event["status"] == "success"
    assert any(call.faults for call in emu.requests)


def test_a_hevo_that_is_away_for_a_while_does_not_end_a_wait(emu: HevoEmulator) -> None:
    job_id = job_of(emu, duration=10)

    async def outage() -> dict[str, Any]:
        from tests.integrations.airflow.support import first_event  # noqa: PLC0415

        emu.faults.drop(times=None)
        waiting = asyncio.ensure_future(first_event(trigger(job_id)))
        await asyncio.sleep(0.4)
        assert not waiting.done()
        emu.faults.clear()
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(outage())["status"] == "success"


@pytest.mark.parametrize(("status", "error"), [(401, "AuthenticationError"), (404, "NotFound")])
def test_what_no_further_look_can_mend_gives_an_error_event(
    emu: HevoEmulator, status: int, error: str
) -> None:
    job_id = job_of(emu, duration=None)
    emu.faults.status(status, {"message": "Hevo's words"}, times=None)
    event = event_of(trigger(job_id))
    assert event["status"] == "error"
    assert event["error"] == error
    assert event["ended"] is False
    assert "Hevo's words" in event["message"]


def test_a_job_that_is_not_there_gives_an_error_event(emu: HevoEmulator) -> None:
    event = event_of(trigger("00000000-0000-0000-0000-000000000000"))
    assert (event["status"], event["error"]) == ("error", "NotFound")


@pytest.mark.parametrize("in_seconds", [-3600.0, 0.3])
def test_a_deadline_gives_an_error_event_after_one_last_look(
    emu: HevoEmulator, in_seconds: float
) -> None:
    job_id = job_of(emu, duration=None)
    event = event_of(trigger(job_id, poke_interval=3600, deadline=time.time() + in_seconds))
    assert event["status"] == "error"
    assert event["error"] == "JobTimeout"
    assert event["ended"] is False
    assert event["job"]["status"] == "IN_PROGRESS"
    assert emu.requests.of("cancel_job") == []


def test_a_job_that_ended_while_no_triggerer_ran_is_success_past_the_deadline(
    emu: HevoEmulator,
) -> None:
    job_id = last_job(emu).job_id
    event = event_of(trigger(job_id, deadline=time.time() - 3600))
    assert event["status"] == "success"


def test_a_deadline_may_cancel_the_job(emu: HevoEmulator) -> None:
    late: Any = {"deadline": time.time() - 1, "on_timeout": "cancel"}
    job_id = job_of(emu, duration=None)
    event = event_of(trigger(job_id, certainty="certain", **late))
    assert event["status"] == "error"
    assert [call.took_effect for call in emu.requests.of("cancel_job")] == [True]


@pytest.mark.parametrize("certainty", ["possible", "joined", None])
def test_a_deadline_never_cancels_a_job_of_somebody_else(
    emu: HevoEmulator, certainty: str | None
) -> None:
    late: Any = {"deadline": time.time() - 1, "on_timeout": "cancel"}
    job_id = job_of(emu, duration=None)
    assert event_of(trigger(job_id, certainty=certainty, **late))["status"] == "error"
    assert emu.requests.of("cancel_job") == []


# -- without a Job --------------------------------------------------------------------------------


def test_without_a_job_the_one_that_runs_is_awaited(emu: HevoEmulator) -> None:
    job_id = job_of(emu)
    assert event_of(trigger())["job_id"] == job_id


def test_without_a_job_the_next_one_is_awaited(emu: HevoEmulator) -> None:
    old = last_job(emu).job_id
    emu.pipeline(123).plan(duration=1)

    async def later() -> dict[str, Any]:
        from tests.integrations.airflow.support import first_event  # noqa: PLC0415

        waiting = asyncio.ensure_future(first_event(trigger()))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        start_by_schedule(emu)
        return await asyncio.wait_for(waiting, 20)

    event = asyncio.run(later())
    assert event["job_id"] == last_job(emu).job_id != old


def test_without_a_job_one_that_ended_since_will_do(emu: HevoEmulator) -> None:
    since = datetime.fromtimestamp(emu.now, timezone.utc) - timedelta(hours=2)
    event = event_of(trigger(ended_since=since.isoformat()))
    assert event["job_id"] == last_job(emu).job_id


def test_without_a_job_only_one_of_the_type_will_do(emu: HevoEmulator) -> None:
    job_of(emu, duration=None)
    past = time.time() - 1
    event = event_of(trigger(job_type="HISTORICAL", deadline=past))
    assert event["error"] == "JobTimeout"
    assert event_of(trigger(job_type="INCREMENTAL", deadline=past))["job_id"] is not None


def test_without_a_job_one_that_started_earlier_will_not_do(emu: HevoEmulator) -> None:
    job_of(emu, duration=None)
    later = datetime.fromtimestamp(emu.now + 3600, timezone.utc).isoformat()
    event = event_of(trigger(started_since=later, deadline=time.time() - 1))
    assert event["error"] == "JobTimeout"
    assert event["job_id"] is None


def test_the_wrong_secret_gives_an_error_event(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION, connection_json(emu, password="another-secret"))
    event = event_of(trigger(last_job(emu).job_id))
    assert (event["status"], event["error"]) == ("error", "AuthenticationError")
    assert "another-secret" not in event["message"]


def test_a_bad_pipeline_id_is_refused_when_the_trigger_is_made() -> None:
    with pytest.raises(ValueError, match="pipeline_id"):
        HevoTrigger("orders")  # type: ignore[arg-type]


def test_the_end_of_another_job_is_not_taken_for_it(emu: HevoEmulator) -> None:
    job_id = job_of(emu, duration=None)
    emu.pipeline(123).add_history(created=emu.now)
    event = event_of(trigger(job_id, deadline=time.time() + 0.3))
    assert event["error"] == "JobTimeout"
    end_last_job(emu)
