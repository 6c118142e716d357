"""Who has ended a task, as each Airflow says it."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.integrations.airflow import compat
from tests.integrations.airflow.support import only_airflow_2, only_airflow_3

BY_USER = ["success", "failed", "skipped", "removed", "restarting", None]
AT_WORK = ["running", "deferred", "scheduled", "queued", "up_for_reschedule", "up_for_retry"]


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


class AnsweringTaskInstance:
    """A task instance of Airflow 3, whose supervisor answers."""

    dag_id, task_id, run_id = "dag", "task", "run"

    def __init__(self, answer: Any, map_index: int | None = -1) -> None:
        self.answer = answer
        self.map_index = map_index
        self.asked: dict[str, Any] = {}

    def get_task_states(self, **asked: Any) -> Any:
        self.asked = asked
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@only_airflow_3
@pytest.mark.parametrize(
    ("state", "expected"), [(s, True) for s in BY_USER] + [(s, False) for s in AT_WORK]
)
def test_airflow_3_is_asked_through_the_supervisor(state: str | None, expected: bool) -> None:
    ti = AnsweringTaskInstance({"run": {"task": state}}, map_index=2)
    assert compat.was_ended_by_user(ti) is expected
    assert ti.asked == {"dag_id": "dag", "task_ids": ["task"], "run_ids": ["run"], "map_index": 2}


@only_airflow_3
def test_the_question_is_one_that_airflow_3_takes() -> None:
    from inspect import signature  # noqa: PLC0415

    from airflow.sdk.execution_time.task_runner import (  # noqa: PLC0415 -- Airflow 3 alone has it
        RuntimeTaskInstance,
    )

    ti = AnsweringTaskInstance({})
    compat.was_ended_by_user(ti)
    bound = signature(RuntimeTaskInstance.get_task_states).bind(**ti.asked)
    assert set(bound.arguments) == set(ti.asked)


def test_an_airflow_that_cannot_be_asked_leaves_it_open() -> None:
    assert compat.was_ended_by_user(object()) is None


@only_airflow_3
def test_an_airflow_3_that_fails_leaves_it_open() -> None:
    assert compat.was_ended_by_user(AnsweringTaskInstance(OSError("gone"))) is None
