"""One look, for a sensor that pokes."""

from __future__ import annotations

from typing import Any

from hevo_edge.integrations.airflow import connections
from hevo_edge.integrations.airflow.running import run
from hevo_edge.integrations.airflow.triggers import HevoTrigger


def look_once(trigger: HevoTrigger) -> dict[str, Any]:
    """Look as the trigger would at its deadline, and return what it would say.

    Network trouble is no news: it is the same as a Job that still runs.
    """
    hevo = connections.read(trigger.connection_id).client()
    return run(trigger.outcome(hevo))
