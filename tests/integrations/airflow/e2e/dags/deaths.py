"""Tasks whose process dies."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("deaths", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator(
        task_id="after_post",
        pipeline_id=pipelines.AFTER_POST,
        poll_interval=1,
        retries=1,
        retry_delay=timedelta(0),
    )
    HevoPipelineOperator(
        task_id="in_post",
        pipeline_id=pipelines.IN_POST,
        connection_id="hevo_held",
        poll_interval=1,
        retries=1,
        retry_delay=timedelta(0),
    )
