"""One day of a client on each kind of event loop, over real sockets, in two loops one after another.

``nox -s matrix-3.13`` runs it on every interpreter; eager tasks came with Python 3.12.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, JobStatus, RateLimit, errors
from hevo_edge.emulator import HevoEmulator

pytestmark = pytest.mark.real_time


def eager() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


def debugging() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 5.0  # a busy machine is no fault
    return loop


def uv() -> asyncio.AbstractEventLoop:
    uvloop: Any = pytest.importorskip("uvloop")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of policies, from Python 3.14 on
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def eager_uv() -> asyncio.AbstractEventLoop:
    loop = uv()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "debug": debugging,
    "uvloop": uv,
    "eager": eager,
    "eager uvloop": eager_uv,
}


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    if "eager" in request.param and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    if "eager uvloop" in request.param and (3, 13) <= sys.version_info < (3, 13, 3):
        pytest.skip("uvloop passes arguments to a task factory that it cannot take before 3.13.3")
    return LOOPS[request.param]


def run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, None]) -> None:
    """Run to the end, as ``asyncio.run`` does, which takes no loop before Python 3.12."""
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    try:
        loop.run_until_complete(asyncio.wait_for(main, 60))
        assert not asyncio.all_tasks(loop), "tasks are left"
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    assert faults == []


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0, rate_limit=None) as emulator:
        emulator.add_pipeline(123, duration=150.0, appears_after=5.0)
        yield emulator


def client(emulator: HevoEmulator, **options: Any) -> HevoClient:
    options.setdefault("rate_limit", RateLimit(100, 0.6))
    return HevoClient(emulator.api_key, emulator.api_secret, base_url=emulator.base_url, **options)


def jobs_of(
    emulator: HevoEmulator, hevo: HevoClient, first: int, count: int, **plan: Any
) -> list[Job]:
    jobs = []
    for number in range(first, first + count):
        pipeline = emulator.add_pipeline(number, appears_after=0, **plan)
        jobs.append(hevo.job(number, pipeline.start_job(now=emulator.now).job_id))
    return jobs


async def a_day(emulator: HevoEmulator, hevo: HevoClient, first: int) -> None:
    """Trigger, await, watch, cancel, and be cancelled."""
    pipeline = hevo.pipeline(123)
    updates: list[str] = []

    async def on_update(job: Job) -> None:
        await asyncio.sleep(0)
        updates.append(str(job.status))

    job = await pipeline.trigger(timeout=30, if_running="wait")
    watching = asyncio.ensure_future(statuses(job))
    done = await job.await_completion(poll_interval=0.05, timeout=30, on_update=on_update)
    assert done.status == JobStatus.COMPLETED
    assert updates[-1] == (await watching)[-1] == "COMPLETED"

    two = [asyncio.ensure_future(pipeline.trigger()) for _ in range(2)]
    outcomes = await asyncio.gather(*two, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Job", "JobInProgress"]
    second = next(each for each in outcomes if isinstance(each, Job))
    with pytest.raises(errors.JobTimeout):
        await hevo.job(second.ref).await_completion(timeout=0)
    await second.cancel()
    with pytest.raises(errors.JobCancelled):
        await second.await_completion(poll_interval=0.05, timeout=30)

    jobs = jobs_of(emulator, hevo, first, 60, duration=40.0)
    ended = await hevo.await_all(jobs, poll_interval=0.1, timeout=30)
    assert {each.status for each in ended} == {JobStatus.COMPLETED}

    (long,) = jobs_of(emulator, hevo, first + 60, 1, duration=36000.0)
    waiting = asyncio.ensure_future(
        long.await_completion(poll_interval=0.05, cancel_on_interrupt=True)
    )
    await asyncio.sleep(0.2)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert len([c for c in emulator.requests.of("cancel_job") if c.pipeline_id == first + 60]) == 1


async def statuses(job: Job) -> list[str]:
    return [str(snapshot.status) async for snapshot in job.watch(poll_interval=0.05)]


def test_a_client_in_two_loops_one_after_another(
    emulator: HevoEmulator,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    caplog: pytest.LogCaptureFixture,
) -> None:
    hevo = client(emulator)

    async def first() -> None:
        await a_day(emulator, hevo, 1000)

    async def last() -> None:
        async with hevo:
            await a_day(emulator, hevo, 2000)
        with pytest.raises(errors.HevoError, match="is closed"):
            await hevo.get_pipeline(123)

    run(new_loop(), first())
    run(new_loop(), last())
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_a_client_that_is_closed_while_many_wait(
    emulator: HevoEmulator, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> None:
        hevo = client(emulator, rate_limit=None)
        jobs = jobs_of(emulator, hevo, 1000, 120, duration=36000.0)
        waits = [asyncio.ensure_future(job.await_completion(poll_interval=0.02)) for job in jobs]
        await asyncio.sleep(0.3)
        await hevo.close()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert {str(each) for each in outcomes} == {
            "this HevoClient was closed while a Job was awaited"
        }

    run(new_loop(), main())


def test_final_polls_of_many_at_once(
    emulator: HevoEmulator, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Eager tasks begin within each other: two hundred deep, if nothing bounds that."""

    async def main() -> None:
        async with client(emulator, rate_limit=None) as hevo:
            jobs = jobs_of(emulator, hevo, 1000, 200, duration=36000.0)
            outcomes = await hevo.await_all(jobs, timeout=0, on_failure="return")
            assert {type(each) for each in outcomes} == {errors.JobTimeout}

    run(new_loop(), main())
