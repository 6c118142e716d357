"""The ways to run a Pipeline, side by side."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator, HevoSensor
from tests.integrations.airflow.e2e.dags import pipelines

with DAG("modes", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    HevoPipelineOperator(task_id="success", pipeline_id=pipelines.SUCCESS, poll_interval=1)
    HevoPipelineOperator(task_id="failure", pipeline_id=pipelines.FAILURE, poll_interval=1)
    HevoPipelineOperator(task_id="strict", pipeline_id=pipelines.STRICT, poll_interval=1)
    HevoPipelineOperator(
        task_id="lenient",
        pipeline_id=pipelines.LENIENT,
        poll_interval=1,
        accept_completed_with_failures=True,
    )
    HevoPipelineOperator(
        task_id="resync",
        pipeline_id=pipelines.RESYNC,
        poll_interval=1,
        action="RESYNC",
        drop_and_load=True,
    )
    start = HevoPipelineOperator(
        task_id="start", pipeline_id=pipelines.HANDED_OVER, wait_for_completion=False
    )
    HevoSensor(
        task_id="sensed",
        pipeline_id=pipelines.HANDED_OVER,
        job_id=start.output,
        poke_interval=1,
        timeout=300,
    )
