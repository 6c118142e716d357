"""Build the models whenever Hevo's own schedule has brought data (Airflow 3).

The triggerer watches the Pipeline: no task polls, and no slot is held. The DAG runs when a Job has
ended well, whoever started it; Jobs that end while it runs share its next run. Needs the connection
``hevo_airflow_conn_id``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from hevo_edge.integrations.airflow import HevoJobEventTrigger

PIPELINE_ID = 123

orders = Asset(
    "hevo_orders",
    watchers=[AssetWatcher(name="hevo_orders_synced", trigger=HevoJobEventTrigger(PIPELINE_ID))],
)
JOBS = (
    "{% for events in triggering_asset_events.values() %}"
    "{% for event in events %}{{ event.extra.payload.ref }} {% endfor %}"
    "{% endfor %}"
)

with DAG(
    "hevo_event_then_dbt",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=orders,
    catchup=False,
    doc_md=__doc__,
):
    BashOperator(
        task_id="build",
        bash_command='echo "dbt build, after ${HEVO_JOBS:-no Job}"',
        env={"HEVO_JOBS": JOBS},
        append_env=True,
    )
