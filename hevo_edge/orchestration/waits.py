"""Waits for a Job or a Pipeline that end in an outcome."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from hevo_edge.client import HevoClient
from hevo_edge.enums import Certainty, JobType
from hevo_edge.errors import HevoError
from hevo_edge.job import Job
from hevo_edge.options import WaitOptions
from hevo_edge.orchestration.results import Outcome, not_succeeded, succeeded
from hevo_edge.orchestration.spec import RunSpec

__all__ = [
    "await_job",
    "await_pipeline",
    "may_cancel",
]

_OWN = frozenset({Certainty.CERTAIN, Certainty.LIKELY})


def may_cancel(certainty: Certainty | str | None) -> bool:
    """Say whether a Job of this certainty is the task's own, so that the task may cancel it."""
    return certainty in _OWN


# No coroutine function: a daemon has thousands of waits, and what each frame of each holds adds up.
def await_job(job: Job, spec: RunSpec) -> Coroutine[Any, Any, Outcome]:
    """Await a Job until the spec's deadline, with one final poll; return how that ended.

    A Job that is not surely the task's own is not cancelled at the deadline.
    """
    on_timeout = spec.on_timeout if may_cancel(job.certainty) else "raise"
    return _await_job(job, _options(spec, spec.seconds_left(), on_timeout))


async def poll_once(job: Job, spec: RunSpec) -> Outcome | None:
    """Poll a Job once: return how it ended, or None while it runs and there is time."""
    if spec.seconds_left() == 0:
        return await await_job(job, spec)
    outcome = await _await_job(job, _options(spec, 0.0, "raise"))
    return None if outcome.kind == "timeout" else outcome


def _options(spec: RunSpec, timeout: float | None, on_timeout: str) -> WaitOptions:
    return WaitOptions.check(
        poll_interval=spec.poll_interval,
        timeout=timeout,
        accept=spec.accept,
        on_timeout=on_timeout,
    )


async def _await_job(job: Job, options: WaitOptions) -> Outcome:
    try:
        # What await_completion does, with a frame less.
        await job._wait(options, job._core.deadline(options.timeout))  # noqa: SLF001
    except HevoError as error:
        return await not_succeeded(error, job.pipeline_id)
    return succeeded(job)


async def await_pipeline(
    hevo: HevoClient,
    spec: RunSpec,
    *,
    job_type: JobType | str | None = None,
    ended_since: datetime | None = None,
    started_since: datetime | None = None,
) -> Outcome:
    """Await a Job that something else has started, or Hevo's schedule starts.

    Args:
        hevo: The client.
        spec: The Pipeline, and how to wait; what it says of a run means nothing here.
        job_type: Only a Job of this type.
        ended_since: See ``Pipeline.await_completion``.
        started_since: See ``Pipeline.await_completion``.
    """
    try:
        job = await hevo.pipeline(spec.pipeline_id).await_completion(
            job_type=job_type,
            ended_since=ended_since,
            started_since=started_since,
            poll_interval=spec.poll_interval,
            timeout=spec.seconds_left(),
            accept=spec.accept,
        )
    except HevoError as error:
        return await not_succeeded(error, spec.pipeline_id)
    return succeeded(job)
