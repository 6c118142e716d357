"""Sync a Pipeline whenever a backup has finished, and tell others what was loaded (Airflow 3).

Whatever makes the backup says so by its asset. The sync's own asset runs the DAGs that need the
data; its event has the Job's counts in ``extra``. Needs the connection ``hevo_airflow_conn_id`` and
the Variable ``hevo_pipeline_id``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset

from hevo_edge.integrations.airflow import HevoPipelineOperator

backup = Asset("orders_backup")  # an outlet of the task that makes the backup
synced = Asset("orders_synced")

with DAG(
    "hevo_backup_then_sync",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=backup,
    catchup=False,
    doc_md=__doc__,
):
    HevoPipelineOperator(
        task_id="sync",
        pipeline_id="{{ var.value.hevo_pipeline_id }}",
        if_running="wait",  # a run that began before the backup ended has not seen all of it
        timeout=timedelta(hours=2),
        retries=2,
        outlets=[synced],
    )
