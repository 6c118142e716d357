"""What no time can mend ends a wait; one odd reply among good ones, or an outage, does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import many, now, started
from tests.conftest import client_of
from tests.http.servers import Server, replies, reply

PAGE = "<html><head><title>Sign in</title></head></html>"
PAGES = [302, 401, 403, 404]


# -- pages of a gateway ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", PAGES)
async def test_a_gateways_page_among_good_polls_ends_no_wait(
    emulator: HevoEmulator, hevo: HevoClient, status: int
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    emulator.faults.status(status, PAGE, on="get_job", times=None, probability=0.6)
    await job.await_completion()
    assert job.status == "COMPLETED"


@pytest.mark.parametrize("status", PAGES)
@pytest.mark.parametrize("was_read", [True, False])
async def test_a_gateways_pages_end_a_wait_when_they_last(
    emulator: HevoEmulator, hevo: HevoClient, status: int, was_read: bool
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    if was_read:
        await job.refresh()
    emulator.faults.status(status, PAGE, on="get_job", times=None)
    start = now()
    with pytest.raises(errors.ServerError, match="a gateway answered, not Hevo") as caught:
        await job.await_completion()
    # Ten minutes, and a minute for what was never read; with the repetitions of each poll.
    least, most = (600, 660) if was_read else (60, 90)
    assert least <= now() - start <= most
    assert caught.value.from_gateway
    assert caught.value.job is job


async def test_pages_are_outwaited_as_long_as_an_outage_is_likely(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    await job.refresh()
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(100)
    for status, seconds in ((302, 500), (503, 4000), (403, 500), (502, 1000)):
        rule = emulator.faults.status(status, PAGE, times=None)
        await asyncio.sleep(seconds)
        rule.times = 0
    assert (await waiting).status == "COMPLETED"


async def test_polls_that_meet_pages_are_not_frequent(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    await job.refresh()
    emulator.faults.status(403, PAGE, on="get_job", times=None)
    with pytest.raises(errors.ServerError):
        await job.await_completion(poll_interval=0.2)
    assert len(emulator.requests) < 4 * 65


async def test_the_only_poll_is_believed_of_what_was_never_read(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    emulator.faults.status(403, PAGE, on="get_job", times=None)
    with pytest.raises(errors.ServerError, match="a gateway answered"):
        await job.await_completion(timeout=0)
    emulator.faults.clear()
    await job.refresh()
    emulator.faults.status(403, PAGE, on="get_job", times=None)
    with pytest.raises(errors.JobTimeout, match="may have ended.*a gateway answered"):
        await job.await_completion(timeout=20)


# -- code that fails -------------------------------------------------------------------------------


class BrokenSession:
    """Fails in a trace of the session, as a mistake in a middleware would."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    async def on_start(self, *_: Any) -> None:
        if self.error is not None:
            raise self.error

    def session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self.on_start)
        return aiohttp.ClientSession(trace_configs=[trace])


MISTAKES = [TypeError("a mistake"), KeyError("x"), RuntimeError("of an anyio scope")]


@pytest.mark.parametrize("mistake", MISTAKES, ids=repr)
async def test_a_mistake_in_a_middleware_ends_a_wait(
    emulator: HevoEmulator, mistake: Exception
) -> None:
    broken = BrokenSession(mistake)
    async with broken.session() as session, client_of(emulator, session=session) as hevo:
        _, job = started(emulator, hevo, duration=3600)
        start = now()
        with pytest.raises(errors.RequestOutcomeUnknown, match=type(mistake).__name__) as caught:
            await job.await_completion()
        assert now() - start <= 45
        assert caught.value.__cause__ is mistake
        assert not caught.value.transient
        with pytest.raises(errors.RequestOutcomeUnknown) as caught:
            await hevo.get_pipeline(123)
        assert caught.value.attempts == 1


async def test_a_mistake_that_passes_ends_no_wait(emulator: HevoEmulator) -> None:
    broken = BrokenSession(TypeError("a mistake"))
    async with broken.session() as session, client_of(emulator, session=session) as hevo:
        _, job = started(emulator, hevo, duration=100)
        waiting = asyncio.create_task(job.await_completion())
        await asyncio.sleep(20)
        broken.error = None
        assert (await waiting).status == "COMPLETED"


def session_of_another_loop() -> tuple[asyncio.AbstractEventLoop, aiohttp.ClientSession]:
    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    loop = asyncio.new_event_loop()
    return loop, loop.run_until_complete(make())


@pytest.fixture
async def elsewhere(emulator: HevoEmulator) -> AsyncIterator[HevoClient]:
    loop, session = await asyncio.to_thread(session_of_another_loop)
    async with client_of(emulator, session=session) as hevo:
        yield hevo
    await asyncio.to_thread(loop.run_until_complete, session.close())
    await asyncio.to_thread(loop.close)


