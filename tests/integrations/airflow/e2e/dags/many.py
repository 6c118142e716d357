"""More tasks at once than a minute has calls for."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("many", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator.partial(task_id="sync", connection_id="hevo_limited").expand(
        pipeline_id=list(pipelines.MANY)
    )
