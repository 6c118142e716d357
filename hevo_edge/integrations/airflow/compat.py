"""What differs between Airflow 2.11 and 3, in one place."""

from __future__ import annotations

import os
from datetime import datetime
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

CALLS_TRIGGERS_ON_KILL: bool = AIRFLOW_V_3_0_PLUS
"""Whether it is for Airflow to call ``on_kill`` of a trigger: 3.3 does, and before it a 3.x trigger
cannot ask for the task's state.
"""
ON_KILL_MARGIN = 5.0
"""Seconds, of those that a triggerer gives to a kill, for what comes after it."""
_RESUMING = 30.0
"""Seconds that Airflow 2 has to resume a task before its time is over."""
_FINISHING = 10.0
"""Seconds for a final poll, a message and a cancel, before Airflow ends a task in its worker."""
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
    """Return when a deferral must be over so that ``execution_timeout`` holds, since 1970.

    Airflow 3 counts it anew for each part of a deferred task, and leaves the deferral to us.
    Airflow 2 counts from the task's start, and when that is over, it ends the deferral without
    asking: for a final poll and a message, the wait must be over before.
    """
    started = getattr(ti, "start_date", None)
    if AIRFLOW_V_3_0_PLUS or not isinstance(started, datetime):
        return now + seconds
    return min(now, started.timestamp()) + seconds - min(_RESUMING, seconds / 4)


def worker_deadline(now: float, seconds: float) -> float:
    """Return when work in a worker must be over, before Airflow's own alarm; in seconds since 1970.

    The alarm of ``execution_timeout`` cuts off whatever runs: no final poll, no reason, no cancel.
    """
    return now + seconds - min(_FINISHING, seconds / 4)


def on_kill_timeout() -> float:
    """Return the seconds that a kill of a deferred task may take in a triggerer."""
    allowed: float = conf.getfloat("triggerer", "on_kill_timeout", fallback=30.0)
    return max(allowed - ON_KILL_MARGIN, allowed / 2)


def is_late(next_method: str, next_kwargs: Any) -> bool:
    """Say whether Airflow resumes a task because its deferral has lasted too long."""
    return next_method == "__fail__" and "timeout" in str((next_kwargs or {}).get("error", ""))


def first_reschedule(ti: Any, context: Any) -> datetime | None:
    """Return when a sensor that is rescheduled began to wait; None when it begins now."""
    if AIRFLOW_V_3_0_PLUS:
        return _date(ti.get_first_reschedule_date(context))
    # Later ones have no such module. By this try's number: what failed the last one is over.
    ask = import_module("airflow.sensors.base")._orig_start_date  # noqa: SLF001
    return _date(ask(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, ti.try_number))


def _date(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _default_deferrable() -> bool:
    """Say whether to defer where a task does not say: yes, unless the environment says otherwise.

    Airflow's own default for ``[operators] default_deferrable`` is False, and Airflow 3 writes that
    into a new airflow.cfg, so a False in the file is nobody's choice.
    """
    variable = "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"
    if not any(variable + suffix in os.environ for suffix in ("", "_CMD", "_SECRET")):
        return True
    return bool(conf.getboolean("operators", "default_deferrable"))


DEFAULT_DEFERRABLE: bool = _default_deferrable()
"""Whether to defer where a task does not say."""
