"""The operator's three modes, and what it leaves in XCom."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

from hevo_edge import JobType
from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoTrigger
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    last_job,
    operator,
    resume,
    run_to_end,
    starts,
)


def test_asynchronous_wait_defers_and_returns_the_job_id(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    deferred = deferral_of(operator(), context)
    job_id = last_job(emu).job_id
    assert deferred.method_name == "execute_complete"
    assert isinstance(deferred.trigger, HevoTrigger)
    assert deferred.trigger.job_id == job_id
    assert ti.xcoms == {
        "job_id": job_id,
        "hevo_url": f"{emu.base_url}/pipeline/123/overview",
    }
    end_last_job(emu)
    event = event_of(deferred.trigger)
    assert resume(operator(), context, deferred, event) == job_id
    assert ti.xcoms["job"]["job_id"] == job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"
    assert ti.xcoms["job"]["type"] == "INCREMENTAL"
    assert ti.xcoms["job"]["events_loaded"] == 1000
    assert ti.xcoms["job"]["objects_failed"] == 0
    assert ti.xcoms["job"]["ref"] == f"123:{job_id}"
    assert starts(emu) == 1


def test_the_deferral_carries_what_the_wait_needs(emu: HevoEmulator, context: Any) -> None:
    task = operator(
        poll_interval=7, accept_completed_with_failures=True, on_timeout="cancel", timeout=600
    )
    trigger = deferral_of(task, context).trigger
    assert isinstance(trigger, HevoTrigger)
    assert trigger.pipeline_id == 123
    assert trigger.connection_id == "hevo_airflow_conn_id"
    assert trigger.poke_interval == 7
    assert trigger.accept_completed_with_failures
    assert trigger.on_timeout == "cancel"
    assert trigger.cancel_on_kill
    assert trigger.certainty in {"certain", "likely"}
    assert not trigger.accept_any_end


def test_cancel_on_kill_never_reaches_the_trigger(emu: HevoEmulator, context: Any) -> None:
    trigger = deferral_of(operator(cancel_on_kill="never"), context).trigger
    assert isinstance(trigger, HevoTrigger)
    assert not trigger.cancel_on_kill


def test_a_job_that_is_over_when_it_is_found_needs_no_deferral(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    emu.pipeline(7).plan(duration=0)
    job_id = operator(pipeline_id=7).execute(context)
    assert job_id == last_job(emu, 7).job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"


def test_synchronous_wait_returns_the_job_id(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    job_id = operator(pipeline_id=7, deferrable=False).execute(context)
    assert job_id == last_job(emu, 7).job_id
    assert ti.xcoms["job_id"] == job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"
    assert ti.xcoms["hevo_url"].endswith("/pipeline/7/overview")


def test_wait_synchronously_can_be_called_with_a_job_of_ones_own(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    job_id = last_job(emu).job_id
    assert operator()._wait_synchronously(context, job_id) == job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"
    assert starts(emu) == 0


@pytest.mark.parametrize("deferrable", [True, False])
def test_trigger_and_continue_returns_the_job_id_while_the_job_runs(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, deferrable: bool
) -> None:
    task = operator(wait_for_completion=False, deferrable=deferrable)
    job_id = task.execute(context)
    assert job_id == last_job(emu).job_id
    assert not last_job(emu).is_over
    assert ti.xcoms["job_id"] == job_id
    assert "job" not in ti.xcoms


@pytest.mark.parametrize(
    ("options", "job_type", "body"),
    [
        ({}, "INCREMENTAL", None),
        ({"action": "RESYNC"}, "RESYNC", {"resync_mode": "EVOLVE_AND_MERGE"}),
        (
            {"action": "RESYNC", "drop_and_load": True},
            "RESYNC_WITH_DROP_AND_LOAD",
            {"resync_mode": "DROP_AND_LOAD"},
        ),
        (
            {"action": "RESYNC", "resync_mode": "DROP_AND_LOAD"},
            "RESYNC_WITH_DROP_AND_LOAD",
            {"resync_mode": "DROP_AND_LOAD"},
        ),
    ],
)
def test_the_action_is_what_hevo_is_asked_for(
    emu: HevoEmulator, context: Any, options: Any, job_type: str, body: Any
) -> None:
    run_to_end(lambda: operator(pipeline_id=7, **options), context)
    (post,) = emu.requests.of("sync_now", "resync_pipeline")
    assert post.body == body
    assert last_job(emu, 7).type == job_type


@pytest.mark.parametrize("job_type", [None, JobType.INCREMENTAL, "INCREMENTAL"])
def test_the_default_job_type_means_whatever_comes_of_the_sync(
    emu: HevoEmulator, context: Any, job_type: Any
) -> None:
    emu.pipeline(7).include_object("invoices")
    job_id = operator(pipeline_id=7, job_type=job_type, deferrable=False).execute(context)
    assert job_id == last_job(emu, 7).job_id
    assert last_job(emu, 7).type == "HISTORICAL"


@pytest.mark.parametrize("job_type", [JobType.HISTORICAL, "HISTORICAL"])
def test_another_job_type_is_insisted_on(
    emu: HevoEmulator,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    job_type: Any,
) -> None:
    task = operator(pipeline_id=7, job_type=job_type, deferrable=False)
    monkeypatch.setattr(task, "discovery_timeout", 0.5)
    with pytest.raises(AirflowException, match="but INCREMENTAL Job .* did: leave job_type out"):
        task.execute(context)


def test_the_job_of_a_sync_that_hevo_finished_at_once_is_found(
    emu: HevoEmulator, context: Any
) -> None:
    emu.pipeline(7).plan(duration=0, appears_after=20)
    assert operator(pipeline_id=7).execute(context) == last_job(emu, 7).job_id


def test_an_unknown_status_or_type_is_no_obstacle(emu: HevoEmulator, context: Any) -> None:
    emu.pipeline(7).plan(duration=30, extra={"type": "SOMETHING_NEW", "mean_latency": None})
    emu.faults.unknown_value("status", "WARMING_UP", on="get_job", times=2)
    assert run_to_end(lambda: operator(pipeline_id=7), context) == last_job(emu, 7).job_id


def test_a_deferral_is_no_failure_to_airflow(emu: HevoEmulator, context: Any) -> None:
    with pytest.raises(TaskDeferred) as caught:
        operator().execute(context)
    assert caught.value.timeout is None, "the deadline is the trigger's own: it looks once more"
