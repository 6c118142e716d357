"""An interrupt of a wait that is to cancel the Jobs in Hevo as well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import EmulatedJob, HevoEmulator
from tests.awaiting.support import fleet, started
from tests.common.test_cleanup import cancel_at_each_turn, cancel_now_and_soon, cancel_twice
from tests.conftest import client_of


def notes_of(error: BaseException) -> list[str]:
    # On Python 3.10, what awaits a task gets an error of its own; the task's is its context.
    of_task = error if hasattr(error, "__notes__") else error.__context__
    return list(getattr(of_task, "__notes__", ()))


async def interrupted(waiting: asyncio.Task[Any], after: float) -> list[str]:
    """Interrupt a wait; return the notes of what it raises."""
    await asyncio.sleep(after)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await waiting
    return notes_of(caught.value)


def young_and_old(
    emulator: HevoEmulator, hevo: HevoClient, count: int
) -> tuple[list[EmulatedJob], list[Job]]:
    """Start Jobs of which each is a second younger than the one before."""
    emulated, jobs = fleet(emulator, hevo, count, lambda _: 1e6)
    for place, job in enumerate(emulated):
        job.created += place - count
    return emulated, jobs


async def test_of_many_the_newest_are_cancelled_and_the_rest_is_named(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hevo_edge.job")
    emulated, jobs = young_and_old(emulator, hevo, 500)
    waiting = asyncio.create_task(hevo.await_all(jobs, cancel_on_interrupt=True))
    notes = await interrupted(waiting, 600)
    cancelled = [place for place, job in enumerate(emulated) if job.status == "CANCELLING"]
    assert 10 <= len(cancelled) < 500
    assert cancelled == list(range(500 - len(cancelled), 500))
    records = [record for record in caplog.records if "cancel" in record.message]
    assert len(records) == 1
    assert f"asked to cancel {len(cancelled)} of 500 Jobs, newest first" in records[0].message
    assert "were not reached within 10 s" in records[0].message
    assert len(notes) == 1
    named = set(notes[0].partition(": ")[2].split(", "))
    assert named == {jobs[place].ref for place in range(500) if place not in cancelled}


async def test_the_caller_says_how_long_it_may_take(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, jobs = young_and_old(emulator, hevo, 150)
    options = {"cancel_on_interrupt": True, "cancel_timeout": 300}
    waiting = asyncio.create_task(hevo.await_all(jobs, **options))  # type: ignore[call-overload]
    assert await interrupted(waiting, 600) == []
    assert {job.status for job in emulated} == {"CANCELLING"}
    for wrong in (0, -1, "5", True):
        with pytest.raises(errors.ConfigurationError, match="cancel_timeout"):
            await hevo.await_all(jobs, cancel_timeout=wrong)  # type: ignore[arg-type]


async def test_what_was_not_read_yet_is_taken_as_the_newest(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = young_and_old(emulator, hevo, 3)
    await jobs[0].refresh()
    await jobs[1].refresh()
    emulator.faults.delay(1e5, on="get_job", times=None)
    waiting = asyncio.create_task(hevo.await_all(jobs, cancel_on_interrupt=True))
    await interrupted(waiting, 1)
    asked = {call.pipeline_id for call in emulator.requests.of("cancel_job")}
    assert asked == {1001, 1002, 1003}


async def test_what_refuses_is_named_too(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    emulated, jobs = young_and_old(emulator, hevo, 4)
    emulator.faults.status(403, on="cancel_job", times=2)
    notes = await interrupted(
        asyncio.create_task(hevo.await_all(jobs, cancel_on_interrupt=True)), 60
    )
    left = [
        job.ref for job, seen in zip(jobs, emulated, strict=True) if seen.status != "CANCELLING"
    ]
    assert notes == [f"2 of the Jobs may go on in Hevo: {', '.join(left)}"]
    assert "asked to cancel 2 of 4 Jobs" in caplog.text
    assert "2 failed, such as: " in caplog.text


async def test_without_it_one_line_says_how_many_go_on(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hevo_edge.job")
    _, jobs = young_and_old(emulator, hevo, 30)
    assert await interrupted(asyncio.create_task(hevo.await_all(jobs)), 60) == []
    said = [record.message for record in caplog.records if record.name == "hevo_edge.job"]
    assert said == ["no longer waiting for 30 Jobs, which the waits do not cancel"]


# -- cancelled again and again --------------------------------------------------------------------

INSISTENT = [cancel_at_each_turn, cancel_twice, cancel_now_and_soon]


@pytest.mark.parametrize("cancel", INSISTENT)
@pytest.mark.parametrize("many", [False, True])
async def test_the_remote_cancel_outlasts_further_cancellations(
    cancel: Callable[[asyncio.Task[Any]], None],
    many: bool,
    emulator: HevoEmulator,
    hevo: HevoClient,
) -> None:
    emulated, jobs = fleet(emulator, hevo, 3, lambda _: 1000)
    if many:
        waiting = asyncio.create_task(hevo.await_all(jobs, cancel_on_interrupt=True))
    else:
        waiting = asyncio.create_task(jobs[0].await_completion(cancel_on_interrupt=True))  # type: ignore[arg-type]
    await asyncio.sleep(20)
    cancel(waiting)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    asked = {job.status for job in (emulated if many else emulated[:1])}
    assert asked == {"CANCELLING"}


@pytest.mark.real_time
async def test_a_scope_of_anyio() -> None:
    anyio = pytest.importorskip("anyio")

    async def wait(job: Job) -> None:
        with anyio.fail_after(0.2):
            await job.await_completion(cancel_on_interrupt=True)

    async with HevoEmulator() as emulator, client_of(emulator) as hevo:
        emulator.add_pipeline(123)
        emulated, job = started(emulator, hevo, duration=1000)
        emulator.faults.delay(0.3, on="cancel_job")
        with pytest.raises(TimeoutError):
            await wait(job)
        assert emulated.status == "CANCELLING"


async def test_closing_a_client_outlasts_further_cancellations(emulator: HevoEmulator) -> None:
    hevo = HevoClient(emulator.api_key, emulator.api_secret, base_url=emulator.base_url)
    job = await hevo.pipeline(123).trigger()
    emulator.faults.delay(1e5, on="get_job", times=None)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(1)

    async def use() -> None:
        async with hevo:
            await asyncio.sleep(1e4)

    using = asyncio.create_task(use())
    await asyncio.sleep(1)
    cancel_at_each_turn(using)
    with pytest.raises(asyncio.CancelledError):
        await using
    assert using.cancelled()
    with pytest.raises(errors.HevoError, match="was closed"):
        await waiting
    with pytest.raises(errors.HevoError, match="is closed"):
        await job.refresh()  # and an unclosed session would fail this test


async def test_a_callback_that_is_being_ended_is_waited_for(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    ended: list[str] = []

    async def store(_: Job) -> None:
        try:
            await asyncio.sleep(1e4)
        finally:
            for _turn in range(20):
                await asyncio.sleep(0)
            ended.append("stored")

    waiting = asyncio.create_task(job.await_completion(on_update=store))
    await asyncio.sleep(1)
    cancel_at_each_turn(waiting)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["stored"]
