"""After an outage: find the Pipelines that failed, run those again, a few at a time, and sum up.

Trigger it by hand; its parameter says how many hours to look back. Needs the connection
``hevo_airflow_conn_id``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowException, Param, task

from hevo_edge.integrations.airflow import HevoHook, HevoPipelineOperator

PARAMETERS: Any = {"hours": Param(2, type="number", exclusiveMinimum=0)}


@task(retries=2)  # it only reads, so a retry does no harm
def find(params: Any = None) -> list[dict[str, Any]]:
    return list(HevoHook().failed_pipelines_sync(timedelta(hours=params["hours"])))


@task
def ids(found: Any) -> list[int]:
    return [each["pipeline_id"] for each in found if each["obstacle"] is None]


@task(trigger_rule="all_done")
def summary(found: Any, pipeline_ids: Any, params: Any = None, ti: Any = None) -> list[str]:
    jobs = {
        pipeline_id: ti.xcom_pull(task_ids="recover", key="job", map_indexes=index)
        for index, pipeline_id in enumerate(pipeline_ids)
    }
    lines, left = [], []
    for each in found:
        job = jobs.get(each["pipeline_id"])
        if each["obstacle"] is not None:
            what = f"not started, {each['obstacle']}"
        elif job is None:
            what = "no Job of it has ended, see its task"
        else:
            what = f"{job['status']}, {job.get('events_loaded')} events loaded ({job['ref']})"
        lines.append(f"Pipeline {each['pipeline_id']} {each['reason']}: {what}")
        if job is None or job["status"] != "COMPLETED":
            left.append(each["pipeline_id"])
    if found:
        lines.append(f"{len(found) - len(left)} of {len(found)} have recovered")
    else:
        lines.append(f"no Pipeline has failed in the last {params['hours']} hours")
    print(*lines, sep="\n")
    if left:
        # Or the DAG's run would be a success, whatever became of the mapped tasks.
        raise AirflowException("; ".join(lines))
    return lines


with DAG(
    "hevo_recover",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params=PARAMETERS,
    doc_md=__doc__,
):
    found = find()
    pipeline_ids = ids(found)
    recover = HevoPipelineOperator.partial(
        task_id="recover",
        if_running="join",  # a run that somebody else has just started will do
        timeout=4 * 3600,
        max_active_tis_per_dag=3,
        map_index_template="{{ task.pipeline_id }}",
    ).expand(pipeline_id=pipeline_ids)
    recover >> summary(found, pipeline_ids)
