"""A limit holds wherever the task waits, and its message names what the user gave."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import parameters
from tests.integrations.airflow.support import (
    AIRFLOW_3,
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    is_cancelled,
    last_job,
    operator,
    resume,
    sensor,
    start_by_schedule,
    starts,
)

ENDED_BY_AIRFLOW = {"error": "Trigger timeout" if AIRFLOW_3 else "Trigger/execution timeout"}


def resume_late(task: Any, context: Any) -> Any:
    """Go on as Airflow does when a deferral has lasted longer than it may."""
    return task.resume_execution("__fail__", dict(ENDED_BY_AIRFLOW), context)


# -- without a triggerer --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [operator, sensor])
def test_airflow_ends_a_deferral_that_no_triggerer_ends(
    emu: HevoEmulator, context: Any, make: Any
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    if make is operator:
        end_last_job(emu)
    deferred = deferral_of(make(timeout=20), context)
    assert deferred.timeout is not None
    grace = deferred.timeout.total_seconds() - (deferred.trigger.deadline - time.time())
    assert grace == pytest.approx(parameters.BACKSTOP_GRACE, abs=5)


def test_without_a_limit_there_is_none(emu: HevoEmulator, context: Any) -> None:
    assert deferral_of(operator(), context).timeout is None


def test_while_another_job_is_in_the_way_as_well(emu: HevoEmulator, context: Any) -> None:
    start_by_schedule(emu).visible_from = emu.now
    task = operator(ensure_new_job=False, timeout=20)
    assert deferral_of(task, context).timeout is not None
    with pytest.raises(AirflowException, match="SYNC_NOW was not started within 20 s, because"):
        resume_late(operator(ensure_new_job=False, timeout=20), context)
    assert starts(emu) == 0


@pytest.mark.parametrize("on_timeout", ["raise", "cancel"])
def test_the_late_task_polls_once_and_says_what_it_would_have_said(
    emu: HevoEmulator, context: Any, on_timeout: str
) -> None:
    options = {"timeout": 20, "on_timeout": on_timeout}
    deferral_of(operator(**options), context)
    with pytest.raises(AirflowException, match="is still IN_PROGRESS after waiting 20 s"):
        resume_late(operator(**options), context)
    assert is_cancelled(last_job(emu)) is (on_timeout == "cancel")


def test_the_late_task_sees_a_job_that_has_ended(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    deferral_of(operator(timeout=20), context)
    job_id = end_last_job(emu)
    assert resume_late(operator(timeout=20), context) == job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("soft_fail", "raised"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
)
def test_a_late_sensor_says_what_it_would_have_said(
    emu: HevoEmulator, context: Any, soft_fail: bool, raised: type[BaseException]
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    deferral_of(sensor(soft_fail=soft_fail), context)
    with pytest.raises(raised, match="after waiting 20 s"):
        resume_late(sensor(soft_fail=soft_fail), context)
    job_id = end_last_job(emu)
    assert resume_late(sensor(job_id=job_id, soft_fail=soft_fail), context) == job_id


def test_what_else_ends_a_deferral_is_airflows_to_say(emu: HevoEmulator, context: Any) -> None:
    deferral_of(operator(timeout=20), context)
    with pytest.raises(Exception, match="Trigger failure"):
        operator(timeout=20).resume_execution("__fail__", {"error": "Trigger failure"}, context)


# -- what a message names -------------------------------------------------------------------------


@pytest.mark.parametrize("make", [operator, sensor])
def test_a_message_names_the_limit_and_not_what_was_left(
    emu: HevoEmulator, context: Any, make: Any
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    if make is operator:
        end_last_job(emu)
    deferred = deferral_of(make(timeout=25), context)
    deferred.trigger.deadline = time.time() - 1
    with pytest.raises(AirflowException, match="after waiting 25 s"):
        resume(make(timeout=25), context, deferred, event_of(deferred.trigger))


# -- execution_timeout ----------------------------------------------------------------------------


@pytest.mark.parametrize("on_timeout", ["raise", "cancel"])
def test_in_the_worker_it_leaves_time_for_a_final_poll_a_reason_and_a_cancel(
    emu: HevoEmulator, context: Any, on_timeout: str
) -> None:
    limit = timedelta(seconds=6)
    task = operator(deferrable=False, execution_timeout=limit, on_timeout=on_timeout)
    began = time.monotonic()
    with pytest.raises(AirflowException, match="is still IN_PROGRESS after waiting 6 s"):
        task.execute(context)
    assert time.monotonic() - began < 6  # Airflow's alarm comes then
    assert is_cancelled(last_job(emu)) is (on_timeout == "cancel")


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_deferred_sensor_keeps_it(emu: HevoEmulator, context: Any, soft_fail: bool) -> None:
    start_by_schedule(emu).visible_from = emu.now
    options = {"execution_timeout": timedelta(seconds=20), "timeout": 600, "soft_fail": soft_fail}
    deferred = deferral_of(sensor(**options), context)
    assert deferred.trigger.deadline - time.time() <= 20
    deferred.trigger.deadline = time.time()
    # Airflow does not retry a sensor that has timed out, but one whose execution has.
    raised = AirflowSkipException if soft_fail else AirflowTaskTimeout
    with pytest.raises(raised, match="after waiting 20 s"):
        resume(sensor(**options), context, deferred, event_of(deferred.trigger))


def test_the_sensors_own_timeout_counts_if_it_is_shorter(emu: HevoEmulator, context: Any) -> None:
    start_by_schedule(emu).visible_from = emu.now
    options = {"execution_timeout": timedelta(seconds=600), "timeout": 20}
    deferred = deferral_of(sensor(**options), context)
    deferred.trigger.deadline = time.time()
    with pytest.raises(AirflowSensorTimeout, match="after waiting 20 s"):
        resume(sensor(**options), context, deferred, event_of(deferred.trigger))


# -- the deployment's default ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "in_file", "expected"),
    [
        (None, None, True),
        ("False", None, False),
        (None, "False", True),  # as Airflow itself writes it into a new file
    ],
)
def test_the_environments_default_is_honoured(
    tmp_path: Any, variable: str | None, in_file: str | None, expected: bool
) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    environment.pop("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", None)
    if variable is not None:
        environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = variable
    if in_file is not None:
        config = f"[operators]\ndefault_deferrable = {in_file}\n"
        (tmp_path / "airflow.cfg").write_text(config, encoding="utf-8")
    script = (
        "from hevo_edge.integrations.airflow import HevoPipelineOperator, HevoSensor\n"
        "made = [kind(task_id='t', pipeline_id=1) for kind in (HevoPipelineOperator, HevoSensor)]\n"
        "given = HevoPipelineOperator(task_id='t', pipeline_id=1, deferrable=True)\n"
        "print('seen', [each.deferrable for each in made], given.deferrable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert re.search(rf"seen \[{expected}, {expected}\] True", done.stdout)
