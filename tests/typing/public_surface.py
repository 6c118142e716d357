"""What a type checker sees of the public surface: checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from ssl import SSLContext
from typing import Literal, Protocol

from aiohttp import ClientSession
from typing_extensions import Unpack, assert_type

from hevo_edge import (
    Certainty,
    Dialect,
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
from hevo_edge.client import ClientKeywords
from hevo_edge.history import HistorySummary, JobHistory
from hevo_edge.job import OnUpdate, WaitKeywords
from hevo_edge.models import JobData, JobObjectData, ObjectData, PipelineData
from hevo_edge.objects import PipelineObjects
from hevo_edge.pipeline import TriggerKeywords
from hevo_edge.schedules import PollInterval
from hevo_edge.triggering import OnTicket


async def use_objects(pipeline: Pipeline, job: Job) -> None:
    """The objects of a Pipeline and of a Job, by whatever names them."""
    objects = await pipeline.objects()
    assert_type(objects, PipelineObjects)
    assert_type((objects[0], objects[1:]), tuple[ObjectData, PipelineObjects])
    assert_type(await pipeline.include_objects(objects.find("users")), PipelineObjects)
    rows = [row async for row in job.list_objects() if row.has_failed]
    assert_type(await pipeline.resync_objects(rows), Job[JobData])
    assert_type(await pipeline.resync_objects(name for name in ("a", "b")), Job[JobData])


async def use(hevo: HevoClient) -> None:
    pipeline = hevo.pipeline(123)
    assert_type(pipeline, Pipeline)
    assert_type(await hevo.get_pipeline("123"), Pipeline[PipelineData])
    assert_type(pipeline.status, PipelineStatus | str | None)
    assert_type(pipeline.data, PipelineData | None)

    job = await pipeline.trigger(PipelineAction.RESYNC, drop_and_load=True, if_running="wait")
    assert_type(job, Job[JobData])
    assert_type(await pipeline.sync_now(job_type=JobType.INCREMENTAL), Job[JobData])
    assert_type(await pipeline.resync(if_running=IfRunning.JOIN), Job[JobData])
    assert_type(job.status, JobStatus | str | None)
    assert_type(await pipeline.active_job("ANY_TYPE"), Job[JobData] | None)

    await job.await_completion(poll_interval=schedules.geometric(share=0.1), accept=["SKIPPED"])
    assert_type(await pipeline.await_completion(timeout=5, job_type="HISTORICAL"), Job[JobData])
    assert_type(job.watch(), AsyncGenerator[JobData, None])
    assert_type([row async for row in job.list_objects()], list[JobObjectData])
    assert_type([row async for row in pipeline.list_objects()], list[ObjectData])
    assert_type([row async for row in pipeline.list_jobs(limit=5)], list[Job[JobData]])
    assert_type([row async for row in hevo.list_pipelines()], list[Pipeline[PipelineData]])

    assert_type(await hevo.await_all([job, job.ref], timeout=60), list[Job[JobData]])
    collected = await hevo.await_all([job], on_failure="return")
    assert_type(collected, list[Job[JobData] | errors.HevoError])
    assert_type([ended async for ended in hevo.as_completed([job])], list[Job[JobData]])

    history = await pipeline.job_history(limit=5)
    assert_type(history, JobHistory)
    assert_type(history[0], Job[JobData])
    assert_type(history[:3], JobHistory)
    assert_type([job.data.status for job in history], list[JobStatus | str])
    assert_type(history.summary(), HistorySummary)
    assert_type(history.summary().last_success, Job[JobData] | None)
    assert_type(history.summary().last_success_at, datetime | None)
    assert_type(job.created, datetime | None)
    assert_type(job.ended, datetime | None)
    assert_type(job.duration, timedelta | None)

    ticket = await pipeline.prepare_trigger()
    assert_type(TriggerTicket.loads(ticket.dumps()), TriggerTicket)
    assert_type(await hevo.fire(ticket), Job)
    assert_type(await pipeline.prepare_trigger("RESYNC", drop_and_load=True), TriggerTicket)
    assert_type(await pipeline.resync_objects(["1"], timeout=60, if_running="wait"), Job[JobData])
    assert_type(HevoClient("key", "secret", region="us", max_retries=0), HevoClient)
    store = Path("ticket.json")
    job = await pipeline.trigger(on_ticket=lambda ticket: store.write_text(ticket.dumps()))
    assert_type(job.certainty, Certainty | None)
    assert_type(job.adopted, bool)
    assert_type(await hevo.reconcile(ticket), Job | None)


async def data_is_there(hevo: HevoClient, job: Job, pipeline: Pipeline) -> None:
    """What reads returns a Job or a Pipeline with data; a handle is not known to have any."""
    assert_type(hevo.job("123:abc"), Job)
    assert_type(job.data, JobData | None)
    assert_type((await job.refresh()).data, JobData)
    assert_type((await job.await_completion()).data, JobData)
    assert_type((await pipeline.trigger()).data, JobData)
    assert_type((await pipeline.refresh()).data, PipelineData)
    assert_type((await pipeline.update(name="orders")).data, PipelineData)
    # The cancel of a Job that was not read tells nothing of it, unless its end is awaited.
    assert_type(await job.cancel(), Job)
    assert_type(await (await job.refresh()).cancel(), Job[JobData])
    assert_type(await job.cancel(wait=True), Job[JobData])


async def one_with_data_is_one(pipeline: Pipeline) -> None:
    """A Job with data goes wherever a Job does; not the other way round."""

    def takes_any(job: Job) -> None: ...

    async def takes_any_later(job: Job) -> None: ...

    def needs_data(job: Job[JobData]) -> None: ...

    job = await pipeline.trigger()
    takes_any(job)
    await job.await_completion(on_update=takes_any)
    await job.await_completion(on_update=takes_any_later)
    await job.await_completion(on_update=needs_data)
    loaded: list[int | None] = []
    await job.await_completion(on_update=lambda seen: loaded.append(seen.data.events_loaded))
    needs_data(pipeline.job("abc"))  # type: ignore[arg-type]
    job.data = None  # type: ignore[misc, assignment]
    any_pipeline: Pipeline = await pipeline.refresh()
    del any_pipeline


def errors_carry_it(
    failed: errors.JobFailed, running: errors.JobInProgress, late: errors.JobTimeout
) -> None:
    assert_type(failed.job.data, JobData)
    assert_type(running.job, Job[JobData] | None)
    assert_type(late.job, Job | None)


class OwnClient(HevoClient):
    """A user's subclass."""


