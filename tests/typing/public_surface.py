"""What a type checker sees of the public surface: checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from typing_extensions import assert_type

from hevo_edge import (
    Certainty,
    HevoClient,
    IfRunning,
    Job,
    JobStatus,
    JobType,
    Pipeline,
    PipelineAction,
    PipelineStatus,
    RateLimit,
    TriggerTicket,
    errors,
    schedules,
)
from hevo_edge.models import JobData, JobObjectData, ObjectData, PipelineData


async def use(hevo: HevoClient) -> None:
    pipeline = hevo.pipeline(123)
    assert_type(pipeline, Pipeline)
    assert_type(await hevo.get_pipeline("123"), Pipeline)
    assert_type(pipeline.status, PipelineStatus | str | None)
    assert_type(pipeline.data, PipelineData | None)

    job = await pipeline.trigger(PipelineAction.RESYNC, drop_and_load=True, if_running="wait")
    assert_type(job, Job)
    assert_type(await pipeline.sync_now(job_type=JobType.INCREMENTAL), Job)
    assert_type(await pipeline.resync(if_running=IfRunning.JOIN), Job)
    assert_type(job.status, JobStatus | str | None)
    assert_type(await pipeline.active_job("ANY_TYPE"), Job | None)

    await job.await_completion(poll_interval=schedules.geometric(share=0.1), accept=["SKIPPED"])
    assert_type(await pipeline.await_completion(timeout=5, job_type="HISTORICAL"), Job)
    assert_type(job.watch(), AsyncGenerator[JobData, None])
    assert_type([row async for row in job.list_objects()], list[JobObjectData])
    assert_type([row async for row in pipeline.list_objects()], list[ObjectData])
    assert_type([row async for row in pipeline.list_jobs(limit=5)], list[Job])
    assert_type([row async for row in hevo.list_pipelines()], list[Pipeline])

    assert_type(await hevo.await_all([job, job.ref], timeout=60), list[Job])
    collected = await hevo.await_all([job], on_failure="return")
    assert_type(collected, list[Job | errors.HevoError])
    assert_type([ended async for ended in hevo.as_completed([job])], list[Job])

    ticket = await pipeline.prepare_trigger()
    assert_type(TriggerTicket.loads(ticket.dumps()), TriggerTicket)
    assert_type(await hevo.fire(ticket), Job)
    store = Path("ticket.json")
    job = await pipeline.trigger(on_ticket=lambda ticket: store.write_text(ticket.dumps()))
    assert_type(job.certainty, Certainty | None)
    assert_type(job.adopted, bool)
    assert_type(await hevo.reconcile(ticket), Job | None)


async def mistakes(hevo: HevoClient) -> None:
    """Each line is an error to a type checker; an unused ignore fails the check."""
    hevo.job()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await hevo.await_all([], on_failure="ignore")  # type: ignore[call-overload]  # pyright: ignore
    await hevo.pipeline(1).await_completion(time_out=5)  # type: ignore[call-arg]  # pyright: ignore
    await hevo.pipeline(1).trigger(on_ticket="path")  # type: ignore[arg-type]  # pyright: ignore
    RateLimit("100")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
