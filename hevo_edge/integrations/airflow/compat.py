"""What differs between Airflow 2.11 and 3, in one place."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

CALLS_TRIGGERS_ON_KILL: bool = AIRFLOW_V_3_0_PLUS
"""Whether it is for Airflow to call ``on_kill`` of a trigger: 3.3 does, and before it a 3.x trigger
cannot ask for the task's state.
"""
_RESUMING = 30.0
"""Seconds that Airflow 2 has to resume a task before its time is over."""
# A task that misses its heartbeats is up for retry, and one that was cleared goes on with its run.
_ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})


def ti_of(context: Any) -> Any:
    """Return a context's task instance, whose type differs between the two."""
    return context["ti"]


def was_ended_by_user(ti: Any) -> bool | None:
    """Say whether somebody has marked the task instance as over, while its code still runs.

    On a shutdown of a worker or a triggerer, when another triggerer has taken over, on a time-out,
    and when an event has come, Airflow's own state of the task is still one of those at work.

    Returns:
        None where Airflow cannot be asked. Blocks for a query.
    """
    try:
        states = _states(ti)
    except Exception:  # noqa: BLE001 -- whatever fails in Airflow, the answer is that it is unknown
        return None
    return any(str(state) in _ENDED for state in states)


def _states(ti: Any) -> list[Any]:
    if not AIRFLOW_V_3_0_PLUS:
        return [ti.current_state()]
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415

    # In the triggerer the instance itself is but a record.
    answer = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id,
        task_ids=[ti.task_id],
        run_ids=[ti.run_id],
        map_index=ti.map_index if ti.map_index is not None else -1,
    )
    return [state for of_run in answer.values() for state in of_run.values()]


def execution_deadline(ti: Any, now: float, seconds: float) -> float:
    """Return when to give up so that ``execution_timeout`` holds; in seconds since 1970.

    Airflow 3 counts it anew for each part of a deferred task, and leaves the deferral to us.
    Airflow 2 counts from the task's start, and when that is over, it ends the deferral without
    asking: for a final poll and a message, the wait must be over before.
    """
    started = getattr(ti, "start_date", None)
    if AIRFLOW_V_3_0_PLUS or not isinstance(started, datetime):
        return now + seconds
    return min(now, started.timestamp()) + seconds - min(_RESUMING, seconds / 4)


def first_reschedule(ti: Any, context: Any) -> datetime | None:
    """Return when a sensor that is rescheduled began to wait; None when it begins now."""
    if AIRFLOW_V_3_0_PLUS:
        return _date(ti.get_first_reschedule_date(context))
    # Later ones have no such module. By this try's number: what failed the last one is over.
    ask = import_module("airflow.sensors.base")._orig_start_date  # noqa: SLF001
    return _date(ask(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number))


def _date(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
