"""RunSpec: a run as a task asks for it, checked where it is made."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import RunSpec
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
    }


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
