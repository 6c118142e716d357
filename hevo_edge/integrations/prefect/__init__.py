"""The Prefect adapter: blocks, tasks and a flow over hevo_edge.

::

    from hevo_edge.integrations.prefect import HevoCredentials, sync_and_wait

In async flows the tasks are those of ``hevo_edge.integrations.prefect.aio``, by the same names.
Needs ``hevo-edge[prefect]``: Prefect 3.9 or later. The names load on first use, and none of them
loads aiohttp before it calls Hevo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge.orchestration import lazy_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge.integrations.prefect.blocks import HevoJobRun, HevoPipeline
    from hevo_edge.integrations.prefect.cancellation import cancel_jobs
    from hevo_edge.integrations.prefect.credentials import HevoCredentials
    from hevo_edge.integrations.prefect.flows import sync_pipeline
    from hevo_edge.integrations.prefect.poller import emit_job_events
    from hevo_edge.integrations.prefect.states import retry_can_help
    from hevo_edge.integrations.prefect.tasks import (
        ensure_fresh,
        sync_and_wait,
        trigger_sync,
        wait_for_job,
    )

__all__ = [
    "HevoCredentials",
    "HevoJobRun",
    "HevoPipeline",
    "cancel_jobs",
    "emit_job_events",
    "ensure_fresh",
    "retry_can_help",
    "sync_and_wait",
    "sync_pipeline",
    "trigger_sync",
    "wait_for_job",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HevoCredentials": "credentials",
        "HevoJobRun": "blocks",
        "HevoPipeline": "blocks",
        "cancel_jobs": "cancellation",
        "emit_job_events": "poller",
        "ensure_fresh": "tasks",
        "retry_can_help": "states",
        "sync_and_wait": "tasks",
        "sync_pipeline": "flows",
        "trigger_sync": "tasks",
        "wait_for_job": "tasks",
    },
)
