"""hevo_edge: trigger a Hevo Edge Pipeline exactly once, and await its Job within the call budget.

::

    async with HevoClient(api_key="...", api_secret="...", region="us") as hevo:
        job = await hevo.pipeline(123).trigger()
        await job.await_completion(timeout=2 * 3600)
        print(job.status, job.data.events_loaded)

The names load on first use, so that ``from hevo_edge import JobType`` costs a DAG file next to
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge._common.lazy import lazy_names
from hevo_edge._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge import errors, schedules
    from hevo_edge._http.ratelimit import Priority, RateLimit
    from hevo_edge.budget import Budget, BudgetHolder
    from hevo_edge.client import HevoClient
    from hevo_edge.enums import (
        Certainty,
        Dialect,
        Freshness,
        IfRunning,
        JobStatus,
        JobType,
        PipelineAction,
        PipelineStatus,
        ResyncMode,
    )
    from hevo_edge.job import Job
    from hevo_edge.pipeline import Pipeline
    from hevo_edge.triggering import TriggerTicket

__all__ = [
    "Budget",
    "BudgetHolder",
    "Certainty",
    "Dialect",
    "Freshness",
    "HevoClient",
    "IfRunning",
    "Job",
    "JobStatus",
    "JobType",
    "Pipeline",
    "PipelineAction",
    "PipelineStatus",
    "Priority",
    "RateLimit",
    "ResyncMode",
    "TriggerTicket",
    "__version__",
    "errors",
    "schedules",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Budget": "budget",
        "BudgetHolder": "budget",
        "Certainty": "enums",
        "Dialect": "enums",
        "Freshness": "enums",
        "HevoClient": "client",
        "IfRunning": "enums",
        "Job": "job",
        "JobStatus": "enums",
        "JobType": "enums",
        "Pipeline": "pipeline",
        "PipelineAction": "enums",
        "PipelineStatus": "enums",
        "Priority": "_http.ratelimit",
        "RateLimit": "_http.ratelimit",
        "ResyncMode": "enums",
        "TriggerTicket": "triggering",
        "__version__": "_version",
        "errors": "errors",
        "schedules": "schedules",
    },
)
