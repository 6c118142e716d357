"""What the page docs/synchronous-code.md says, beside its blocks, and its signal handler."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import run
from tests.pages import stage
from tests.pages.blocks import block


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    with stage.fast_emulator() as emulator:
        yield emulator


def test_the_signal_handler_cancels_the_job(emulator: HevoEmulator, tmp_path: Path) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    code = block("docs/synchronous-code.md", "run_in_thread")
    # The first poll comes after 15 s of real time; the page need not say so.
    code = code.replace("timeout=2 * 3600", "timeout=7200, poll_interval=0.2")
    process = stage.start(code, emulator.environment, tmp_path)
    while not emulator.requests.of("get_job"):  # it knows its Job
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the Job was cancelled" in printed
    assert len(emulator.requests.of("cancel_job")) == 1


def client(emulator: HevoEmulator) -> HevoClient:
    return HevoClient(
        emulator.api_key,
        emulator.api_secret,
        base_url=emulator.base_url,
        rate_limit=RateLimit(100, 60.0 / emulator.speed),
    )


def test_run_raises_what_the_coroutine_raises(emulator: HevoEmulator) -> None:
    async def work() -> None:
        async with client(emulator) as hevo:
            await hevo.get_pipeline(99)

    with pytest.raises(errors.NotFound):
        run(work())


def test_a_client_cannot_be_shared_by_two_running_loops(emulator: HevoEmulator) -> None:
    """Two threads that both call ``run`` with one client: the second is refused."""
    hevo = client(emulator)
    is_used, may_end = threading.Event(), threading.Event()

    async def use_and_stay() -> None:
        await hevo.get_pipeline(123)
        is_used.set()
        await asyncio.to_thread(may_end.wait)

    first = threading.Thread(target=lambda: run(use_and_stay()))
    first.start()
    try:
        assert is_used.wait(10)
        with pytest.raises(errors.HevoError, match="another event loop"):
            run(hevo.get_pipeline(123))
    finally:
        may_end.set()
        first.join()


def test_a_thread_shares_the_client_of_the_loop(emulator: HevoEmulator) -> None:
    async def name_of(hevo: HevoClient) -> int:
        return (await hevo.get_pipeline(123)).id

    async def app() -> list[int]:
        async with client(emulator) as hevo:
            loop = asyncio.get_running_loop()

            def handler() -> int:
                reading: Future[int] = asyncio.run_coroutine_threadsafe(name_of(hevo), loop)
                return reading.result(10)

            return list(await asyncio.gather(*(asyncio.to_thread(handler) for _ in range(5))))

    assert asyncio.run(app()) == [123] * 5
