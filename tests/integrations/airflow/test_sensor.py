"""The sensor, by Job and by Pipeline, in all its modes."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from hevo_edge import JobType
from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoSensor, HevoTrigger
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    last_job,
    resume,
    sensor,
    start_by_schedule,
)

WAYS = pytest.mark.parametrize("deferrable", [True, False])


def senses(make: Callable[[], HevoSensor], context: Any) -> Any:
    """Run a sensor to its end, whether it pokes or defers."""
    try:
        return make().execute(context)
    except TaskDeferred as deferred:
        return resume(make(), context, deferred, event_of(deferred.trigger))


def until_done(make: Callable[[], HevoSensor], context: Any) -> Any:
    """The same, and reschedule it as often as it wants."""
    for _ in range(100):
        try:
            return senses(make, context)
        except AirflowRescheduleException:
            time.sleep(0.1)
    raise AssertionError("it never ended")


def ago(emu: HevoEmulator, **span: float) -> datetime:
    return datetime.fromtimestamp(emu.now, timezone.utc) - timedelta(**span)


@pytest.fixture
def running(emu: HevoEmulator) -> str:
    """The id of a Job of Pipeline 123 that runs for a third of a second."""
    emu.pipeline(123).plan(duration=30, appears_after=0)
    return start_by_schedule(emu).job_id


def test_the_parameters_have_the_defaults_of_the_vendors_provider() -> None:
    expected = {
        "connection_id": "hevo_airflow_conn_id",
        "job_id": None,
        "poke_interval": 20,
        "accept_completed_with_failures": False,
        "deferrable": True,
        "wait_for_job_max_attempts": 10,
        "wait_for_job_interval": 5,
        "wait_for_job_initial_delay": 10,
    }
    parameters = inspect.signature(HevoSensor.__init__).parameters
    assert {name: parameters[name].default for name in expected} == expected


# -- by Job ---------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("as_ref", [False, True])
def test_by_job_id_or_ref(
    emu: HevoEmulator,
    context: Any,
    ti: FakeTaskInstance,
    running: str,
    deferrable: bool,
    as_ref: bool,
) -> None:
    job_id = f"123:{running}" if as_ref else running
    assert senses(lambda: sensor(job_id=job_id, deferrable=deferrable), context) == running
    assert ti.xcoms["job"]["status"] == "COMPLETED"


@WAYS
def test_a_ref_of_another_pipeline_is_refused(
    emu: HevoEmulator, context: Any, running: str, deferrable: bool
) -> None:
    with pytest.raises(AirflowException, match=r"7"):
        senses(
            lambda: sensor(pipeline_id=7, job_id=f"123:{running}", deferrable=deferrable), context
        )


@WAYS
def test_a_failed_job_fails_the_sensor(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, deferrable: bool
) -> None:
    start_by_schedule(emu)
    last_job(emu).visible_from = emu.now
    job_id = end_last_job(emu, "FAILED")
    with pytest.raises(AirflowException, match="FAILED.*failed objects: items"):
        senses(lambda: sensor(job_id=job_id, deferrable=deferrable), context)
    assert ti.xcoms["job"]["status"] == "FAILED"


@WAYS
@pytest.mark.parametrize("accepted", [True, False])
def test_completed_with_failures_is_as_it_is_accepted(
    emu: HevoEmulator, context: Any, deferrable: bool, accepted: bool
) -> None:
    job = emu.pipeline(123).add_history(created=emu.now - 60, status="COMPLETED_WITH_FAILURES")
    options = {"deferrable": deferrable, "accept_completed_with_failures": accepted}

    def make() -> HevoSensor:
        return sensor(job_id=job.job_id, **options)

    if accepted:
        assert senses(make, context) == job.job_id
    else:
        with pytest.raises(AirflowException, match="COMPLETED_WITH_FAILURES"):
            senses(make, context)


@WAYS
@pytest.mark.parametrize("rendered", [None, "", "None", " null "])
def test_a_job_id_that_rendered_to_nothing_fails_and_does_not_await_any_job(
    emu: HevoEmulator, context: Any, running: str, deferrable: bool, rendered: Any
) -> None:
    task = sensor(job_id="{{ ti.xcom_pull('gone') }}", deferrable=deferrable)
    task.job_id = rendered
    with pytest.raises(AirflowException, match="job_id rendered to "):
        task.execute(context)
    assert emu.requests == []


@WAYS
def test_a_job_id_that_is_none_is_refused(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    with pytest.raises(AirflowException, match="slash"):
        senses(lambda: sensor(job_id="../../destinations", deferrable=deferrable), context)
    assert emu.requests == []


@WAYS
def test_a_job_that_is_not_there_fails_the_sensor(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    with pytest.raises(AirflowException, match="404"):
        senses(lambda: sensor(job_id="00000000-0000", deferrable=deferrable), context)


# -- by Pipeline ----------------------------------------------------------------------------------


@WAYS
def test_the_job_that_runs_is_awaited(
    emu: HevoEmulator, context: Any, running: str, deferrable: bool
) -> None:
    assert senses(lambda: sensor(deferrable=deferrable), context) == running


@WAYS
def test_a_job_that_was_over_before_is_not_taken(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    with pytest.raises(AirflowSensorTimeout):
        senses(lambda: sensor(deferrable=deferrable, timeout=0.4), context)


@WAYS
def test_a_job_that_ends_between_two_polls_is_not_missed(
    emu: HevoEmulator, context: Any, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    task = sensor(deferrable=deferrable, poke_interval=0.4)
    began = datetime.fromtimestamp(emu.now, timezone.utc)
    monkeypatch.setattr(task, "_began", began)
    job = emu.pipeline(123).add_history(created=emu.now, duration=1)
    assert senses(lambda: task, context) == job.job_id


@WAYS
@pytest.mark.parametrize("form", ["datetime", "text", "zulu"])
def test_a_job_that_ended_since_a_moment_is_taken(
    emu: HevoEmulator, context: Any, deferrable: bool, form: str
) -> None:
    moment = ago(emu, hours=2)
    since: Any = {
        "datetime": moment,
        "text": moment.isoformat(),
        "zulu": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }[form]
    expected = last_job(emu).job_id
    assert senses(lambda: sensor(ended_since=since, deferrable=deferrable), context) == expected


@WAYS
def test_only_a_job_that_starts_after_the_sensor_is_next(
    emu: HevoEmulator, context: Any, running: str, deferrable: bool
) -> None:
    def at(moment: float, **options: Any) -> HevoSensor:
        task = sensor(wait_for="next", deferrable=deferrable, **options)
        # The emulator's clock runs ahead of the sensor's.
        task._began = datetime.fromtimestamp(moment, timezone.utc)
        return task

    created = last_job(emu).created
    with pytest.raises(AirflowSensorTimeout):
        senses(lambda: at(created + 0.01, timeout=0.6), context)
    assert senses(lambda: at(created - 0.01), context) == running


@WAYS
def test_only_a_job_of_the_type_will_do(
    emu: HevoEmulator, context: Any, running: str, deferrable: bool
) -> None:
    def of_type(job_type: Any) -> Any:
        return senses(
            lambda: sensor(job_type=job_type, deferrable=deferrable, timeout=0.7), context
        )

    assert of_type("incremental") == running
    with pytest.raises(AirflowSensorTimeout):
        of_type(JobType.HISTORICAL)


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soft_fail", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
)
@WAYS
def test_the_timeout_is_airflows(
    emu: HevoEmulator,
    context: Any,
    deferrable: bool,
    soft_fail: bool,
    error: type[Exception],
) -> None:
    start_by_schedule(emu)
    with pytest.raises(error):
        senses(lambda: sensor(deferrable=deferrable, soft_fail=soft_fail, timeout=0.4), context)


MODES = pytest.mark.parametrize(
    "mode",
    [{"deferrable": True}, {"deferrable": False}, {"deferrable": False, "mode": "reschedule"}],
)


@MODES
@pytest.mark.parametrize("after", [0.0, 0.3])
def test_a_job_that_failed_is_no_reason_to_skip(
    emu: HevoEmulator, context: Any, mode: dict[str, Any], after: float
) -> None:
    emu.pipeline(123).plan(duration=100 * after, appears_after=0, outcome="FAILED")
    job_id = start_by_schedule(emu).job_id
    with pytest.raises(AirflowException, match="FAILED") as raised:
        until_done(
            lambda: sensor(job_id=job_id, soft_fail=True, poke_interval=0.1, **mode), context
        )
    assert not isinstance(raised.value, AirflowSkipException)


@MODES
@pytest.mark.parametrize(
    ("status", "words"), [(401, "key"), (403, "403"), (404, "does not exist|not found|404")]
)
def test_what_no_time_mends_is_no_reason_to_skip(
    emu: HevoEmulator, context: Any, mode: dict[str, Any], status: int, words: str
) -> None:
    job_id = start_by_schedule(emu).job_id
    emu.faults.status(status, times=None)
    with pytest.raises(AirflowException, match=words) as raised:
        until_done(
            lambda: sensor(job_id=job_id, soft_fail=True, poke_interval=0.1, **mode), context
        )
    assert not isinstance(raised.value, AirflowSkipException)


@WAYS
def test_what_is_skipped_says_why(emu: HevoEmulator, context: Any, deferrable: bool) -> None:
    emu.pipeline(123).plan(duration=36_000, appears_after=0)
    job_id = start_by_schedule(emu).job_id
    with pytest.raises(AirflowSkipException) as raised:
        senses(
            lambda: sensor(
                job_id=job_id,
                soft_fail=True,
                poke_interval=0.1,
                timeout=0.4,
                deferrable=deferrable,
            ),
            context,
        )
    if deferrable:  # Airflow writes the other one
        assert "is still IN_PROGRESS" in str(raised.value)


def test_the_deadline_of_the_deferral_is_the_timeout(emu: HevoEmulator, context: Any) -> None:
    before = time.time()
    trigger = deferral_of(sensor(timeout=timedelta(minutes=1)), context).trigger
    assert isinstance(trigger, HevoTrigger)
    assert trigger.deadline is not None
    assert before + 60 <= trigger.deadline <= time.time() + 60
    assert not trigger.cancel_on_kill, "the Job is not the sensor's"


def test_the_link_is_there_while_the_sensor_is_deferred(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    deferral_of(sensor(), context)
    assert ti.xcoms["hevo_url"] == f"{emu.base_url}/pipeline/123/overview"


def test_a_poke_during_an_outage_is_no_outcome(emu: HevoEmulator, context: Any) -> None:
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    emu.faults.drop(times=None)
    assert not sensor(job_id=job.job_id, deferrable=False).poke(context)
    emu.faults.clear()
    end_last_job(emu)
    assert sensor(job_id=job.job_id, deferrable=False).poke(context)


@pytest.mark.parametrize(
    "event", [None, {}, "success", {"status": "running"}, {"status": "success"}]
)
def test_an_event_that_says_nothing_fails_loudly(
    emu: HevoEmulator, context: Any, event: Any
) -> None:
    with pytest.raises(AirflowException, match="no outcome"):
        sensor().execute_complete(context, event=event)


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline_id", None),
        ("pipeline_id", "orders"),
        ("pipeline_id", [1]),
        ("connection_id", ""),
        ("job_type", 5),
        ("poke_interval", 0),
        ("poke_interval", "15"),
        ("poke_interval", "auto"),
        ("accept_completed_with_failures", "yes"),
        ("deferrable", None),
        ("ended_since", "yesterday"),
        ("ended_since", datetime(2026, 1, 1)),  # noqa: DTZ001 -- that is what is wrong with it
        ("ended_since", "2026-01-01T00:00:00"),
        ("wait_for", "previous"),
    ],
)
def test_nonsense_is_refused_at_parse_naming_the_parameter(name: str, value: Any) -> None:
    with pytest.raises(AirflowException, match=name):
        sensor(**{name: value})


@pytest.mark.parametrize("options", [{"job_id": "abc"}, {"wait_for": "next"}])
def test_ended_since_goes_with_the_running_job_of_a_pipeline_only(options: Any) -> None:
    with pytest.raises(AirflowException, match="ended_since goes neither"):
        sensor(ended_since="2026-01-01T00:00:00Z", **options)


@WAYS
def test_a_template_of_a_moment_that_renders_to_nonsense(
    emu: HevoEmulator, context: Any, deferrable: bool
) -> None:
    task = sensor(ended_since="{{ whatever }}", deferrable=deferrable)
    task.ended_since = "tomorrow"
    with pytest.raises(AirflowException, match="ended_since is no ISO date and time: 'tomorrow'"):
        task.execute(context)
    assert emu.requests == []


def test_parameters_without_effect_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="have no effect"):
        sensor(wait_for_job_max_attempts=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sensor(wait_for_job_max_attempts=10, wait_for_job_interval=5, wait_for_job_initial_delay=10)


@WAYS
@pytest.mark.parametrize("rendered", [None, "", "None"])
def test_a_moment_that_a_run_does_not_have(
    emu: HevoEmulator, context: Any, deferrable: bool, rendered: Any
) -> None:
    task = sensor(ended_since="{{ prev_start_date_success }}", deferrable=deferrable)
    task.ended_since = rendered
    with pytest.raises(AirflowException, match="first run has no prev_start_date_success"):
        task.execute(context)
    assert emu.requests == []


@WAYS
def test_a_missing_connection_is_named(emu: HevoEmulator, context: Any, deferrable: bool) -> None:
    with pytest.raises(AirflowException, match="nowhere"):
        sensor(connection_id="nowhere", deferrable=deferrable).execute(context)


def test_a_poke_takes_one_request(emu: HevoEmulator, context: Any) -> None:
    assert sensor(job_id=last_job(emu).job_id, deferrable=False).poke(context)
    assert [call.endpoint for call in emu.requests] == ["get_job"]


@pytest.mark.parametrize("name", ["job_id", "pipeline_id"])
def test_the_whole_output_of_a_mapped_task_is_refused_with_what_to_write(
    emu: HevoEmulator, context: Any, name: str
) -> None:
    task = sensor()
    setattr(task, name, ["1", "2"])
    with pytest.raises(AirflowException, match=rf"{name} is 2 values.* use expand.*{name}="):
        task.execute(context)
    assert emu.requests == []