class OwnTicket(TriggerTicket):
    """A user's subclass."""


async def subclasses_keep_their_type() -> None:
    assert_type(OwnClient.from_env(), OwnClient)
    async with OwnClient.from_env(region="us") as hevo:
        assert_type(hevo, OwnClient)
    assert_type(OwnTicket.loads("{}"), OwnTicket)


class Triggers(Protocol):
    """A trigger with its keywords written out, as an editor shows them."""

    async def __call__(
        self,
        *,
        job_type: JobType | str | None = ...,
        if_running: IfRunning | Literal["fail", "join", "replace", "wait"] = ...,
        timeout: float | None = ...,
        discovery_timeout: float = ...,
        on_ticket: OnTicket | None = ...,
    ) -> Job: ...


class Resyncs(Triggers, Protocol):
    async def __call__(
        self,
        *,
        drop_and_load: bool = ...,
        job_type: JobType | str | None = ...,
        if_running: IfRunning | Literal["fail", "join", "replace", "wait"] = ...,
        timeout: float | None = ...,
        discovery_timeout: float = ...,
        on_ticket: OnTicket | None = ...,
    ) -> Job: ...


class Awaits(Protocol):
    """A wait with its keywords written out."""

    async def __call__(
        self,
        *,
        poll_interval: PollInterval = ...,
        timeout: float | None = ...,
        accept_completed_with_failures: bool = ...,
        accept: Iterable[JobStatus | str] = ...,
        on_timeout: Literal["raise", "return", "cancel"] = ...,
        cancel_on_interrupt: bool = ...,
        cancel_timeout: float = ...,
        on_update: OnUpdate | None = ...,
        progress: bool = ...,
    ) -> Job: ...


class MakesClient(Protocol):
    """The client with its keywords written out."""

    def __call__(
        self,
        api_key: str | None = ...,
        api_secret: str | None = ...,
        *,
        region: str | None = ...,
        base_url: str | None = ...,
        rate_limit: RateLimit | None = ...,
        timeout: float = ...,
        max_retries: int = ...,
        headers: Mapping[str, str] | None = ...,
        proxy: str | None = ...,
        ssl: SSLContext | bool = ...,
        session: ClientSession | None = ...,
        dialect: Dialect | str = ...,
        insecure: bool = ...,
    ) -> HevoClient: ...


