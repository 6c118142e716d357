"""The three modes of the operator, one after another.

Needs the connection ``hevo_airflow_conn_id`` (type Hevo Edge: region, API key, API secret) and the
Variable ``hevo_pipeline_id``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge import PipelineAction
from hevo_edge.integrations.airflow import HevoPipelineOperator, HevoSensor

PIPELINE = "{{ var.value.hevo_pipeline_id }}"

with DAG(
    "hevo_modes",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    catchup=False,
    doc_md=__doc__,
):
    # Trigger and Asynchronous Wait: no worker slot is held while Hevo works.
    sync = HevoPipelineOperator(task_id="sync", pipeline_id=PIPELINE, timeout=2 * 3600)

    # Synchronous wait: for a deployment without a triggerer.
    sync_in_worker = HevoPipelineOperator(
        task_id="sync_in_worker", pipeline_id=PIPELINE, deferrable=False, timeout=2 * 3600
    )

    # Trigger and Continue: the Job's id goes on to a sensor, and other work can be done meanwhile.
    start_resync = HevoPipelineOperator(
        task_id="start_resync",
        pipeline_id=PIPELINE,
        action=PipelineAction.RESYNC,
        drop_and_load=True,
        wait_for_completion=False,
    )
    resynced = HevoSensor(
        task_id="resynced",
        pipeline_id=PIPELINE,
        job_id=start_resync.output,
        accept_completed_with_failures=True,
        timeout=6 * 3600,
    )

    sync >> sync_in_worker >> start_resync >> resynced
