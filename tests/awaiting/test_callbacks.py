"""``on_update``: called at each change, and what a callback may do to its wait and to others."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextvars import ContextVar
from typing import Any

import pytest

from hevo_edge import HevoClient, Job
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, started


async def test_updates_come_at_each_change(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=40)
    seen: list[tuple[str | None, int | None]] = []

    async def note(job: Job) -> None:
        await asyncio.sleep(0)
        assert job.data is not None
        seen.append((job.status, job.data.events_loaded))

    await job.await_completion(poll_interval=20, on_update=note)
    assert seen == [("IN_PROGRESS", 0), ("IN_PROGRESS", 500), ("COMPLETED", 1000)]


async def test_a_wait_that_is_cancelled_leaves_no_callback_that_was_never_begun(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=40)

    async def note() -> None: ...

    def interrupt(_: Job) -> Any:
        waiting.cancel()
        return note()

    waiting = asyncio.ensure_future(job.await_completion(on_update=interrupt))
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_callback_that_raises_ends_its_own_wait(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=40)

    def crash(_: Job) -> None:
        raise ZeroDivisionError

    other = asyncio.create_task(hevo.job(job.ref).await_completion())
    with pytest.raises(ZeroDivisionError):
        await job.await_completion(on_update=crash)
    assert (await other).status == "COMPLETED"


async def test_a_callback_that_raises_ends_its_wait_and_releases_the_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 3, lambda _: 40)

    async def crash(job: Job) -> None:
        raise ZeroDivisionError(job.id)

    others = asyncio.create_task(hevo.await_all(jobs[1:]))
    with pytest.raises(ZeroDivisionError):
        await jobs[0].await_completion(on_update=crash)
    polls = len(emulator.requests.of("get_job"))
    await others
    assert all(
        jobs[0].id not in call.path for call in list(emulator.requests.of("get_job"))[polls:]
    ), "nobody waits for it any more, so nobody polls"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_callback_that_is_cancelled_itself(
    is_async: bool, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 1, lambda _: 40)

    async def cancelled(_: Job) -> None:
        raise asyncio.CancelledError

    def cancelled_at_once(_: Job) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await jobs[0].await_completion(on_update=cancelled if is_async else cancelled_at_once)


class Fatal(BaseException):
    """What pytest.fail raises is of this kind."""


@pytest.mark.parametrize("is_async", [True, False])
async def test_even_a_base_exception_ends_the_wait(
    is_async: bool, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)

    async def later(_: Job) -> None:
        raise Fatal

    def at_once(_: Job) -> None:
        raise Fatal

    with pytest.raises(Fatal):
        await asyncio.wait_for(job.await_completion(on_update=later if is_async else at_once), 99)


async def test_a_slow_callback_delays_no_other_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 10, lambda n: 20 * n)
    seen: dict[str, float] = {}

    async def slow(job: Job) -> None:
        if job is jobs[0]:
            await asyncio.sleep(1000)
        elif job.is_terminal:
            seen[job.id] = emulator.now

    start = emulator.now
    await hevo.await_all(jobs, on_update=slow)
    assert [seen[job.id] - start for job in jobs[1:]] == pytest.approx(
        [15 * math.ceil(20 * n / 15) for n in range(2, 11)], abs=0.1
    )


async def test_a_callback_that_blocks_is_named_in_debug_mode(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:

    _, jobs = fleet(emulator, hevo, 1, lambda _: 1)
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 0.05

    def blocks(_: Job) -> None:
        time.sleep(0.06)

    caplog.set_level(logging.WARNING, logger="hevo_edge")
    await jobs[0].await_completion(on_update=blocks)
    assert "blocked the event loop" not in caplog.text
    loop.set_debug(True)
    try:
        await hevo.job(jobs[0].ref).await_completion(on_update=blocks)
    finally:
        loop.set_debug(False)
    assert "blocked the event loop" in caplog.text
    assert "blocks" in caplog.text
    assert jobs[0].id in caplog.text


async def test_callbacks_see_the_callers_context(emulator: HevoEmulator, hevo: HevoClient) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    async def later(_: Job) -> None:
        await asyncio.sleep(0)
        seen.append(who.get())

    async def wait(name: str, callback: Any) -> None:
        who.set(name)
        await hevo.job(jobs[0].ref).await_completion(on_update=callback)

    _, jobs = fleet(emulator, hevo, 1, lambda _: 1)
    await asyncio.gather(wait("one", later), wait("two", lambda _: seen.append(who.get())))
    assert set(seen) == {"one", "two"}
