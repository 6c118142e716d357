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
# A task that misses its heartbeats is failed by the scheduler, to be retried: no user did that.
_AT_WORK = frozenset(
    {"running", "deferred", "scheduled", "queued", "up_for_reschedule", "up_for_retry"}
)


def was_ended_by_user(ti: Any) -> bool | None:
    """Say whether somebody has marked or cleared the task instance, while its code still runs.

    On a shutdown of a worker or a triggerer, on a time-out, and when an event has come, Airflow's
    own state of the task is still one of those at work.

    Returns:
        None where Airflow cannot be asked. Blocks for a query.
    """
    try:
        states = _states(ti)
    except Exception:  # noqa: BLE001 -- whatever fails in Airflow, the answer is that it is unknown
        return None
    # A cleared task that is not scheduled again yet has no state.
    return any(state is None or str(state) not in _AT_WORK for state in states)


def _states(ti: Any) -> list[Any]:
    if not AIRFLOW_V_3_0_PLUS:
        return [ti.current_state()]
    answer = ti.get_task_states(
        dag_id=ti.dag_id,
        task_ids=[ti.task_id],
        run_ids=[ti.run_id],
        map_index=ti.map_index if ti.map_index is not None else -1,
    )
    return [state for of_run in answer.values() for state in of_run.values()]


def first_reschedule(ti: Any, context: Any, retries: int | None) -> datetime | None:
    """Return when a sensor that is rescheduled began to wait; None when it begins now."""
    if AIRFLOW_V_3_0_PLUS:
        return _date(ti.get_first_reschedule_date(context))
    # As Airflow 2's sensors do it themselves; later ones have no such module.
    first_try = (ti.max_tries or 0) - (retries or 0) + 1
    ask = import_module("airflow.sensors.base")._orig_start_date  # noqa: SLF001
    return _date(ask(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try))


def _date(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
