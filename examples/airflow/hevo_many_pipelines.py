"""Sync several Pipelines at once, by dynamic task mapping.

All of them wait in the triggerer, in one client: their looks share Hevo's calls. Needs the
connection ``hevo_airflow_conn_id`` and the Variable ``hevo_pipeline_ids``, a JSON list.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow import DAG
from airflow.providers.standard.operators.python import PythonOperator

from hevo_edge.integrations.airflow import HevoPipelineOperator


def read_pipelines(var: Any) -> list[int]:
    return list(var["json"].hevo_pipeline_ids)


def say(job_ids: Any) -> None:
    print(f"{len(list(job_ids))} Pipelines are fresh")


with DAG(
    "hevo_many_pipelines",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    catchup=False,
    doc_md=__doc__,
):
    pipelines = PythonOperator(task_id="pipelines", python_callable=read_pipelines)
    synced = HevoPipelineOperator.partial(
        task_id="sync", accept_completed_with_failures=True, timeout=2 * 3600
    ).expand(pipeline_id=pipelines.output)
    report = PythonOperator(
        task_id="report", python_callable=say, op_kwargs={"job_ids": synced.output}
    )
