"""A client over a fork: made before and used after, in use at the fork, and what the parent keeps."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, RateLimit
from hevo_edge._common.clock import Clock
from tests.http.servers import PIPELINE, TLS, Server

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    # From Python 3.12 on; here nothing else runs in the parent's other threads.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
FORKED = "this process was forked from one in which this HevoClient is in use"

# -- in use at the fork ----------------------------------------------------------------------------

USED = """
import asyncio, gc, os, ssl, sys, warnings
warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
from hevo_edge import HevoClient

trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
hevo = HevoClient("key", "secret", base_url=sys.argv[1], ssl=trusting, timeout=5)

async def error_of(use):
    try:
        await use
    except Exception as error:
        return f"{type(error).__name__}: {error}"

async def main():
    await hevo.get_pipeline(123)
    child = os.fork()
    if child == 0:
        await in_child()
        os._exit(0)
    await asyncio.sleep(0)
    os.waitpid(child, 0)
    await hevo.get_pipeline(123)
    print("the parent goes on", flush=True)
    await hevo.close()

async def in_child():
    {in_child}

asyncio.run(main())
"""


async def keep_alive(server: Server, reader: asyncio.StreamReader, writer: Any) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PIPELINE)}\r\n\r\n"
        writer.write(head.encode() + PIPELINE)


async def forked(in_child: str) -> tuple[list[str], int]:
    """Return what parent and child print, and how many connections the server has seen."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(TLS)
    async with Server(keep_alive, tls) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c"),
            *(USED.replace("{in_child}", in_child), f"https://127.0.0.1:{server.port}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return out.decode().splitlines(), server.connections


IN_CHILD = {
    "a new loop": "print(asyncio.run(error_of(hevo.get_pipeline(123))), flush=True)",
    "a new loop, a wait": (
        "print(asyncio.run(error_of(hevo.job('123:a').await_completion())), flush=True)"
    ),
    "the same coroutine": "print(await error_of(hevo.get_pipeline(123)), flush=True)",
    "the same coroutine, a wait": (
        "print(await error_of(hevo.job('123:a').await_completion()), flush=True)"
    ),
}


@pytest.mark.parametrize("in_child", IN_CHILD)
async def test_a_child_is_told_so(in_child: str) -> None:
    lines, connections = await forked(IN_CHILD[in_child])
    assert len(lines) == 2, lines
    assert lines[0].startswith(f"HevoError: {FORKED}") or "This process was forked" in lines[0]
    assert "in this process" in lines[0] or "client of its own" in lines[0]
    assert lines[1] == "the parent goes on"
    assert connections == 1


CLOSES = {
    "closes": "asyncio.run(hevo.close())",
    "drops": "global hevo; del hevo; gc.collect()",
    "makes another": (
        "global hevo; hevo = HevoClient('key', 'secret', base_url=sys.argv[1], ssl=trusting); "
        "gc.collect(); asyncio.run(hevo.get_pipeline(123))"
    ),
    "ends without os._exit": "sys.exit(0)",
}


@pytest.mark.parametrize("in_child", CLOSES)
async def test_what_a_child_closes_is_not_the_parents_connection(in_child: str) -> None:
    lines, connections = await forked(CLOSES[in_child])
    if in_child.startswith("ends"):
        lines = lines[-1:]  # asyncio's transports say that they were not closed
    assert lines == ["the parent goes on"], lines
    assert connections == 1 + (in_child == "makes another")


# -- made before, used after -----------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> Any:
    """Return what some work returns in a forked child, as a prefork worker runs it."""
    context = multiprocessing.get_context("fork")
    results, answer = context.Pipe(duplex=False)

    def run() -> None:
        try:
            answer.send(work())
        except Exception as error:  # noqa: BLE001 -- handed to the parent
            answer.send(error)

    child = context.Process(target=run)
    child.start()
    try:
        assert results.poll(60)
        return results.recv()
    finally:
        child.join(10)
        assert child.exitcode == 0


@pytest.fixture
def served() -> Iterator[dict[str, str]]:
    """What finds an emulator at a hundredfold speed; in a process of its own, for its threads."""
    command = (sys.executable, "-m", "hevo_edge.emulator", "--port", "0", "--speed", "100")
    with subprocess.Popen(
        [*command, "--duration", "20"], stdout=subprocess.PIPE, text=True
    ) as emulator:
        assert emulator.stdout
        emulator.stdout.readline()
        exports = (emulator.stdout.readline().removeprefix("export ") for _ in range(3))
        names = dict(line.strip().split("=", 1) for line in exports)
        try:
            yield names
        finally:
            emulator.terminate()


def client(served: dict[str, str], **options: Any) -> HevoClient:
    options.setdefault("rate_limit", RateLimit(100, 0.6))
    return HevoClient(
        served["HEVO_API_KEY"],
        served["HEVO_API_SECRET"],
        base_url=served["HEVO_BASE_URL"],
        **options,
    )


async def sync(hevo: HevoClient) -> str:
    job = await hevo.pipeline(123).trigger(if_running="join")
    await job.await_completion(poll_interval=0.1)
    return str(job.status)


def test_a_client_that_was_made_before_the_fork(served: dict[str, str]) -> None:
    """The module-level client of a prefork worker, and ``asyncio.run`` in each of its tasks."""
    hevo = client(served)
    assert in_child(lambda: [asyncio.run(sync(hevo)) for _ in range(2)]) == ["COMPLETED"] * 2
    assert asyncio.run(sync(hevo)) == "COMPLETED"


def test_a_client_whose_loop_had_ended_before_the_fork(served: dict[str, str]) -> None:
    hevo = client(served)
    assert asyncio.run(sync(hevo)) == "COMPLETED"
    assert [in_child(lambda: asyncio.run(sync(hevo))) for _ in range(2)] == ["COMPLETED"] * 2
    assert asyncio.run(sync(hevo)) == "COMPLETED"


def test_a_client_whose_loop_is_open_but_stands_still(served: dict[str, str]) -> None:
    """The child may run that very loop: its connections are the parent's nevertheless."""
    hevo, loop = client(served), asyncio.new_event_loop()
    try:
        loop.run_until_complete(hevo.get_pipeline(123))
        for run in (loop.run_until_complete, asyncio.run):
            error = in_child(lambda run=run: run(hevo.get_pipeline(123)))  # type: ignore[misc]
            assert str(error).startswith(FORKED)
        assert loop.run_until_complete(hevo.get_pipeline(123)).id == 123
        loop.run_until_complete(hevo.close())
    finally:
        loop.close()


def test_a_session_that_was_passed_in_is_the_parents_too(served: dict[str, str]) -> None:
    import aiohttp  # noqa: PLC0415 -- only here

    async def parent() -> Any:
        async with aiohttp.ClientSession() as session:
            hevo = client(served, session=session, rate_limit=None)
            await hevo.get_pipeline(123)
            return in_child(lambda: asyncio.run(hevo.get_pipeline(123)))

    assert str(asyncio.run(parent())).startswith(FORKED)


def test_a_ticket_that_was_prepared_before_is_searched_for_first(served: dict[str, str]) -> None:
    """Parent and child both have it; as any two processes, they do not see each other post."""
    hevo = client(served)

    async def fire(ticket: Any) -> Job:
        return await hevo.fire(ticket)

    async def prepared() -> Any:
        return await hevo.pipeline(123).prepare_trigger(discovery_timeout=2)

    ticket = asyncio.run(prepared())
    fired = asyncio.run(fire(ticket))
    mine = in_child(lambda: asyncio.run(fire(ticket)).id)
    assert mine == fired.id
    asyncio.run(fired.await_completion(poll_interval=0.1))
    ticket = asyncio.run(prepared())
    theirs = in_child(lambda: asyncio.run(fire(ticket)).id)
    assert in_child(lambda: asyncio.run(fire(ticket)).id) == theirs  # it posts nothing


def test_a_child_counts_its_calls_alone(served: dict[str, str]) -> None:
    hevo = client(served, rate_limit=RateLimit(5, 60.0))

    def call() -> int:
        async def free() -> int:
            await hevo.get_pipeline(123)
            return hevo._core.transport._limiter.free_slots(0)  # type: ignore[arg-type]

        return asyncio.run(free())

    before = call()
    assert in_child(call) == in_child(call) == before - 1
    assert call() == before - 1


def test_children_that_share_a_window_count_together(
    served: dict[str, str], tmp_path: Path
) -> None:
    hevo = client(served, rate_limit=RateLimit(6, 60.0, shared=str(tmp_path / "window")))

    def call() -> int:
        async def free() -> int:
            await hevo.get_pipeline(123)
            return hevo._core.transport._limiter.free_slots(0)  # type: ignore[arg-type]

        return asyncio.run(free())

    before = call()
    assert [in_child(call), in_child(call), call()] == [before - 1, before - 2, before - 3]


def test_the_jitter_of_a_child_is_not_its_parents() -> None:
    """A hundred workers would come back to Hevo at the same moment."""
    clock = Clock()

    def draw() -> list[float]:
        return [clock.random.random() for _ in range(3)]

    drawn = [in_child(draw), in_child(draw), draw()]
    assert len({tuple(each) for each in drawn}) == 3
