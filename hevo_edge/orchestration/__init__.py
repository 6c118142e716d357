"""What every orchestrator adapter needs, and people with an orchestrator of their own.

It imports no orchestrator, and what crosses a process is plain JSON::

    spec = RunSpec(pipeline_id=123, if_running="wait")
    attempt = Run(spec, store, account=account.fingerprint)
    async with account.client() as hevo:
        started = await attempt.start(hevo)          # resumes the stored ticket, else triggers
        outcome = started if isinstance(started, Outcome) else await attempt.wait(hevo)
    attempt.finish(outcome)
    outcome.raise_for_status()

The names load on first use; ``RunSpec``, ``run`` and ``validation`` load neither aiohttp nor
pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge._common.lazy import lazy_names
from hevo_edge._text.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge._common.cleanup import finish_cleanup
    from hevo_edge.orchestration import validation
    from hevo_edge.orchestration.account import Account
    from hevo_edge.orchestration.cancellation import cancel_if, cancel_if_asked
    from hevo_edge.orchestration.clients import ClientPool
    from hevo_edge.orchestration.job_cursor import EndedJobs, JobCursor, ended_jobs
    from hevo_edge.orchestration.job_feed import FeedPool, FeedUpdate, JobFeed, JobSubscriber
    from hevo_edge.orchestration.keywords import RunKeywords, WaitKeywords
    from hevo_edge.orchestration.lineage import Dataset, Lineage, lineage_of, read_lineage
    from hevo_edge.orchestration.recovery import FailedPipeline, find_failed_pipelines
    from hevo_edge.orchestration.results import Outcome, RunFailed, failure, summary
    from hevo_edge.orchestration.runs import Run
    from hevo_edge.orchestration.shared_loop import run_shared
    from hevo_edge.orchestration.spec import RunSpec
    from hevo_edge.orchestration.stored_tickets import TicketStore, spec_of, to_be_cancelled
    from hevo_edge.orchestration.sync import run, run_in_thread
    from hevo_edge.orchestration.ticket_file import TicketFile
    from hevo_edge.orchestration.ticket_text import TicketText
    from hevo_edge.orchestration.waits import (
        await_job,
        await_pipeline,
        cancel_within,
        may_cancel,
    )

__all__ = [
    "Account",
    "ClientPool",
    "Dataset",
    "EndedJobs",
    "FailedPipeline",
    "FeedPool",
    "FeedUpdate",
    "JobCursor",
    "JobFeed",
    "JobSubscriber",
    "Lineage",
    "Outcome",
    "Run",
    "RunFailed",
    "RunKeywords",
    "RunSpec",
    "TicketFile",
    "TicketStore",
    "TicketText",
    "WaitKeywords",
    "await_job",
    "await_pipeline",
    "cancel_if",
    "cancel_if_asked",
    "cancel_within",
    "ended_jobs",
    "failure",
    "find_failed_pipelines",
    "finish_cleanup",
    "get_logger",
    "lazy_names",
    "lineage_of",
    "may_cancel",
    "read_lineage",
    "run",
    "run_in_thread",
    "run_shared",
    "spec_of",
    "summary",
    "to_be_cancelled",
    "validation",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Account": "account",
        "ClientPool": "clients",
        "Dataset": "lineage",
        "EndedJobs": "job_cursor",
        "FailedPipeline": "recovery",
        "FeedPool": "job_feed",
        "FeedUpdate": "job_feed",
        "JobCursor": "job_cursor",
        "JobFeed": "job_feed",
        "JobSubscriber": "job_feed",
        "Lineage": "lineage",
        "Outcome": "results",
        "Run": "runs",
        "RunFailed": "results",
        "RunKeywords": "keywords",
        "RunSpec": "spec",
        "TicketFile": "ticket_file",
        "TicketStore": "stored_tickets",
        "TicketText": "ticket_text",
        "WaitKeywords": "keywords",
        "await_job": "waits",
        "await_pipeline": "waits",
        "cancel_if": "cancellation",
        "cancel_if_asked": "cancellation",
        "cancel_within": "waits",
        "ended_jobs": "job_cursor",
        "failure": "results",
        "find_failed_pipelines": "recovery",
        "finish_cleanup": "runs",
        "lineage_of": "lineage",
        "may_cancel": "waits",
        "read_lineage": "lineage",
        "run": "sync",
        "run_in_thread": "sync",
        "run_shared": "shared_loop",
        "spec_of": "stored_tickets",
        "summary": "results",
        "to_be_cancelled": "stored_tickets",
        "validation": "validation",
    },
)
