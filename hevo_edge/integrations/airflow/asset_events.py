"""What an operator's outlets tell of its Job: the ``extra`` of their asset events."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from hevo_edge.orchestration import get_logger

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")


def describe(
    outlet_events: Any, outlets: Iterable[Any] | None, job: Mapping[str, Any] | None
) -> None:
    """Add what is known of a Job to the events of a task's outlets; nothing that it raises.

    Args:
        outlet_events: Airflow's accessors of the events, by outlet; None where there are none.
        outlets: The task's outlets; what is no asset is left out.
        job: What is known of the Job, as plain JSON.
    """
    if outlet_events is None or not job:
        return
    for outlet in outlets or ():
        if isinstance(outlet, str):
            continue  # Airflow 2 would take any text for a dataset
        try:
            event = outlet_events[outlet]
            # What the DAG's author has said goes first.
            event.extra = {**job, **event.extra}
        except Exception as error:  # noqa: BLE001 -- no reason to fail a task whose data is loaded
            log.debug("the event of %r says nothing of the Job: %s", outlet, error)
