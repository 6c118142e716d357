"""What is said to type checkers of ``data`` holds: who is given a ``Job[JobData]`` can read it."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, Pipeline, TriggerTicket, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData, PipelineData
from hevo_edge.orchestration import Run, RunSpec

Call = Callable[[HevoClient, Pipeline, Job], Awaitable[Any]]


async def all_of(rows: Any) -> list[Any]:
    return [row async for row in rows]


# Each with a Pipeline and a running Job of it, of both of which nothing was read.
CALLS: dict[str, Call] = {
    "HevoClient.await_all": lambda hevo, _, job: hevo.await_all([job.ref]),
    "HevoClient.as_completed": lambda hevo, _, job: all_of(hevo.as_completed([job.ref])),
    "HevoClient.get_pipeline": lambda hevo, pipeline, _: hevo.get_pipeline(pipeline.id),
    "HevoClient.list_pipelines": lambda hevo, *_: all_of(hevo.list_pipelines()),
    "Pipeline.active_job": lambda _, pipeline, __: pipeline.active_job(),
    "Pipeline.await_completion": lambda _, pipeline, __: pipeline.await_completion(),
    "Pipeline.ensure_fresh": lambda _, pipeline, __: pipeline.ensure_fresh(3600),
    "Pipeline.list_jobs": lambda _, pipeline, __: all_of(pipeline.list_jobs()),
    "Pipeline.refresh": lambda _, pipeline, __: pipeline.refresh(),
    "Pipeline.resync": lambda _, pipeline, __: pipeline.resync(if_running="wait"),
    "Pipeline.resync_objects": lambda _, p, __: p.resync_objects("users", if_running="replace"),
    "Pipeline.sync_now": lambda _, pipeline, __: pipeline.sync_now(if_running="join"),
    "Pipeline.trigger": lambda _, pipeline, __: pipeline.trigger(if_running="replace"),
    "Pipeline.update": lambda _, pipeline, __: pipeline.update(name="Orders"),
    "Job.await_completion": lambda _, __, job: job.await_completion(),
    "Job.cancel": lambda _, __, job: job.cancel(wait=True),
    "Job.refresh": lambda _, __, job: job.refresh(),
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_reads_returns_data(emulator: HevoEmulator, hevo: HevoClient, name: str) -> None:
    job = running(emulator, hevo)
    result = await CALLS[name](hevo, hevo.pipeline(123), job)
    several = result if isinstance(result, list) else [result]
    assert several
    for each in several:
        kind = JobData if isinstance(each, Job) else PipelineData
        assert isinstance(each.data, kind)


def test_no_call_is_forgotten() -> None:
    promising = {
        f"{owner.__name__}.{name}"
        for owner in (HevoClient, Pipeline, Job)
        for name, method in inspect.getmembers(owner, inspect.isfunction)
        if not name.startswith("_")
        and any(f"[{kind}]" in _returns(method) for kind in ("JobData", "PipelineData"))
    }
    # Overloads promise that the end of a cancel that is awaited is read.
    assert promising | {"Job.cancel"} == set(CALLS)


def _returns(method: Any) -> str:
    # A snapshot itself, as `watch` yields it, is no promise.
    return str(inspect.signature(method).return_annotation).replace("AsyncGenerator[JobData", "")


def running(emulator: HevoEmulator, hevo: HevoClient) -> Job:
    emulator.pipeline(123).plan(appears_after=0, duration=100)
    return hevo.job(123, emulator.pipeline(123).start_job(now=emulator.now).job_id)


async def test_a_handle_has_none(hevo: HevoClient) -> None:
    assert hevo.job("123:abc").data is None
    assert hevo.pipeline(123).data is None


async def test_a_cancel_reads_nothing(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = running(emulator, hevo)
    assert (await job.cancel()).data is None


async def test_callbacks_are_given_data(emulator: HevoEmulator, hevo: HevoClient) -> None:
    seen: list[JobData | None] = []
    await running(emulator, hevo).await_completion(on_update=lambda job: seen.append(job.data))
    assert seen
    assert all(isinstance(data, JobData) for data in seen)


async def test_errors_carry_data(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(outcome="FAILED", duration=60)
    job = await hevo.pipeline(123).trigger()
    with pytest.raises(errors.JobInProgress) as refused:
        await hevo.pipeline(123).trigger()
    assert refused.value.job is not None
    assert isinstance(refused.value.job.data, JobData)
    with pytest.raises(errors.JobFailed) as failed:
        await hevo.job(job.ref).await_completion()
    assert pickle.loads(pickle.dumps(failed.value)).job.data == failed.value.job.data
    assert isinstance(failed.value.job.data, JobData)


@pytest.mark.parametrize("timeout", [0, 60])
async def test_what_could_not_be_read_is_not_returned(
    emulator: HevoEmulator, hevo: HevoClient, timeout: float
) -> None:
    job = running(emulator, hevo)
    emulator.faults.status(503, on="*", times=None)
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=timeout, on_timeout="return")
    assert caught.value.job is job
    assert isinstance(caught.value.__cause__, errors.ServerError)


async def test_what_was_read_before_is_returned(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = await running(emulator, hevo).refresh()
    emulator.faults.status(503, on="*", times=None)
    assert await job.await_completion(timeout=60, on_timeout="return") is job


async def test_a_run_has_its_jobs_data(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """Also when it resumes a ticket, and when another client serves it."""
    stored: list[TriggerTicket] = []
    await hevo.pipeline(123).trigger(on_ticket=stored.append)
    store = Store(stored[-1])
    attempt = Run(RunSpec(123), store, account="")
    started = await attempt.start(hevo)
    assert isinstance(started, Job)
    assert attempt.is_resumed
    assert isinstance(started.data, JobData)
    await attempt.poll(hevo)
    again = attempt.job
    assert again is not None
    assert again is not started
    assert again == started
    assert isinstance(again.data, JobData)


class Store:
    """A store with a ticket in it."""

    def __init__(self, ticket: TriggerTicket) -> None:
        self._text: str | None = f'{{"ticket": {ticket.dumps()}}}'

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        self._text = text

    def delete(self) -> None:
        self._text = None


async def test_a_job_that_only_another_task_could_read_is_an_error(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """A ticket that was handed out while the trigger waits may be fired by someone else."""
    handed_out: list[TriggerTicket] = []
    emulator.faults.status(429, on="sync_now", headers={"Retry-After": "20"})
    triggering = asyncio.create_task(hevo.pipeline(123).trigger(on_ticket=handed_out.append))
    while not handed_out or handed_out[-1].post is not None:  # noqa: ASYNC110 -- it has got its 429
        await asyncio.sleep(0.1)
    fired = await hevo.fire(handed_out[-1])
    emulator.faults.status(503, on="get_job", times=None)
    with pytest.raises(errors.TriggerOutcomeUnknown, match=fired.id) as caught:
        await triggering
    assert await hevo.reconcile(caught.value.ticket) == fired
    assert len(emulator.pipeline(123).jobs) == 2  # one of them was there before
