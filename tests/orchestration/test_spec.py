"""RunSpec: a run as a task asks for it, checked where it is made."""

from __future__ import annotations

import dataclasses
import time
from datetime import timedelta
from typing import Any

import pytest

from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import RunKeywords, RunSpec
from hevo_edge.schedules import fixed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline_id", 0),
        ("pipeline_id", "orders"),
        ("action", "RESTART"),
        ("job_type", "RESYNC"),
        ("job_type", 5),
        ("drop_and_load", True),
        ("object_ids", ["a"]),
        ("if_running", "ignore"),
        ("discovery_timeout", 0),
        ("discovery_timeout", "30"),
        ("poll_interval", 0),
        ("poll_interval", "often"),
        ("accept", 5),
        ("accept", [None]),
        ("deadline", -1),
        ("deadline", "tomorrow"),
        ("deadline", timedelta(hours=2)),
        ("deadline", float("inf")),
        ("on_timeout", "return"),
    ],
)
def test_nonsense_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        RunSpec(**{"pipeline_id": 123, name: value})


def test_the_defaults_are_those_of_a_trigger_and_a_wait() -> None:
    spec = RunSpec(123)
    assert spec.request() == {
        "pipeline_id": 123,
        "action": "SYNC_NOW",
        "job_type": None,
        "drop_and_load": False,
        "object_ids": None,
    }
    assert spec.trigger_options.if_running == "fail"
    assert spec.trigger_options.discovery_timeout == 150
    assert spec.poll_interval == 15
    assert spec.seconds_left() is None


def test_words_and_digits_are_read_as_they_are_meant() -> None:
    spec = RunSpec(" 123 ", action="RESYNC", job_type="resync", drop_and_load=True)  # type: ignore[arg-type]
    assert spec.request() == {
        "pipeline_id": 123,
        "action": "RESYNC",
        "job_type": "RESYNC",
        "drop_and_load": True,
        "object_ids": None,
    }


@pytest.mark.parametrize("object_ids", ["a", 5, [], [5], [""], ["a/b"]])
def test_nonsense_for_object_ids_is_refused(object_ids: Any) -> None:
    with pytest.raises(ConfigurationError, match="object_ids"):
        RunSpec(123, action="RESYNC", object_ids=object_ids)


def test_the_same_objects_are_the_same_request() -> None:
    specs = [RunSpec(123, action="RESYNC", object_ids=ids) for ids in (["b", "a"], ("a", "b", "a"))]
    assert specs[0].request() == specs[1].request()
    assert specs[0].object_ids == ("a", "b")


@pytest.mark.parametrize(
    "accept", ["FAILED", ["FAILED"], ("failed", "COMPLETED"), iter(["FAILED"]), {"FAILED"}]
)
def test_what_is_accepted_may_be_given_in_any_form(accept: Any) -> None:
    spec = RunSpec(123, accept=accept)
    assert spec.accept == {"COMPLETED", "FAILED"}
    assert spec.accept == {"COMPLETED", "FAILED"}, "an iterator is read once"


def test_equal_specs_are_equal_and_can_be_keys() -> None:
    assert len({RunSpec(123, accept=["FAILED"]), RunSpec(123, accept="failed")}) == 1
    assert RunSpec(123) != RunSpec(7)


def test_the_seconds_left_are_those_to_the_deadline() -> None:
    left = RunSpec(123, deadline=time.time() + 100).seconds_left()
    assert left is not None
    assert 99 < left <= 100
    assert RunSpec(123, deadline=time.time() - 100).seconds_left() == 0


def test_a_schedule_of_ones_own_is_an_interval() -> None:
    assert RunSpec(123, poll_interval=fixed(5)).poll_interval == fixed(5)


# -- of a task ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "if_running"),
    [
        ({}, "fail"),
        ({"fresh_within": None}, "fail"),
        ({"fresh_within": timedelta(hours=1)}, "join"),
        ({"fresh_within": 3600, "if_running": "fail"}, "fail"),
        ({"if_running": "wait"}, "wait"),
    ],
)
def test_a_task_joins_what_will_be_fresh(options: Any, if_running: str) -> None:
    assert RunSpec.of_task(7, **options).if_running == if_running


def test_a_tasks_time_counts_from_now() -> None:
    before = time.time()
    spec = RunSpec.of_task("7", timeout=timedelta(minutes=1), accept_completed_with_failures=True)
    assert spec.limit == 60
    assert spec.deadline is not None
    assert before + 60 <= spec.deadline <= time.time() + 60
    assert spec.pipeline_id == 7
    assert set(spec.accept) == {"COMPLETED", "COMPLETED_WITH_FAILURES"}
    unlimited = RunSpec.of_task(7)
    assert (unlimited.limit, unlimited.deadline, list(unlimited.accept)) == (
        None,
        None,
        ["COMPLETED"],
    )


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": -1}, {"accept_completed_with_failures": "perhaps"}, {"if_running": "ignore"}],
)
def test_a_tasks_nonsense_is_refused_by_its_name(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        RunSpec.of_task(7, **wrong)


def test_the_options_of_a_task_are_all_that_it_takes() -> None:
    named = set(RunKeywords.__annotations__) - {"accept_completed_with_failures", "timeout"}
    fields = {each.name for each in dataclasses.fields(RunSpec) if each.init}
    assert named <= fields
    assert fields - named == {"pipeline_id", "object_ids", "accept", "deadline", "limit"}
