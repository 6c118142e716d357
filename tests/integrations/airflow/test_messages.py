"""What somebody reads who is called at night."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoHook
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    operator,
    resume,
    sensor,
    start_by_schedule,
    starts,
)


def test_a_wrong_parameter_names_the_task() -> None:
    with pytest.raises(AirflowException, match=r"pipeline_id .* \(task_id: orders\)") as caught:
        operator(task_id="orders", pipeline_id="x")
    assert caught.value.__suppress_context__


def test_a_wrong_parameter_of_a_sensor_names_the_task() -> None:
    with pytest.raises(AirflowException, match=r"wait_for='next' .* \(task_id: orders\)"):
        sensor(task_id="orders", job_id="abc", wait_for="next")


def test_a_timeout_while_another_job_runs_says_that_nothing_was_started(
    emu: HevoEmulator, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    caplog.set_level(logging.INFO)
    deferred = deferral_of(operator(ensure_new_job=False, timeout=0.3), context)
    assert "is running: waiting in the triggerer for its end, before SYNC_NOW" in caplog.text
    with pytest.raises(AirflowException, match="SYNC_NOW was not started, because another Job"):
        resume(operator(ensure_new_job=False), context, deferred, event_of(deferred.trigger))
    assert starts(emu) == 0


def test_a_job_that_vanished_is_not_in_the_way(emu: HevoEmulator, context: Any) -> None:
    start_by_schedule(emu).visible_from = emu.now
    deferred = deferral_of(operator(ensure_new_job=False), context)
    emu.pipeline(123).jobs.pop()
    task = operator(ensure_new_job=False, wait_for_completion=False)
    resume(task, context, deferred, event_of(deferred.trigger))
    assert starts(emu) == 1


def test_the_certainty_is_in_the_xcom_after_a_deferral(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    deferred = deferral_of(operator(), context)
    end_last_job(emu)
    resume(operator(), context, deferred, event_of(deferred.trigger))
    # A slow machine is no fault: the emulator's clock runs a hundred times as fast as the SDK's.
    assert ti.xcoms["job"]["certainty"] == deferred.trigger.certainty in {"certain", "likely"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_retry_cannot_mend_fails_at_once_and_names_the_connection(
    emu: HevoEmulator, context: Any, status: int
) -> None:
    emu.faults.status(status, {"message": "no"}, on="get_pipeline", times=None)
    with pytest.raises(AirflowFailException, match=r"\(connection 'hevo_airflow_conn_id'\)"):
        operator().execute(context)


def test_a_run_that_is_not_found_says_what_to_do_in_airflow(
    emu: HevoEmulator, context: Any
) -> None:
    emu.pipeline(123).plan(appears_after=1e6)
    task = operator()
    task.discovery_timeout = 0.5
    with pytest.raises(AirflowException, match="retry or clear the task, it goes on with this run"):
        task.execute(context)


def test_an_extra_that_means_nothing_is_named_with_its_connection(
    emu: HevoEmulator,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    misspelt = {"rate_limit": None, "ratelimit": 3}
    monkeypatch.setenv(CONNECTION, connection_json(emu, extra=misspelt))
    operator(wait_for_completion=False).execute(context)
    assert (
        "connection 'hevo_airflow_conn_id': extras that mean nothing here: ['ratelimit']"
        in caplog.text
    )


def test_a_sensor_that_has_nothing_to_wait_for_is_not_deferred(
    emu: HevoEmulator, context: Any
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    job_id = end_last_job(emu)
    assert sensor(job_id=job_id).execute(context) == job_id


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_sensor_that_finds_a_failed_job_at_once_fails(
    emu: HevoEmulator, context: Any, *, soft_fail: bool
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    job_id = end_last_job(emu, "FAILED")
    with pytest.raises(AirflowException, match="ended FAILED") as raised:
        sensor(job_id=job_id, soft_fail=soft_fail).execute(context)
    assert not isinstance(raised.value, AirflowSkipException)


def test_an_older_generations_hook_takes_its_arguments(emu: HevoEmulator) -> None:
    hook = HevoHook(pipeline_id=123, extra_headers={"X-Team": "data"}, extra_kwargs={})
    assert hook.validate_pipeline_sync(123).id == 123
