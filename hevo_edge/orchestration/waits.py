"""Waits for a Job or a Pipeline that end in an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from hevo_edge._awaiting.next_job import JobFilter
from hevo_edge._common.per_loop import running_loop
from hevo_edge._common.timeouts import DeadlinePassed, within
from hevo_edge._text.durations import format_seconds
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge.client import HevoClient
from hevo_edge.enums import Certainty, JobStatus, JobType
from hevo_edge.errors import HevoError, RequestError, TriggerTimeout
from hevo_edge.job import Job, OnUpdate
from hevo_edge.models import JobData
from hevo_edge.options import WaitOptions
from hevo_edge.orchestration.results import Outcome, not_succeeded, succeeded
from hevo_edge.orchestration.spec import RunSpec

__all__ = [
    "await_job",
    "await_pipeline",
    "cancel_within",
    "may_cancel",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")

CANCEL_PAUSE = 1.0
"""Seconds between two cancels; each has its own repeats, with backoff."""
_OWN = frozenset({Certainty.CERTAIN, Certainty.LIKELY})


def may_cancel(certainty: Certainty | str | None) -> bool:
    """Say whether a Job of this certainty is the task's own, so that the task may cancel it."""
    return certainty in _OWN


async def cancel_within(seconds: float, job: Job) -> None:
    """Ask Hevo to cancel a Job, for so many seconds while that fails for a passing reason.

    Raises:
        HevoError: why that failed and the Job still runs; when the time is over, the last reason.
    """
    failure: HevoError | None = None

    async def ask() -> None:
        nonlocal failure
        pause = CANCEL_PAUSE
        while True:
            try:
                await job.cancel()
            except RequestError as error:
                if not error.transient:
                    raise
                failure = error
            else:
                return
            await asyncio.sleep(pause)
            pause *= 2  # each cancel is several calls already

    try:
        await within(running_loop().time() + seconds, ask())
    except DeadlinePassed:
        late = HevoError(f"Hevo did not answer within {format_seconds(seconds)}")
        raise failure or late from None


async def settle(job: Job, limit: float | None, *, to_be_cancelled: bool) -> Job[JobData]:
    """Read a Job, and wait for its end if it is being cancelled, or is to be.

    How that ends does not matter, but Hevo refuses a new run before it has.

    Args:
        job: The Job.
        limit: Seconds that this may take.
        to_be_cancelled: Whether the task was killed before it could cancel its Job.

    Raises:
        TriggerTimeout: when the time was over first.
    """

    async def read_and_cancel() -> Job[JobData]:
        read = await job.refresh()
        cancels = to_be_cancelled and not read.is_terminal and may_cancel(read.certainty)
        if cancels:
            log.info("Job %s was to be cancelled when its task was killed", short(job.ref))
        if cancels or read.status == JobStatus.CANCELLING:
            return await read.cancel(wait=True)
        return read

    deadline = None if limit is None else running_loop().time() + limit
    try:
        return await within(deadline, read_and_cancel())
    except DeadlinePassed:
        raise TriggerTimeout(
            f"Job {short(job.ref)} of an earlier attempt did not settle before the deadline; "
            "no new run was started",
            pipeline_id=job.pipeline_id,
        ) from None


# No coroutine function: a daemon has thousands of waits, and what each frame of each holds adds up.
def await_job(
    job: Job, spec: RunSpec, *, on_update: OnUpdate | None = None, progress: bool = False
) -> Coroutine[Any, Any, Outcome]:
    """Await a Job until the spec's deadline, with one final poll; return how that ended.

    A Job that is not surely the task's own is not cancelled at the deadline.
    """
    on_timeout = spec.on_timeout if may_cancel(job.certainty) else "raise"
    left = spec.seconds_left()
    options = _options(spec, spec.limit or left, on_timeout, on_update, progress=progress)
    return _await_job(job, options, left)


async def poll_once(job: Job, spec: RunSpec) -> Outcome | None:
    """Poll a Job once: return how it ended, or None while it runs and there is time."""
    if spec.seconds_left() == 0:
        return await await_job(job, spec)
    outcome = await _await_job(job, _options(spec, 0.0, "raise"), 0.0)
    return None if outcome.kind == "timeout" else outcome


def _options(
    spec: RunSpec,
    timeout: float | None,
    on_timeout: str,
    on_update: OnUpdate | None = None,
    *,
    progress: bool = False,
) -> WaitOptions:
    return WaitOptions.check(
        poll_interval=spec.poll_interval,
        timeout=timeout,
        accept=spec.accept,
        on_timeout=on_timeout,
        on_update=on_update,
        progress=progress,
    )


async def _await_job(job: Job, options: WaitOptions, left: float | None) -> Outcome:
    try:
        # What await_completion does, with a frame less; the options name the limit in messages.
        await job._wait(options, job._core.deadline(left))  # noqa: SLF001
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
    left = spec.seconds_left()
    try:
        options = _options(spec, spec.limit or left, "raise")
        job_filter = JobFilter.check(job_type, ended_since, started_since, options.accepts)
        pipeline = hevo.pipeline(spec.pipeline_id)
        # What await_completion does; the options name the limit in messages.
        job = await pipeline._wait(job_filter, options, hevo._core.deadline(left))  # noqa: SLF001
    except HevoError as error:
        return await not_succeeded(error, spec.pipeline_id)
    return succeeded(job)
