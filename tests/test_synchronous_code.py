"""Every Python block of docs/synchronous-code.md runs as it stands there, against the emulator."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import run

PAGE = (Path(__file__).parent.parent / "docs" / "synchronous-code.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def block(containing: str) -> str:
    found = [each for each in BLOCKS if containing in each]
    assert len(found) == 1, f"{len(found)} blocks of the page contain {containing!r}"
    return found[0]


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0) as emulator:
        for number in (1, 2, 3):
            emulator.add_pipeline(number)
        emulator.add_pipeline(123, duration=20.0, history=1)
        yield emulator


def python(code: str, emulator: HevoEmulator) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # No script: asyncio's debug mode would complain of a loop that stands still.
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **emulator.environment},
    )


@pytest.mark.parametrize(
    ("containing", "prints"),
    [
        ('print(run(sync(123)), "events loaded")', "1000 events loaded\n"),
        ("run_coroutine_threadsafe", r"123:\S+ COMPLETED\n"),
        ("def synchronous_hook", "COMPLETED\n"),
        ("def status_of", "1 INITIALIZED\n2 INITIALIZED\n3 INITIALIZED\n"),
    ],
)
def test_the_blocks_run(emulator: HevoEmulator, containing: str, prints: str) -> None:
    # The first poll of a Job comes after 15 s of real time; the page need not say so.
    code = block(containing).replace("timeout=2 * 3600", "timeout=7200, poll_interval=0.2")
    process = python(code, emulator)
    out, errors_ = process.communicate(timeout=60)
    assert process.returncode == 0, errors_
    assert errors_ == ""
    assert re.fullmatch(prints, out)


def test_the_signal_handler_cancels_the_job(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    code = block("run_in_thread").replace("timeout=2 * 3600", "timeout=7200, poll_interval=0.2")
    process = python(code, emulator)
    while not emulator.requests.of("get_job"):  # it knows its Job
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the Job was cancelled" in stderr
    assert len(emulator.requests.of("cancel_job")) == 1


def test_all_blocks_are_tested_here() -> None:
    """But for those that need Django or Celery, which are not installed for the tests."""
    tested = {"print(run(sync", "run_coroutine", "synchronous_hook", "status_of", "run_in_thread"}
    others = [each for each in BLOCKS if not any(words in each for words in tested)]
    assert [each.split("import")[1].split()[0] for each in others] == ["BaseCommand,", "Celery"]


# -- what the page says beside the blocks ---------------------------------------------------------


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