def keywords_are_expanded(pipeline: Pipeline, job: Job) -> None:
    """What takes ``**options`` can be called as what has the keywords written out."""
    triggers: Triggers = pipeline.trigger
    triggers = pipeline.sync_now
    resyncs: Resyncs = pipeline.trigger
    resyncs = pipeline.resync
    awaits: Awaits = job.await_completion
    awaits = pipeline.await_completion
    makes: MakesClient = HevoClient
    del triggers, resyncs, awaits, makes


def keywords_are_types(
    trigger: TriggerKeywords, wait: WaitKeywords, client: ClientKeywords
) -> None:
    assert_type(
        trigger.get("if_running"), IfRunning | Literal["fail", "join", "replace", "wait"] | None
    )
    assert_type(trigger.get("timeout"), float | timedelta | None)
    assert_type(trigger.get("discovery_timeout"), float | timedelta | None)
    assert_type(wait.get("accept"), Iterable[JobStatus | str] | None)
    assert_type(wait.get("on_update"), OnUpdate | None)
    assert_type(client.get("rate_limit"), RateLimit | None)
    assert_type(client.get("timeout"), float | timedelta | None)


async def keywords_are_passed_on(pipeline: Pipeline, options: TriggerKeywords) -> None:
    """A wrapper takes the keywords and passes them on, without a list of its own."""

    async def sync_and_wait(**wait: Unpack[WaitKeywords]) -> Job:
        started = await pipeline.sync_now(**options)
        return await started.await_completion(**wait)

    assert_type(await sync_and_wait(timeout=60.0, poll_interval="auto"), Job)
    await sync_and_wait(pol_interval=5)  # type: ignore[call-arg]


async def mistakes(hevo: HevoClient) -> None:
    """Each line is an error to a type checker; an unused ignore is an error as well."""
    hevo.job()  # type: ignore[call-overload]
    await hevo.await_all([], on_failure="ignore")  # type: ignore[call-overload]
    await hevo.pipeline(1).await_completion(time_out=5)  # type: ignore[call-arg]
    await hevo.pipeline(1).trigger(on_ticket="path")  # type: ignore[arg-type]
    RateLimit("100")  # type: ignore[arg-type]


async def wrong_keywords(hevo: HevoClient, pipeline: Pipeline, job: Job) -> None:
    """The same, for a keyword that does not exist."""
    HevoClient("key", "secret", regoin="us")  # type: ignore[call-arg]
    await pipeline.trigger(if_runing="join")  # type: ignore[call-arg]
    await pipeline.sync_now(drop_and_load=True)  # type: ignore[call-arg]
    await pipeline.resync(action="RESYNC")  # type: ignore[call-arg]
    await pipeline.prepare_trigger(wait=True)  # type: ignore[call-arg]
    await pipeline.resync_objects(["1"], object_ids=[])  # type: ignore[call-arg]
    await job.await_completion(pol_interval=5)  # type: ignore[call-arg]
    await hevo.await_all([job], deadline=5)  # type: ignore[call-overload]
    hevo.as_completed([job], deadline=5)  # type: ignore[call-overload]


async def wrong_types(hevo: HevoClient, pipeline: Pipeline, job: Job) -> None:
    """The same, for a value of a wrong type."""
    HevoClient("key", "secret", region=5)  # type: ignore[arg-type]
    HevoClient("key", "secret", rate_limit=100)  # type: ignore[arg-type]
    await pipeline.trigger(if_running=True)  # type: ignore[arg-type]
    await pipeline.trigger(timeout="60")  # type: ignore[arg-type]
    await pipeline.trigger(discovery_timeout=None)  # type: ignore[arg-type]
    await pipeline.resync(drop_and_load="no")  # type: ignore[arg-type]
    await pipeline.sync_now(job_type=5)  # type: ignore[arg-type]
    await job.await_completion(accept=5)  # type: ignore[arg-type]
    await job.await_completion(on_update="print")  # type: ignore[arg-type]
    await pipeline.await_completion(progress="yes")  # type: ignore[arg-type]
    await hevo.await_all([job], timeout="60")  # type: ignore[call-overload]
