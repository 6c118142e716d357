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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hevo_edge._version import __version__

if TYPE_CHECKING:
    from hevo_edge import errors, schedules
    from hevo_edge._http.ratelimit import RateLimit
    from hevo_edge.client import HevoClient
    from hevo_edge.enums import (
        Certainty,
        Dialect,
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
    "Certainty",
    "Dialect",
    "HevoClient",
    "IfRunning",
    "Job",
    "JobStatus",
    "JobType",
    "Pipeline",
    "PipelineAction",
    "PipelineStatus",
    "RateLimit",
    "ResyncMode",
    "TriggerTicket",
    "__version__",
    "errors",
    "schedules",
]

_HOME = {
    "Certainty": "enums",
    "Dialect": "enums",
    "HevoClient": "client",
    "IfRunning": "enums",
    "Job": "job",
    "JobStatus": "enums",
    "JobType": "enums",
    "Pipeline": "pipeline",
    "PipelineAction": "enums",
    "PipelineStatus": "enums",
    "RateLimit": "_http.ratelimit",
    "ResyncMode": "enums",
    "TriggerTicket": "triggering",
}


def __getattr__(name: str) -> Any:
    if name in {"errors", "schedules"}:
        return import_module(f"hevo_edge.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'hevo_edge' has no attribute {name!r}")
    value = getattr(import_module(f"hevo_edge.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
