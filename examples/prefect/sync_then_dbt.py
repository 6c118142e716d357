"""Sync two Pipelines at once, then build the models on the fresh data.

Needs the block ``prod`` of Hevo's credentials; the page docs/prefect.md says how to save one. As a
deployment that a worker of Prefect runs, with a button to cancel::

    prefect deploy examples/prefect/sync_then_dbt.py:sync_then_dbt --name nightly --pool default
"""

from __future__ import annotations

import sys
from typing import Any

from prefect import flow, task
from prefect.logging import get_run_logger

from hevo_edge.integrations.prefect import cancel_jobs, sync_and_wait


@task
def dbt_build(jobs: list[dict[str, Any]]) -> int:
    """Stand for `dbt build`."""
    loaded: int = sum(job["events_loaded"] for job in jobs)
    get_run_logger().info("building the models on %d events", loaded)
    return loaded


# What a flow run that is cancelled has left running is cancelled by the hook, if its process is
# gone: that of a mapped task is, since Prefect does not interrupt its thread.
@flow(on_cancellation=[cancel_jobs])
def sync_then_dbt(pipeline_ids: list[int], credentials: str = "prod") -> int:
    """Sync Pipelines of Hevo, each once, and build on what they have loaded."""
    sync = sync_and_wait.with_options(retries=2, retry_delay_seconds=60)
    syncs = sync.map(credentials, pipeline_ids, if_running="wait", timeout=2 * 3600)
    return dbt_build(syncs.result())


if __name__ == "__main__":
    sync_then_dbt([int(each) for each in sys.argv[1:]])
