"""Whose contextvars are seen where: polls run in nobody's, callbacks in those of their caller."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, Job, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import started
from tests.conftest import client_of

NOBODY = "nobody"
request_id: ContextVar[Any] = ContextVar("request_id", default=NOBODY)


def named(name: Any, work: Awaitable[Any]) -> asyncio.Task[Any]:
    """Begin what a caller does, in a context of its own that has its name."""

    async def caller() -> Any:
        request_id.set(name)
        return await work

    return asyncio.create_task(caller())


async def over(task: asyncio.Task[Any]) -> None:
    """End a caller, and wait until it is gone."""
    task.cancel()
    await asyncio.wait({task})


class Seen(logging.Handler):
    """Collects whose context is seen by each log record, and by each request of a session."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.names.append(request_id.get())

    async def on_request(self, *_: Any) -> None:
        self.names.append(request_id.get())

    def session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        for signal in (
            trace.on_request_start,
            trace.on_request_end,
            trace.on_connection_create_start,
        ):
            signal.append(self.on_request)
        return aiohttp.ClientSession(trace_configs=[trace])


async def consume(items: Any) -> None:
    async for _ in items:
        pass


WAITS: dict[str, Callable[[HevoClient, Job], Coroutine[Any, Any, Any]]] = {
    "await_completion": lambda hevo, job: job.await_completion(timeout=7200),
    "await_all": lambda hevo, job: hevo.await_all([job], on_failure="return"),
    "as_completed": lambda hevo, job: consume(hevo.as_completed([job])),
    "watch": lambda hevo, job: consume(job.watch()),
    "next job": lambda hevo, job: hevo.pipeline(123).await_completion(job_type="HISTORICAL"),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("is_failing", [False, True])
async def test_polls_run_in_nobodys_context(
    emulator: HevoEmulator, wait: str, is_failing: bool
) -> None:
    """Neither in that of a caller who has begun them and is gone, nor of one who still waits."""
    _, job = started(emulator, HevoClient("key", "secret", region="us"), duration=600)
    seen = Seen()
    async with seen.session() as session, client_of(emulator, session=session) as hevo:
        first = named("first", WAITS[wait](hevo, hevo.job(job.ref)))
        await asyncio.sleep(40)
        second = named("second", WAITS[wait](hevo, hevo.job(job.ref)))
        await asyncio.sleep(1)
        await over(first)
        logging.getLogger("hevo_edge").addHandler(seen)
        seen.names.clear()
        if is_failing:
            emulator.faults.status(503, on="get_job", times=None)
            emulator.faults.status(503, on="list_jobs", times=None)
        try:
            await asyncio.sleep(100)
        finally:
            logging.getLogger("hevo_edge").removeHandler(seen)
            await over(second)
    assert len(seen.names) > 8
    assert set(seen.names) == {NOBODY}


async def test_a_request_of_the_callers_own_is_in_his_context(emulator: HevoEmulator) -> None:
    seen = Seen()
    async with seen.session() as session, client_of(emulator, session=session) as hevo:
        await named("me", hevo.get_pipeline(123))
    assert set(seen.names) == {"me"}


# -- callbacks -------------------------------------------------------------------------------------


class Callbacks:
    """A callback that collects whose context it sees, as function and as coroutine function."""

    def __init__(self, *, is_async: bool) -> None:
        self.names: list[str] = []
        self.callback: Callable[[Any], Any] = self.later if is_async else self.note

    def note(self, _: Any) -> None:
        self.names.append(request_id.get())

    async def later(self, what: Any) -> None:
        self.note(what)
        await asyncio.sleep(0.5)
        self.note(what)

    def write(self, text: str) -> None:
        self.note(text)


CALLING: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "await_completion": lambda hevo, job, **wait: job.await_completion(**wait),
    "await_all": lambda hevo, job, **wait: hevo.await_all([job], **wait),
    "as_completed": lambda hevo, job, **wait: consume(hevo.as_completed([job], **wait)),
    "pipeline": lambda hevo, job, **wait: hevo.pipeline(123).await_completion(**wait),
}


@pytest.mark.parametrize("wait", CALLING)
@pytest.mark.parametrize("is_async", [False, True])
async def test_callbacks_run_in_the_context_of_who_has_passed_them(
    emulator: HevoEmulator, hevo: HevoClient, wait: str, is_async: bool
) -> None:
    _, job = started(emulator, hevo, duration=100)
    own = {name: Callbacks(is_async=is_async) for name in ("first", "second")}
    await asyncio.gather(
        *(
            named(name, CALLING[wait](hevo, hevo.job(job.ref), on_update=each.callback))
            for name, each in own.items()
        )
    )
    for name, each in own.items():
        assert len(each.names) > 3
        assert set(each.names) == {name}


