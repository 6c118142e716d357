"""The Dagster adapter: Hevo's tables as assets, over hevo_edge.

::

    from hevo_edge.integrations.dagster import HevoResource, hevo_assets

Needs ``hevo-edge[dagster]``. The names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge.orchestration import lazy_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge.integrations.dagster.assets import build_hevo_assets_definitions, hevo_assets
    from hevo_edge.integrations.dagster.component import HevoAccountComponent
    from hevo_edge.integrations.dagster.freshness import build_hevo_freshness_checks
    from hevo_edge.integrations.dagster.ops import hevo_resync_op, hevo_sync_job, hevo_sync_op
    from hevo_edge.integrations.dagster.options import RunKeywords
    from hevo_edge.integrations.dagster.resource import HevoResource
    from hevo_edge.integrations.dagster.sensor import build_hevo_sensor
    from hevo_edge.integrations.dagster.tables import HevoPipeline, HevoTable
    from hevo_edge.integrations.dagster.translator import HevoTranslator

__all__ = [
    "HevoAccountComponent",
    "HevoPipeline",
    "HevoResource",
    "HevoTable",
    "HevoTranslator",
    "RunKeywords",
    "build_hevo_assets_definitions",
    "build_hevo_freshness_checks",
    "build_hevo_sensor",
    "hevo_assets",
    "hevo_resync_op",
    "hevo_sync_job",
    "hevo_sync_op",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HevoAccountComponent": "component",
        "HevoPipeline": "tables",
        "HevoResource": "resource",
        "HevoTable": "tables",
        "HevoTranslator": "translator",
        "RunKeywords": "options",
        "build_hevo_assets_definitions": "assets",
        "build_hevo_freshness_checks": "freshness",
        "build_hevo_sensor": "sensor",
        "hevo_assets": "assets",
        "hevo_resync_op": "ops",
        "hevo_sync_job": "ops",
        "hevo_sync_op": "ops",
    },
)
