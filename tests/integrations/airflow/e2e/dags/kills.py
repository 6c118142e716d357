"""Tasks that a user ends."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("kills", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator(task_id="marked", pipeline_id=pipelines.MARKED, poll_interval=1)
    HevoPipelineOperator(task_id="cleared", pipeline_id=pipelines.CLEARED, poll_interval=1)
    HevoPipelineOperator(
        task_id="marked_in_worker",
        pipeline_id=pipelines.MARKED_IN_WORKER,
        poll_interval=1,
        deferrable=False,
    )
