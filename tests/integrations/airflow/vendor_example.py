"""The example of the vendor's documentation, where only the lines of import are changed."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge import JobType, PipelineAction
from hevo_edge.integrations.airflow import HevoOperator, HevoPipelineOperator

with DAG("vendor_example", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    # fmt: off
    # Deferrable operator with SYNC_NOW (default)
    trigger_sync = HevoPipelineOperator(
        task_id="trigger_pipeline_sync",
        pipeline_id=123,
        action=PipelineAction.SYNC_NOW, # Default - can be omitted
        job_type=JobType.INCREMENTAL, # Default for SYNC_NOW - can be omitted
        deferrable=True,
        wait_for_completion=True,
        poll_interval=10,
        accept_completed_with_failures=False,
        ensure_new_job=True, # Default: True - prevents duplicate jobs
        connection_id="hevo_production"
    )
    # Full historical resync
    resync_pipeline = HevoPipelineOperator(
        task_id="resync_pipeline",
        pipeline_id=123,
        action=PipelineAction.RESYNC, # Full historical reload
        deferrable=True,
        wait_for_completion=True,
        poll_interval=30, # Less frequent polling for long jobs
        accept_completed_with_failures=True
    )
    # Trigger and continue
    trigger_only = HevoOperator(
        task_id="trigger_only",
        pipeline_id=456,
        deferrable=False,
        wait_for_completion=False # Returns job_id via XCom
    )
    # fmt: on
