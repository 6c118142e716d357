"""A DAG whose parameters are known only when it runs."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG
from airflow.providers.standard.operators.python import PythonOperator

from hevo_edge.integrations.airflow import HevoPipelineOperator, HevoSensor

with DAG("rendering", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    chosen = PythonOperator(task_id="chosen", python_callable=lambda: 789)
    by_xcom_arg = HevoPipelineOperator(task_id="by_xcom_arg", pipeline_id=chosen.output)
    by_template = HevoPipelineOperator(
        task_id="by_template",
        pipeline_id="{{ ti.xcom_pull('chosen') }}",
        connection_id="{{ 'hevo_' ~ 'production' }}",
        wait_for_completion=False,
    )
    sensed = HevoSensor(
        task_id="sensed",
        pipeline_id=chosen.output,
        job_id="{{ ti.xcom_pull('by_template') }}",
        deferrable=False,
        poke_interval=0.1,
    )
    by_xcom_arg >> by_template >> sensed
