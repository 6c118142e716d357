"""A DAG that runs when a Job has ended, whoever started it (Airflow 3)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from hevo_edge.integrations.airflow import HevoJobEventTrigger
from tests.integrations.airflow.e2e.dags import pipelines

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import DAG, Asset, AssetWatcher, task

    synced = Asset(
        "synced_by_hevo",
        watchers=[
            AssetWatcher(name="hevo", trigger=HevoJobEventTrigger(pipelines.EVENT, poke_interval=1))
        ],
    )

    @task
    def refs(triggering_asset_events: Any = None) -> list[str]:
        """Return the Jobs that this run is for."""
        of_assets = triggering_asset_events.values()
        return [event.extra["payload"]["ref"] for events in of_assets for event in events]

    with DAG(
        "events",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        schedule=synced,
        catchup=False,
    ):
        refs()
