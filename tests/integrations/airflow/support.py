"""Stand-ins for what Airflow gives to a task, and Airflow's part in a deferral."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.triggers.base import BaseTrigger

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.integrations.airflow import HevoPipelineOperator, HevoSensor

AIRFLOW_3: bool = AIRFLOW_V_3_0_PLUS
only_airflow_2 = pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 does it otherwise")
only_airflow_3 = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 does it otherwise")


def operator(**options: Any) -> HevoPipelineOperator:
    """Return an operator that polls often."""
    return HevoPipelineOperator(
        **{"task_id": "task", "pipeline_id": 123, "poll_interval": 0.05, **options}
    )


def sensor(**options: Any) -> HevoSensor:
    """Return a sensor that polls often."""
    return HevoSensor(
        **{"task_id": "task", "pipeline_id": 123, "poke_interval": 0.05, "timeout": 20, **options}
    )


def last_job(emu: HevoEmulator, pipeline_id: int = 123) -> EmulatedJob:
    """Return the newest Job of a Pipeline."""
    return emu.pipeline(pipeline_id).jobs[-1]


def end_last_job(emu: HevoEmulator, status: str = "COMPLETED", pipeline_id: int = 123) -> str:
    """Let the newest Job of a Pipeline end. Returns its id."""
    job = last_job(emu, pipeline_id)
    job.end(emu.now, status)
    return job.job_id


def start_by_schedule(emu: HevoEmulator, pipeline_id: int = 123) -> EmulatedJob:
    """Start a Job that is none of the task's."""
    return emu.pipeline(pipeline_id).start_job(now=emu.now)


def is_cancelled(job: EmulatedJob) -> bool:
    """Say whether Hevo was asked to cancel a Job; it ends soon after."""
    return job.status in {"CANCELLING", "CANCELLED"}


def starts(emu: HevoEmulator) -> int:
    """Return how many runs were started by API."""
    actions = emu.requests.of("sync_now", "resync_pipeline")
    return sum(call.took_effect for call in actions)


class FakeTaskInstance:
    """What the adapter uses of a task instance; a new one is another task."""

    def __init__(self) -> None:
        self.dag_id = "dag"
        self.task_id = "task"
        self.run_id = f"manual__{uuid.uuid4()}"
        self.map_index = -1
        self.max_tries = 0
        self.try_number = 1
        self.first_reschedule_date: datetime | None = None
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        return self.xcoms.get(key) if task_ids == self.task_id else None

    if AIRFLOW_3:

        def get_first_reschedule_date(self, context: Any) -> datetime | None:
            return self.first_reschedule_date


class FakeStateStore:
    """The store of a task's state that Airflow has from 3.3 on."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


def reborn(trigger: BaseTrigger) -> BaseTrigger:
    """Return a trigger as the triggerer makes it: from the JSON of its ``serialize``."""
    path, kwargs = json.loads(json.dumps(trigger.serialize()))
    module, _, name = path.rpartition(".")
    made: BaseTrigger = getattr(import_module(module), name)(**kwargs)
    return made


async def first_event(trigger: BaseTrigger) -> dict[str, Any]:
    """Return what a trigger sends, as its task gets it."""
    async for event in trigger.run():
        payload: dict[str, Any] = json.loads(json.dumps(event.payload))
        return payload
    raise AssertionError("the trigger sent nothing")


def event_of(trigger: BaseTrigger, seconds: float = 20.0) -> dict[str, Any]:
    """Run a trigger like a triggerer, and return its event."""
    return asyncio.run(asyncio.wait_for(first_event(reborn(trigger)), seconds))


def deferral_of(operator: Any, context: Any) -> TaskDeferred:
    """Execute an operator that must defer."""
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    return caught.value


def resume(operator: Any, context: Any, deferred: TaskDeferred, event: Any) -> Any:
    """Go on after a deferral, as Airflow does."""
    kwargs = json.loads(json.dumps(deferred.kwargs or {}))
    return operator.resume_execution(deferred.method_name, {**kwargs, "event": event}, context)


def run_to_end(make: Callable[[], Any], context: Any) -> Any:
    """Run a task, deferrals and all; each stage is another process, so another operator."""
    try:
        return make().execute(context)
    except TaskDeferred as first:
        deferred = first
    while True:
        event = event_of(deferred.trigger)
        try:
            return resume(make(), context, deferred, event)
        except TaskDeferred as another:
            deferred = another
