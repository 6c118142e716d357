"""Wait for a Pipeline that runs on Hevo's own schedule, then go on.

The sensor takes a Job that ended well in the six hours before this DAG's run, or since; else it
waits for the one that runs, else for the next. Needs the connection ``hevo_airflow_conn_id`` and
the Variable ``hevo_pipeline_id``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

from hevo_edge.integrations.airflow import HevoSensor

with DAG(
    "hevo_scheduled",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule="0 6 * * *",
    catchup=False,
    doc_md=__doc__,
):
    fresh = HevoSensor(
        task_id="fresh",
        pipeline_id="{{ var.value.hevo_pipeline_id }}",
        ended_since="{{ dag_run.start_date - macros.timedelta(hours=6) }}",
        timeout=3 * 3600,
        soft_fail=True,  # no fresh data is no failure here: what follows is skipped
    )

    fresh >> EmptyOperator(task_id="go_on")
