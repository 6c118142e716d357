"""The sensor's reschedule mode: each poke is another process."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    end_last_job,
    only_airflow_2,
    only_airflow_3,
    sensor,
    start_by_schedule,
)


def poked(**options: Any) -> Any:
    return sensor(mode="reschedule", deferrable=False, **options)


def test_a_job_that_runs_reschedules_and_one_that_is_over_does_not(
    emu: HevoEmulator, context: Any, database: None
) -> None:
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    for _ in range(2):
        with pytest.raises(AirflowRescheduleException):
            poked(job_id=job.job_id).execute(context)
    end_last_job(emu)
    assert poked(job_id=job.job_id).execute(context) == job.job_id


def test_the_running_job_of_a_pipeline_reschedules(
    emu: HevoEmulator, context: Any, database: None
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    with pytest.raises(AirflowRescheduleException):
        poked().execute(context)


@only_airflow_3
def test_a_job_that_ended_between_two_pokes_counts_from_the_first_poke_on(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    first = datetime.fromtimestamp(emu.now, timezone.utc) - timedelta(minutes=2)
    job = emu.pipeline(123).add_history(created=emu.now - 100, duration=60)
    with pytest.raises(AirflowRescheduleException):
        poked().execute(context)
    ti.first_reschedule_date = first
    assert poked(timeout=3600).execute(context) == job.job_id


@only_airflow_2
def test_a_job_that_ended_between_two_pokes_counts_from_the_first_reschedule_on(
    emu: HevoEmulator, row: Any
) -> None:
    from airflow.models.taskreschedule import TaskReschedule  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    job = emu.pipeline(123).add_history(created=emu.now - 100, duration=60)
    with pytest.raises(AirflowRescheduleException):
        poked().execute({"ti": row})
    start = datetime.fromtimestamp(emu.now, timezone.utc) - timedelta(minutes=2)
    with create_session() as session:
        moments = {"start_date": start, "end_date": start, "reschedule_date": start}
        ids = {"task_id": row.task_id, "dag_id": row.dag_id, "run_id": row.run_id}
        of_row: Any = {**ids, "try_number": 1, "map_index": -1, **moments}
        session.add(TaskReschedule(**of_row))
    assert poked(timeout=3600).execute({"ti": row}) == job.job_id
    with pytest.raises(AirflowSensorTimeout):
        poked(pipeline_id=7, timeout=60).execute({"ti": row})
