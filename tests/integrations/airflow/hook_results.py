"""What each method of the hook returns; and a DAG whose task returns it all, to another task.

Pipeline 51 has Jobs that go on, those of 52 end at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from hevo_edge.integrations.airflow import HevoHook

GOES_ON, ENDS = 51, 52


def results(hook: HevoHook) -> Iterator[tuple[str, Any]]:
    """Call each method for synchronous code once. Yields its name and what it returned."""
    yield "failed_pipelines", hook.failed_pipelines_sync(timedelta(days=9))
    yield "get_pipeline", hook.get_pipeline_sync(ENDS)
    yield "validate_pipeline", hook.validate_pipeline_sync(ENDS)
    objects = hook.list_objects_sync(ENDS)
    object_id = objects.data[0].object_id
    yield "list_objects", objects
    yield "list_pipeline_objects", hook.list_pipeline_objects_sync(ENDS, limit=1)
    yield "get_object", hook.get_object_sync(ENDS, object_id)
    yield "get_pipeline_object", hook.get_pipeline_object_sync(ENDS, object_id)
    yield "resync_pipeline", hook.resync_pipeline_sync(ENDS)
    yield "resync_objects", hook.resync_objects_sync(ENDS, [object_id])
    job = hook.trigger_pipeline_sync_sync(GOES_ON)
    yield "trigger_pipeline_sync", job
    yield "find_active_job_by_type", hook.find_active_job_by_type_sync(GOES_ON)
    status = hook.get_job_completion_status_sync(GOES_ON, job.job_id)
    yield "get_job_completion_status", status
    yield "get_job_objects", hook.get_job_objects_sync(GOES_ON, job.job_id)
    yield "cancel_job", hook.cancel_job_sync(GOES_ON, job.job_id)
    yield "update_pipeline", hook.update_pipeline_sync(ENDS, {"name": "Orders"})
    yield "update_pipeline_sources", hook.update_pipeline_sources_sync(ENDS, {"name": "Shop"})
    yield "disable_pipeline", hook.disable_pipeline_sync(ENDS)
    yield "enable_pipeline", hook.enable_pipeline_sync(ENDS)
    yield "refresh_schema", hook.refresh_schema_sync(ENDS)


@task(retries=2)
def give() -> Any:
    given = dict(results(HevoHook()))
    return {"text": json.dumps(given), "given": given}


@task
def take(returned: Any) -> None:
    assert returned["given"] == json.loads(returned["text"])


with DAG("hook_results", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
    take(give())
