"""Tasks that wait while the triggerer goes away."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("outages", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator(task_id="restart", pipeline_id=pipelines.RESTART, poll_interval=1)
    HevoPipelineOperator(task_id="frozen", pipeline_id=pipelines.FROZEN, poll_interval=1)
    HevoPipelineOperator(task_id="crash", pipeline_id=pipelines.CRASH, poll_interval=1)
