"""A run that must wait for another Job, whose end is awaited elsewhere."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hevo_edge._awaiting.failures import UNANSWERED
from hevo_edge._common.per_loop import running_loop
from hevo_edge._text.printable import short
from hevo_edge.errors import JobInProgress, TriggerTimeout
from hevo_edge.job import Job
from hevo_edge.models import JobData
from hevo_edge.orchestration.spec import RunSpec
from hevo_edge.pipeline import Pipeline
from hevo_edge.schedules import Geometric, geometric

TRIGGER_GAPS: Geometric = geometric(share=1.0, shortest=5.0, longest=30.0)
"""The pauses before a trigger that was refused for an unlisted Job is sent again."""
POLL_INTERVAL = 5.0
"""Seconds between the polls for that Job."""


async def trigger_unless_running(
    trigger: Callable[[], Awaitable[Job[JobData]]], pipeline: Pipeline, spec: RunSpec
) -> Job[JobData]:
    """Trigger; when a Job is in the way that is not listed yet, wait until it has a name.

    Args:
        trigger: Triggers with ``if_running="fail"``, within the spec's deadline.
        pipeline: The Pipeline.
        spec: What is asked for.

    Raises:
        JobInProgress: with the Job that is in the way; without, when it is not listed within the
            spec's ``discovery_timeout``.
        TriggerTimeout: when the spec's deadline comes first.
        HevoError: what ``trigger`` raises.
    """
    now, left = running_loop().time, spec.seconds_left()
    began = now()
    deadline = math.inf if left is None else began + left
    refusal: JobInProgress | None = None
    while refusal is None or now() - began < spec.discovery_timeout:
        if refusal is not None and now() >= deadline:
            phase = "waiting for the running Job to be listed"
            raise TriggerTimeout(
                f"{spec.action} of Pipeline {pipeline.id} was not started in time (it was {phase})",
                pipeline_id=pipeline.id,
                phase=phase,
            )
        try:
            return await trigger()
        except JobInProgress as error:
            if error.job is not None:
                raise
            refusal = error
        until = min(deadline, now() + TRIGGER_GAPS.gap(now() - began))
        running = await _poll(pipeline, until)
        if running is not None:
            raise JobInProgress(
                f"Pipeline {pipeline.id}: Job {short(running.id)} is running, so {spec.action} was "
                "not started",
                job=running,
                status=refusal.status,
                code=refusal.code,
                body=refusal.body,
            )
    raise refusal


async def _poll(pipeline: Pipeline, until: float) -> Job[JobData] | None:
    """Poll for the running Job until a loop time (seconds); None when it is not listed by then."""
    now = running_loop().time
    while (pause := min(until - now(), POLL_INTERVAL)) > 0:
        await asyncio.sleep(pause)
        with suppress(*UNANSWERED):
            running = await pipeline.active_job()
            if running is not None:
                return running
    return None
