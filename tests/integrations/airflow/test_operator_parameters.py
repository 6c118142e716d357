"""The operator's parameters: those of the vendor's documentation, and what is refused at parse."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge import IfRunning, JobType, PipelineAction, ResyncMode
from hevo_edge.integrations.airflow import HevoOperator, HevoPipelineOperator
from tests.integrations.airflow.support import operator

DOCUMENTED: dict[str, tuple[tuple[str, ...], Any]] = {
    "pipeline_id": (("int", "str"), inspect.Parameter.empty),
    "action": (("PipelineAction",), PipelineAction.SYNC_NOW),
    "job_type": (("JobType", "str"), None),
    "connection_id": (("str",), "hevo_airflow_conn_id"),
    "poll_interval": (("float",), 15),
    "retry_limit": (("int",), 10),
    "deferrable": (("bool",), True),
    "wait_for_completion": (("bool",), True),
    "accept_completed_with_failures": (("bool",), False),
    "ensure_new_job": (("bool",), True),
    "drop_and_load": (("bool",), False),
}
"""By name: the types that it takes, and its default."""

SIGNATURE = inspect.signature(HevoPipelineOperator.__init__)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_parameter_has_its_type_and_default(name: str) -> None:
    types, default = DOCUMENTED[name]
    parameter = SIGNATURE.parameters[name]
    assert parameter.default == default or parameter.default is default
    assert set(types) <= {word.strip() for word in str(parameter.annotation).split("|")}


def test_every_documented_parameter_is_taken_at_once() -> None:
    task = HevoPipelineOperator(
        task_id="trigger_pipeline_sync",
        pipeline_id=123,
        action=PipelineAction.RESYNC,
        job_type=JobType.RESYNC_WITH_DROP_AND_LOAD,
        connection_id="hevo_production",
        poll_interval=10,
        retry_limit=20,
        deferrable=False,
        wait_for_completion=False,
        accept_completed_with_failures=True,
        ensure_new_job=False,
        drop_and_load=True,
    )
    assert task.pipeline_id == 123
    assert task.action is PipelineAction.RESYNC
    assert task.job_type == "RESYNC_WITH_DROP_AND_LOAD"
    assert task.connection_id == "hevo_production"
    assert task.poll_interval == 10
    assert task.discovery_timeout == 200
    assert not task.deferrable
    assert not task.wait_for_completion
    assert task.accept_completed_with_failures
    assert task.if_running is IfRunning.WAIT
    assert task.drop_and_load


def test_the_documented_methods_are_there() -> None:
    for name in ("execute", "execute_complete", "_wait_synchronously"):
        assert callable(getattr(HevoPipelineOperator, name))


def test_the_older_name_is_the_same_class() -> None:
    assert HevoOperator is HevoPipelineOperator


def test_only_what_is_documented_as_templated_and_the_connection_are_templated() -> None:
    assert set(HevoPipelineOperator.template_fields) == {"pipeline_id", "connection_id"}


@pytest.mark.parametrize("job_type", [JobType.HISTORICAL, "HISTORICAL", " historical "])
def test_job_type_may_be_an_enum_or_a_string(job_type: Any) -> None:
    assert operator(job_type=job_type).job_type == "HISTORICAL"


@pytest.mark.parametrize("action", [PipelineAction.RESYNC, "RESYNC"])
def test_action_may_be_an_enum_or_a_string(action: Any) -> None:
    assert operator(action=action).action is PipelineAction.RESYNC


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, IfRunning.FAIL),
        ({"ensure_new_job": False}, IfRunning.WAIT),
        ({"if_running": "join"}, IfRunning.JOIN),
        ({"if_running": IfRunning.REPLACE, "ensure_new_job": False}, IfRunning.REPLACE),
    ],
)
def test_ensure_new_job_gives_way_to_if_running(options: Any, expected: IfRunning) -> None:
    assert operator(**options).if_running is expected


@pytest.mark.parametrize(
    ("options", "drops"),
    [
        ({"resync_mode": ResyncMode.DROP_AND_LOAD}, True),
        ({"resync_mode": "DROP_AND_LOAD", "drop_and_load": True}, True),
        ({"resync_mode": "EVOLVE_AND_MERGE"}, False),
        ({"drop_and_load": True}, True),
    ],
)
def test_resync_mode_is_another_word_for_drop_and_load(options: Any, drops: bool) -> None:
    assert operator(action="RESYNC", **options).drop_and_load is drops


@pytest.mark.parametrize(
    ("poll_interval", "retry_limit", "seconds"),
    [(15, 10, 150), (0.5, 10, 30), (60, 3, 180), ("auto", 10, 150), (timedelta(minutes=1), 2, 120)],
)
def test_a_job_has_retry_limit_intervals_to_show_up_but_not_less_than_half_a_minute(
    poll_interval: Any, retry_limit: int, seconds: float
) -> None:
    task = operator(poll_interval=poll_interval, retry_limit=retry_limit)
    assert task.discovery_timeout == seconds


@pytest.mark.parametrize("timeout", [90, timedelta(seconds=90)])
def test_timeout_is_seconds_or_a_timedelta(timeout: Any) -> None:
    assert operator(timeout=timeout).timeout == 90


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline_id", None),
        ("pipeline_id", 0),
        ("pipeline_id", -1),
        ("pipeline_id", True),
        ("pipeline_id", 1.5),
        ("pipeline_id", "orders"),
        ("pipeline_id", ""),
        ("pipeline_id", [123]),
        ("connection_id", None),
        ("connection_id", ""),
        ("connection_id", 5),
        ("action", "RESTART"),
        ("action", None),
        ("job_type", ""),
        ("job_type", 5),
        ("job_type", JobType.RESYNC),
        ("poll_interval", 0),
        ("poll_interval", "15"),
        ("poll_interval", None),
        ("poll_interval", timedelta(0)),
        ("poll_interval", 86_401),
        ("retry_limit", 0),
        ("retry_limit", 2.5),
        ("retry_limit", "10"),
        ("deferrable", "yes"),
        ("wait_for_completion", 1),
        ("accept_completed_with_failures", None),
        ("ensure_new_job", "False"),
        ("drop_and_load", "True"),
        ("drop_and_load", True),
        ("resync_mode", "MERGE"),
        ("if_running", "restart"),
        ("timeout", 0),
        ("timeout", "1h"),
        ("timeout", timedelta(-1)),
        ("on_timeout", "ignore"),
        ("cancel_on_kill", True),
        ("durable", "no"),
    ],
)
def test_nonsense_is_refused_at_parse_naming_the_parameter(name: str, value: Any) -> None:
    with pytest.raises(AirflowException, match=name) as caught:
        operator(**{name: value})
    assert "\n" not in str(caught.value)


def test_dropping_tables_goes_with_a_resync_only() -> None:
    with pytest.raises(AirflowException, match=r"drop_and_load goes with PipelineAction\.RESYNC"):
        operator(resync_mode="DROP_AND_LOAD")


def test_contradicting_words_for_a_resync_are_refused() -> None:
    with pytest.raises(AirflowException, match=r"drop_and_load=True contradicts resync_mode"):
        operator(action="RESYNC", drop_and_load=True, resync_mode="EVOLVE_AND_MERGE")


def test_a_misspelt_parameter_is_refused() -> None:
    with pytest.raises((TypeError, AirflowException), match="poll_intervall"):
        operator(poll_intervall=15)


def test_a_missing_pipeline_id_is_refused() -> None:
    with pytest.raises((TypeError, AirflowException), match="pipeline_id"):
        HevoPipelineOperator(task_id="task")  # type: ignore[call-arg]


@pytest.mark.parametrize("pipeline_id", ["{{ var.value.pipeline }}", "123", " 123 "])
def test_a_template_or_digits_are_no_nonsense(pipeline_id: str) -> None:
    assert operator(pipeline_id=pipeline_id).pipeline_id == pipeline_id
