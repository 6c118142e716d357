"""Sync, then build the models on the fresh data.

Needs the connection ``hevo_airflow_conn_id`` and the Variable ``hevo_pipeline_id``; the Variable
``dbt_command`` is optional.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

from hevo_edge.integrations.airflow import HevoPipelineOperator

with DAG(
    "hevo_then_dbt",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule="0 5 * * *",
    catchup=False,
    doc_md=__doc__,
):
    sync = HevoPipelineOperator(
        task_id="sync",
        pipeline_id="{{ var.value.hevo_pipeline_id }}",
        poll_interval="auto",  # learn from the Pipeline's past Jobs when to look
        if_running="join",  # a run that somebody else has just started is as fresh
        timeout=timedelta(hours=2),
        retries=2,  # a try that was cut off is gone on with, not started again
    )
    build = BashOperator(
        task_id="build",
        bash_command="{{ var.value.get('dbt_command', 'dbt build') }}",
        env={"HEVO_EVENTS_LOADED": "{{ ti.xcom_pull('sync', key='job')['events_loaded'] }}"},
        append_env=True,
    )

    sync >> build
