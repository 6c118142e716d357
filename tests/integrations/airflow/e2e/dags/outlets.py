"""A task with an outlet."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG
from airflow.providers.common.compat.assets import Asset

from hevo_edge.integrations.airflow import HevoPipelineOperator
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("outlets", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator(
        task_id="sync",
        pipeline_id=pipelines.OUTLET,
        poll_interval=1,
        outlets=[Asset(uri="hevo://orders")],
    )
