"""Tasks whose time is short, whose Pipeline is busy, or whose Hevo is in trouble."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG

from hevo_edge.integrations.airflow import HevoPipelineOperator, parameters
from tests.integrations.airflow.e2e.dags import pipelines

# A test need not wait for a minute.
parameters.BACKSTOP_GRACE = 2.0
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

with DAG("late", start_date=START, schedule=None):
    HevoPipelineOperator(
        task_id="late",
        pipeline_id=pipelines.LATE,
        poll_interval=1,
        timeout=12,
        on_timeout="cancel",
    )

with DAG("together", start_date=START, schedule=None):
    for task_id in ("one", "other"):
        HevoPipelineOperator(
            task_id=task_id,
            pipeline_id=pipelines.TOGETHER,
            poll_interval=1,
            ensure_new_job=False,
        )

for dag_id, pipeline_id in (("left", pipelines.LEFT), ("refused", pipelines.REFUSED)):
    with DAG(dag_id, start_date=START, schedule=None):
        HevoPipelineOperator(
            task_id=dag_id, pipeline_id=pipeline_id, connection_id="hevo_held", poll_interval=1
        )
