"""How a Job's end, or a trigger's event, becomes the end of the task."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

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
)

WAYS = pytest.mark.parametrize("deferrable", [True, False])


@WAYS
def test_a_failed_job_fails_the_task_with_status_counts_and_the_failed_objects(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, deferrable: bool
) -> None:
    emu.pipeline(7).plan(outcome="FAILED", events=900)
    with pytest.raises(AirflowException) as caught:
        run_to_end(lambda: operator(pipeline_id=7, deferrable=deferrable), context)
    message = str(caught.value)
    assert f"Job {last_job(emu, 7).job_id} of Pipeline 7" in message
    assert "FAILED" in message
    assert "405 events loaded, 45 events failed, 1 object failed" in message
    assert "items (FAILED)" in message
    assert "\n" not in message
    assert ti.xcoms["job"]["status"] == "FAILED"
    assert ti.xcoms["job"]["objects_failed"] == 1


@WAYS
def test_a_failed_job_may_be_retried(emu: HevoEmulator, context: Any, deferrable: bool) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    with pytest.raises(AirflowException) as caught:
        run_to_end(lambda: operator(pipeline_id=7, deferrable=deferrable), context)
    assert not isinstance(caught.value, AirflowFailException)


def test_the_failed_objects_are_no_reason_for_other_trouble(
    emu: HevoEmulator, context: Any
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    emu.faults.status(403, {"message": "no"}, on="list_job_objects", times=None)
    with pytest.raises(AirflowException, match="FAILED") as caught:
        operator(pipeline_id=7, deferrable=False).execute(context)
    assert "failed objects" not in str(caught.value)


def test_many_failed_objects_are_counted(emu: HevoEmulator, context: Any) -> None:
    rows = [{"object_name": f"t{n}", "status": "FAILED", "rows_failed": 1} for n in range(8)]
    emu.pipeline(7).plan(outcome="FAILED")
    emu.faults.body({"data": rows, "has_more": False}, on="list_job_objects")
    with pytest.raises(AirflowException, match=r"failed objects: t0 \(FAILED\), .* and 3 more"):
        operator(pipeline_id=7, deferrable=False).execute(context)


@WAYS
def test_completed_with_failures_is_a_failure_unless_accepted(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    with pytest.raises(AirflowException, match="COMPLETED_WITH_FAILURES.*failed objects: items"):
        run_to_end(lambda: operator(pipeline_id=7, deferrable=deferrable), context)


@WAYS
def test_completed_with_failures_is_success_when_accepted(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, deferrable: bool
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    options = {"deferrable": deferrable, "accept_completed_with_failures": True}
    job_id = run_to_end(lambda: operator(pipeline_id=7, **options), context)
    assert job_id == last_job(emu, 7).job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED_WITH_FAILURES"


@pytest.mark.parametrize("status", ["CANCELLED", "SKIPPED", "DEFERRED"])
def test_other_ends_fail_the_task_by_their_name(
    emu: HevoEmulator, context: Any, status: str
) -> None:
    deferred = deferral_of(operator(), context)
    end_last_job(emu, status)
    event = event_of(deferred.trigger)
    assert event["status"] == "error"
    with pytest.raises(AirflowException, match=status):
        resume(operator(), context, deferred, event)


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "success",
        {"status": "running"},
        {"status": None},
        {"status": ["success"]},
        {"status": "success"},
        {"status": "success", "job_id": None},
    ],
)
@pytest.mark.parametrize("method", ["execute_complete", "execute_again"])
def test_an_event_that_says_nothing_fails_loudly(
    emu: HevoEmulator, context: Any, event: Any, method: str
) -> None:
    with pytest.raises(AirflowException, match="no outcome"):
        getattr(operator(), method)(context, event=event)
    assert emu.requests == [], "a run must not start on it either"


def test_an_event_of_a_vanished_job_in_the_way_fails_the_task(
    emu: HevoEmulator, context: Any
) -> None:
    event = {"status": "error", "message": "Hevo says 404"}
    with pytest.raises(AirflowException, match="Hevo says 404"):
        operator().execute_again(context, event=event)


# -- limits of time -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        {"timeout": 1},
        {"timeout": timedelta(seconds=1)},
        {"execution_timeout": timedelta(seconds=1)},
        {"timeout": 500, "execution_timeout": timedelta(seconds=1)},
    ],
)
def test_the_deadline_of_the_deferral_counts_from_the_start_of_the_task(
    emu: HevoEmulator, context: Any, limit: Any
) -> None:
    before = time.time()
    trigger = deferral_of(operator(**limit), context).trigger
    assert isinstance(trigger, HevoTrigger)
    assert trigger.deadline is not None
    assert before + 1 <= trigger.deadline <= time.time() + 1


def test_without_a_limit_there_is_no_deadline(emu: HevoEmulator, context: Any) -> None:
    trigger = deferral_of(operator(), context).trigger
    assert isinstance(trigger, HevoTrigger)
    assert trigger.deadline is None


@WAYS
def test_a_timeout_fails_the_task_and_leaves_the_job_running(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, deferrable: bool
) -> None:
    with pytest.raises(AirflowException, match=r"IN_PROGRESS|unfinished|still"):
        run_to_end(lambda: operator(timeout=0.8, deferrable=deferrable), context)
    assert ti.xcoms["job"]["status"] == "IN_PROGRESS"
    assert emu.requests.of("cancel_job") == []


@WAYS
def test_a_timeout_cancels_the_job_when_that_is_asked_for(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    options = {"timeout": 0.8, "on_timeout": "cancel", "deferrable": deferrable}
    with pytest.raises(AirflowException):
        run_to_end(lambda: operator(**options), context)
    assert [call.took_effect for call in emu.requests.of("cancel_job")] == [True]


def test_a_job_that_ends_just_before_the_deadline_is_success(
    emu: HevoEmulator, context: Any
) -> None:
    deferred = deferral_of(operator(poll_interval=3600, timeout=1), context)
    job_id = end_last_job(emu)
    # The final poll comes at the deadline, long before the next one by the interval.
    assert resume(operator(), context, deferred, event_of(deferred.trigger)) == job_id


def test_a_start_that_takes_too_long_says_so(emu: HevoEmulator, context: Any) -> None:
    emu.faults.delay(10_000, on="list_jobs", times=None)
    with pytest.raises(
        AirflowException,
        match="SYNC_NOW of Pipeline 123 was not started within 0.*Nothing was sent",
    ):
        operator(timeout=0.3).execute(context)