@pytest.mark.parametrize("jobs", [1, 10])
async def test_progress_is_printed_in_the_context_of_who_waits(
    emulator: HevoEmulator, hevo: HevoClient, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook's stderr finds the cell to print to by a contextvar."""
    waited_for = [started(emulator, hevo, 1000 + n, duration=20 * n)[1] for n in range(1, jobs + 1)]
    stderr = Callbacks(is_async=False)
    monkeypatch.setattr(sys, "stderr", stderr)
    other = named("other", hevo.await_all(waited_for))
    await named("me", hevo.await_all(waited_for, progress=True))
    await other
    assert len(stderr.names) >= 2
    assert set(stderr.names) == {"me"}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("timeout", [None, 600])
async def test_tickets_are_stored_in_the_context_of_who_triggers(
    emulator: HevoEmulator, hevo: HevoClient, is_async: bool, timeout: float | None
) -> None:
    calls = Callbacks(is_async=is_async)
    pipeline = hevo.pipeline(123)
    await named("me", pipeline.trigger(on_ticket=calls.callback, timeout=timeout))
    await pipeline.await_completion()
    ticket = await named("me", pipeline.prepare_trigger(on_ticket=calls.callback))
    await named("me", hevo.fire(ticket, on_ticket=calls.callback, timeout=timeout))
    assert len(calls.names) >= 5
    assert set(calls.names) == {"me"}


async def test_a_schedule_is_asked_in_nobodys_context(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """All who wait with an equal one share it; a refresh of somebody else asks it as well."""
    _, job = started(emulator, hevo, duration=100)
    names: list[str] = []

    class Schedule:
        def gap(self, age: float) -> float:
            names.append(request_id.get())
            return 20.0

    waiting = named("me", job.await_completion(poll_interval=Schedule()))
    await asyncio.sleep(30)
    await named("other", hevo.job(job.ref).refresh())
    await waiting
    assert names.pop(0) == "me"  # it is checked
    assert len(names) > 3
    assert set(names) == {NOBODY}


# -- what a context holds --------------------------------------------------------------------------


class Big:
    """As large as a request with all that belongs to it."""


async def in_vain(work: Awaitable[Any], seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(work, seconds)


async def timed_out(job: Job) -> None:
    with pytest.raises(errors.JobTimeout):
        await job.await_completion(timeout=20)


ENDED: dict[str, Callable[[HevoClient, Job], Coroutine[Any, Any, Any]]] = {
    "began the polls": lambda hevo, job: in_vain(job.await_completion(), 20),
    "had a later deadline": lambda hevo, job: in_vain(job.await_completion(timeout=9000), 20),
    "waited to its deadline": lambda hevo, job: timed_out(job),
    "awaited the next Job": lambda hevo, job: in_vain(
        hevo.pipeline(123).await_completion(job_type="HISTORICAL", timeout=9000), 20
    ),
    "watched": lambda hevo, job: in_vain(consume(job.watch()), 20),
    "had callbacks": lambda hevo, job: in_vain(
        job.await_completion(on_update=Callbacks(is_async=True).callback, progress=True), 20
    ),
    "opened the connection": lambda hevo, job: hevo.get_pipeline(123),
    "used the connection": lambda hevo, job: job.refresh(),
    "read a list": lambda hevo, job: consume(hevo.pipeline(123).list_jobs()),
    "waited for the budget": lambda hevo, job: asyncio.wait_for(
        asyncio.gather(*(hevo.get_pipeline(123) for _ in range(10))), 60
    ),
    "triggered": lambda hevo, job: hevo.pipeline(77).trigger(),
    "did not get a lock": lambda hevo, job: in_vain(
        asyncio.gather(*(hevo.pipeline(78).trigger(if_running="wait") for _ in range(3))), 20
    ),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("deed", ENDED)
async def test_what_a_caller_held_is_free_when_he_is_gone(
    emulator: HevoEmulator, deed: str, shared: bool, tmp_path: Path
) -> None:
    """However long the client and the waits of others go on."""
    emulator.add_pipeline(77, appears_after=1)
    emulator.add_pipeline(78, appears_after=1, duration=3600)
    window = tmp_path / "window"
    limit = RateLimit(12, 10, shared=str(window) if shared else False)
    async with client_of(emulator, rate_limit=limit) as hevo:
        _, job = started(emulator, hevo, duration=3600)
        big = Big()
        alive = weakref.ref(big)
        caller = named(big, ENDED[deed](hevo, job))
        del big
        other = asyncio.create_task(job.await_completion(timeout=7000))
        await caller
        del caller
        # What asyncio and aiohttp hold for the 30 s that a request may take is of no account.
        await asyncio.sleep(100)
        gc.collect()
        assert alive() is None, gc.get_referrers(alive())
        await over(other)


async def test_nor_does_the_timer_for_a_locked_window_hold_it(
    emulator: HevoEmulator, tmp_path: Path
) -> None:
    path = tmp_path / "window"
    async with client_of(emulator, rate_limit=RateLimit(10, 10, shared=str(path))) as hevo:
        await hevo.get_pipeline(123)
        contexts: list[tuple[str, Any]] = []
        loop: Any = asyncio.get_running_loop()
        arm = loop.call_later

        def call_later(*args: Any, **kwargs: Any) -> Any:
            contexts.append((args[1].__name__, request_id.get()))
            return arm(*args, **kwargs)

        async def call() -> None:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                hevo._core.transport._limiter.rejected(5)

        loop.call_later = call_later
        try:
            await named("me", call())
        finally:
            del loop.call_later
    assert contexts == [("_write_again", NOBODY)]
