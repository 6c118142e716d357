"""The Airflow adapter: operator, sensor, trigger and hook over hevo_edge.

::

    from hevo_edge import JobType, PipelineAction
    from hevo_edge.integrations.airflow import HevoPipelineOperator

Needs ``hevo-edge[airflow]``: Airflow 2.11 or 3. The names load on first use, and what a DAG file
needs loads neither aiohttp nor pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge.orchestration import lazy_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge.integrations.airflow.event_triggers import HevoJobEventTrigger
    from hevo_edge.integrations.airflow.hooks import HevoHook
    from hevo_edge.integrations.airflow.links import HevoPipelineLink
    from hevo_edge.integrations.airflow.operators import HevoOperator, HevoPipelineOperator
    from hevo_edge.integrations.airflow.sensors import HevoSensor
    from hevo_edge.integrations.airflow.triggers import HevoTrigger

__all__ = [
    "HevoHook",
    "HevoJobEventTrigger",
    "HevoOperator",
    "HevoPipelineLink",
    "HevoPipelineOperator",
    "HevoSensor",
    "HevoTrigger",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HevoHook": "hooks",
        "HevoJobEventTrigger": "event_triggers",
        "HevoOperator": "operators",
        "HevoPipelineLink": "links",
        "HevoPipelineOperator": "operators",
        "HevoSensor": "sensors",
        "HevoTrigger": "triggers",
    },
)
