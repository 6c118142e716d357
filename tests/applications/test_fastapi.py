"""The application of the page, in the real FastAPI and uvicorn, and what its clients may do."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn

from hevo_edge.emulator import HevoEmulator
from tests.applications.support import set_environment
from tests.pages.blocks import block
from tests.pages.stage import fast_emulator

pytestmark = pytest.mark.real_time

# Seconds: a trigger may take its own 60, at this speed of the emulator, where the machine stands still.
PATIENCE = 90

CANCELLING = """

@app.get("/syncs/{ref}/end")
async def end(ref: str, request: Request) -> StreamingResponse:
    job = request.state.hevo.job(ref)

    async def lines() -> AsyncIterator[str]:
        yield "waiting\\n"
        await job.await_completion(poll_interval=0.05, cancel_on_interrupt=True)

    return StreamingResponse(lines())
"""


@asynccontextmanager
async def serving(
    emulator: HevoEmulator, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the page's application; polls come quickly, and its prints are kept in ``printed``."""
    set_environment(monkeypatch, emulator)
    code = block("docs/in-your-application.md", "FastAPI(").replace(
        "job.watch()", "job.watch(poll_interval=0.05)"
    )
    module = types.ModuleType("page")
    exec(code.replace("2 * 3600", "2 * 3600, poll_interval=0.05") + CANCELLING, vars(module))
    config = uvicorn.Config(
        module.app, port=0, lifespan="on", ws="none", log_level="error", **options
    )
    server = uvicorn.Server(config)
    serve = asyncio.ensure_future(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not serve.done()
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            yield session
    finally:
        server.should_exit = True
        await asyncio.wait_for(serve, PATIENCE)


async def polls_have_stopped(emulator: HevoEmulator) -> bool:
    await asyncio.sleep(0.2)
    before = len(emulator.requests)
    await asyncio.sleep(0.5)
    return len(emulator.requests) == before


async def started(session: aiohttp.ClientSession, pipeline_id: int = 123) -> str:
    async with session.post(f"/syncs/{pipeline_id}") as reply:
        assert reply.status == 202, await reply.text()
        return str((await reply.json())["job"])


async def test_it_triggers_streams_and_reports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fast_emulator() as emulator:
        emulator.pipeline(123).plan(duration=200.0)
        async with serving(emulator, monkeypatch) as session:
            ref = await started(session)
            async with session.post("/syncs/123") as reply:
                assert reply.status == 409
            async with session.get(f"/syncs/{ref}/statuses") as reply:
                lines = (await reply.text()).split()
            assert lines[-1] == "COMPLETED"
            await asyncio.sleep(0.2)
            assert f"{ref}: COMPLETED" in capsys.readouterr().out


async def test_requests_share_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    with fast_emulator() as emulator:
        emulator.pipeline(123).plan(duration=300.0)
        async with serving(emulator, monkeypatch) as session:
            ref = await started(session)

            async def stream() -> str:
                async with session.get(f"/syncs/{ref}/statuses") as reply:
                    return await reply.text()

            texts = await asyncio.gather(*(stream() for _ in range(20)))
            assert {text.split()[-1] for text in texts} == {"COMPLETED"}
            # At most three seconds of a poll every 0.05 s, not twenty times that.
            assert len(emulator.requests.of("get_job")) < 120


async def test_a_client_that_goes_away_during_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling stops at once, and the Job goes on in Hevo."""
    with fast_emulator() as emulator:
        emulator.pipeline(123).plan(duration=36000.0, appears_after=0)
        emulated = emulator.pipeline(123).start_job(now=emulator.now)
        async with serving(emulator, monkeypatch) as session:
            reply = await session.get(f"/syncs/123:{emulated.job_id}/statuses")
            assert await reply.content.readline() == b"IN_PROGRESS\n"
            assert not await polls_have_stopped(emulator)
            reply.close()
            assert await polls_have_stopped(emulator)
            assert emulator.requests.of("cancel_job") == []


async def test_it_cancels_the_job_where_the_wait_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with fast_emulator() as emulator:
        emulator.pipeline(123).plan(duration=36000.0, appears_after=0)
        emulated = emulator.pipeline(123).start_job(now=emulator.now)
        async with serving(emulator, monkeypatch) as session:
            reply = await session.get(f"/syncs/123:{emulated.job_id}/end")
            assert await reply.content.readline() == b"waiting\n"
            await asyncio.sleep(0.2)
            reply.close()
            assert await polls_have_stopped(emulator)
            assert len(emulator.requests.of("cancel_job")) == 1


async def test_a_client_that_goes_away_during_a_trigger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The handler runs to its end: the Job is found, awaited and reported."""
    with fast_emulator() as emulator:
        async with serving(emulator, monkeypatch) as session:
            impatient = asyncio.ensure_future(session.post("/syncs/123"))
            while not emulator.requests.of("sync_now"):  # noqa: ASYNC110 -- it is a journal
                await asyncio.sleep(0.01)
            impatient.cancel()
            await asyncio.wait({impatient})

            async def printed() -> None:
                while "COMPLETED" not in capsys.readouterr().out:  # noqa: ASYNC110 -- a text
                    await asyncio.sleep(0.1)

            await asyncio.wait_for(printed(), PATIENCE)
        assert len(emulator.requests.of("sync_now")) == 1


@pytest.mark.parametrize("grace", [None, 1])
async def test_a_server_that_stops_while_a_task_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], grace: int | None
) -> None:
    """It waits for the task, or cancels it; either way the lifespan ends, and nothing polls."""
    with fast_emulator() as emulator:
        emulator.pipeline(123).plan(duration=200.0 if grace is None else 36000.0)
        async with serving(emulator, monkeypatch, timeout_graceful_shutdown=grace) as session:
            ref = await started(session)
        printed = capsys.readouterr().out
        assert (f"{ref}: COMPLETED" in printed) == (grace is None)
        assert await polls_have_stopped(emulator)
        assert emulator.requests.of("cancel_job") == []