async def test_a_session_of_another_loop_is_refused_at_once(
    emulator: HevoEmulator, elsewhere: HevoClient
) -> None:
    _, job = started(emulator, elsewhere, duration=100)
    start = now()
    for call in (
        job.await_completion,
        job.refresh,
        job.cancel,
        elsewhere.pipeline(123).trigger,
        elsewhere.pipeline(123).await_completion,
    ):
        with pytest.raises(errors.ConfigurationError, match="belongs to another event loop"):
            await call()
    assert now() - start < 0.1
    assert not emulator.requests


# -- replies of another shape or encoding -----------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        reply(b'{"rows": []}'),
        reply(b"[]"),
        reply(b'{"job": {"job_id": "x"}}'),
        reply(b"", Content_Encoding="br"),
        reply(b"\x1f\x9d", Content_Encoding="compress"),
    ],
)
@pytest.mark.parametrize("awaits", ["a Job", "the next Job"])
async def test_replies_of_another_form_end_a_wait(answer: bytes, awaits: str) -> None:
    async with (
        Server(replies(answer)) as server,
        HevoClient("key", "secret", base_url=f"http://127.0.0.1:{server.port}") as hevo,
    ):
        what = hevo.job(1, "x") if awaits == "a Job" else hevo.pipeline(1)
        start = now()
        with pytest.raises(errors.UnexpectedResponse) as caught:
            await what.await_completion()
        assert 60 <= now() - start <= 90
        assert not caught.value.transient


async def test_a_maintenance_page_that_says_200_is_outwaited(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=20_000)
    rule = emulator.faults.html(on="get_job", times=None)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(10_000)
    rule.times = 0
    assert (await waiting).status == "COMPLETED"


# -- credentials that are refused ------------------------------------------------------------------


async def test_a_rotated_key_ends_all_waits_at_once(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = many(emulator, hevo, *({"duration": 3600} for _ in range(60)))
    waits = [asyncio.create_task(job.await_completion()) for job in jobs]
    waits += [
        asyncio.create_task(hevo.pipeline(number).await_completion(job_type="RESYNC"))
        for number in range(1, 11)
    ]
    await asyncio.sleep(100)
    emulator.api_key = "rotated"
    start, before = now(), len(emulator.requests)
    caught = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in caught} == {errors.AuthenticationError}
    assert [error.job for error in caught[:60] if isinstance(error, errors.HevoError)] == jobs
    assert now() - start <= 15
    # The one that was refused was asked for once more, over a connection of its own.
    assert len(emulator.requests) - before <= 3
    said = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "the credentials of this client are refused" in said[0].getMessage()
    assert "70 Jobs and Pipelines" in said[0].getMessage()


async def test_a_rotated_key_ends_waits_that_read_the_list(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = []
    for _ in range(3):
        _, job = started(emulator, hevo, duration=3600)
        jobs.append(job)
    waits = [asyncio.create_task(job.await_completion()) for job in jobs]
    await asyncio.sleep(50)
    emulator.api_key = "rotated"
    before = len(emulator.requests)
    caught = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(error) for error in caught} == {errors.AuthenticationError}
    assert len(emulator.requests) - before <= 3


async def test_what_one_pipeline_refuses_is_told_of_its_jobs_only(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    one, other = many(emulator, hevo, {"duration": 200}, {"duration": 200})
    waiting = asyncio.create_task(one.await_completion())
    await asyncio.sleep(7)
    others = asyncio.create_task(other.await_completion())
    await asyncio.sleep(7)
    # It is asked for once more, over a connection of its own.
    emulator.faults.status(403, {"message": "no"}, on="get_job", times=2)
    with pytest.raises(errors.PermissionDenied):
        await waiting
    assert (await others).status == "COMPLETED"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_wrong_password_of_a_proxy_ends_all_waits_at_once(scheme: str) -> None:
    async with (
        Server(replies(reply(b"", "407 Proxy Authentication Required"))) as proxy,
        HevoClient(
            "key",
            "secret",
            base_url=f"{scheme}://127.0.0.1:9",
            proxy=f"http://user:wrong@127.0.0.1:{proxy.port}",
        ) as hevo,
    ):
        start = now()
        waits = [hevo.job(1, f"j{number}").await_completion() for number in range(20)]
        caught = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(error) for error in caught} == {errors.AuthenticationError}
        assert now() - start <= 10
        assert len(proxy.heads) <= 20


# -- 404 of a Pipeline -----------------------------------------------------------------------------


async def test_a_pipeline_that_was_read_is_gone_only_when_that_is_confirmed(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    waiting = asyncio.create_task(hevo.pipeline(123).await_completion())
    await asyncio.sleep(20)
    emulator.faults.status(404, {"message": "no"}, on="list_jobs", times=6)
    await asyncio.sleep(100)
    assert not waiting.done()
    emulator.faults.status(404, {"message": "no"}, on="list_jobs", times=None)
    with pytest.raises(errors.NotFound):
        await waiting
    with pytest.raises(errors.NotFound):
        await hevo.pipeline(9999).await_completion()
