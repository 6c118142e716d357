"""One look, for a sensor that pokes."""

from __future__ import annotations

from typing import Any

from hevo_edge import HevoClient
from hevo_edge.integrations.airflow import connections
from hevo_edge.integrations.airflow.running import run
from hevo_edge.integrations.airflow.triggers import HevoTrigger


def look_once(trigger: HevoTrigger, hevo: HevoClient | None = None) -> dict[str, Any]:
    """Look as the trigger would at its deadline, and return what it would say.

    Network trouble is no news: it is the same as a Job that still runs.

    Args:
        trigger: Says at what, and until when.
        hevo: A client of its connection, if there is one.
    """
    return run(trigger.outcome(hevo or connections.read(trigger.connection_id).client()))
