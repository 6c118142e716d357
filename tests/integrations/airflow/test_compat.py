"""Who has ended a task, as each Airflow says it."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.integrations.airflow import compat
from tests.integrations.airflow.support import only_airflow_2, only_airflow_3

BY_USER = ["success", "failed", "skipped", "upstream_failed", "removed"]
# A task that was cleared goes on with its run.
AT_WORK: list[str | None] = [
    "running",
    "deferred",
    "scheduled",
    "queued",
    "up_for_reschedule",
    "up_for_retry",
]
AT_WORK += ["restarting", None]


@only_airflow_2
@pytest.mark.parametrize(
    ("state", "expected"), [(s, True) for s in BY_USER] + [(s, False) for s in AT_WORK]
)
def test_airflow_2_says_it_in_the_row_of_the_task(
    row: Any, state: str | None, expected: bool
) -> None:
    from airflow.utils.session import create_session  # noqa: PLC0415

    # Another process sets it, as the webserver does.
    with create_session() as session:
        same = {"dag_id": row.dag_id, "task_id": row.task_id, "run_id": row.run_id}
        session.query(type(row)).filter_by(**same).update({"state": state})
    assert compat.was_ended_by_user(row) is expected


class OfATriggerer:
    """A task instance as a triggerer of Airflow 3 has it: a record."""

    dag_id, task_id, run_id, map_index = "dag", "task", "run", 2


def answers(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    """Let Airflow's supervisor answer; return what it is asked."""
    from inspect import signature  # noqa: PLC0415

    from airflow.sdk.execution_time.task_runner import (  # noqa: PLC0415 -- Airflow 3 alone has it
        RuntimeTaskInstance,
    )

    takes = signature(RuntimeTaskInstance.get_task_states)
    asked: list[dict[str, Any]] = []

    def get_task_states(**given: Any) -> Any:
        takes.bind(**given)
        asked.append(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(get_task_states))
    return asked


@only_airflow_3
@pytest.mark.parametrize(
    ("state", "expected"), [(s, True) for s in BY_USER] + [(s, False) for s in AT_WORK]
)
def test_airflow_3_is_asked_through_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, state: str | None, expected: bool
) -> None:
    asked = answers(monkeypatch, {"run": {"task": state}})
    assert compat.was_ended_by_user(OfATriggerer()) is expected
    assert asked == [{"dag_id": "dag", "task_ids": ["task"], "run_ids": ["run"], "map_index": 2}]


def test_an_airflow_that_cannot_be_asked_leaves_it_open() -> None:
    assert compat.was_ended_by_user(object()) is None


@only_airflow_3
def test_an_airflow_3_that_fails_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, OSError("gone"))
    assert compat.was_ended_by_user(OfATriggerer()) is None
