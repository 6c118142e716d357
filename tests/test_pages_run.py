"""The Python blocks of two pages of the docs run as they stand there, against the emulator."""

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

from hevo_edge import HevoClient, Job, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Outcome, Run, RunSpec, run

DOCS = Path(__file__).parent.parent / "docs"


def blocks_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


SYNC, ORCHESTRATION = blocks_of("synchronous-code.md"), blocks_of("orchestration.md")
PRINTS = {
    'print(run(sync(123)), "events loaded")': "1000 events loaded\n",
    "run_coroutine_threadsafe": r"123:\S+ COMPLETED\n",
    "def synchronous_hook": "COMPLETED\n",
    "for pipeline_id in (1, 2, 3)": "1 INITIALIZED\n2 INITIALIZED\n3 INITIALIZED\n",
    "class FileStore": r"success Job \S+ of Pipeline 123 ended COMPLETED\n",
    "ClientPool()": r"\['INITIALIZED', 'INITIALIZED', 'INITIALIZED'\]\n",
    "six_hours_ago": r"success \S+\n",
    "read_lineage": r"(snowflake://snowflake warehouse\.hevo\.\w+\n){3}",
}
"""What each block prints, by words that it alone contains."""
SHORT = "timeout=7200, poll_interval=0.2"
"""The first poll of a Job comes after 15 s of real time; the pages need not say so."""


def block(containing: str) -> str:
    found = [each for each in SYNC + ORCHESTRATION if containing in each]
    assert len(found) == 1, f"{len(found)} blocks of the pages contain {containing!r}"
    return found[0].replace("timeout=2 * 3600", SHORT)


@pytest.fixture(autouse=True)
def shared_windows_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("machine")))


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0) as emulator:
        for number in (1, 2, 3):
            emulator.add_pipeline(number)
        emulator.add_pipeline(123, duration=20.0, history=1)
        yield emulator


def python(code: str, emulator: HevoEmulator, folder: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # Not in asyncio's debug mode, which reports a loop that stands still.
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **emulator.environment},
    )


@pytest.mark.parametrize("containing", PRINTS)
def test_the_blocks_run(emulator: HevoEmulator, containing: str, tmp_path: Path) -> None:
    code = block(containing).replace('if_running="wait")', 'if_running="wait", poll_interval=0.2)')
    process = python(code, emulator, tmp_path)
    out, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert stderr == ""
    assert re.fullmatch(PRINTS[containing], out)
    assert list(tmp_path.iterdir()) == []  # no ticket is left behind


def test_the_signal_handler_cancels_the_job(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    process = python(block("run_in_thread"), emulator)
    while not emulator.requests.of("get_job"):  # it knows its Job
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the Job was cancelled" in stderr
    assert len(emulator.requests.of("cancel_job")) == 1


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_attempt_after_an_ambiguous_post(effect: str) -> None:
    """What the page on orchestrators says of retries after ``"error"``."""
    async with HevoEmulator() as emulator:
        emulator.add_pipeline(123, appears_after=200 if effect == "after" else 5, duration=600)
        emulator.faults.drop(on="sync_now", effect=effect)
        store = Texts()
        async with client(emulator) as hevo:
            outcome = await Run(RunSpec(123), store, account="").start(hevo)
            assert isinstance(outcome, Outcome)
            assert outcome.error == "TriggerOutcomeUnknown"
            hurried = RunSpec(123, deadline=time.time() + 5)
            again = await Run(hurried, store, account="").start(hevo)
            assert isinstance(again, Outcome)
            assert len(emulator.requests.of("sync_now")) == 1
            assert isinstance(await Run(RunSpec(123), store, account="").start(hevo), Job)
        effects = [call.took_effect for call in emulator.requests.of("sync_now")]
        assert effects == ([True] if effect == "after" else [False, True])


def test_no_block_is_forgotten() -> None:
    """But for those that need Django or Celery, which are not installed for the tests."""
    known = [*PRINTS, "run_in_thread", "BaseCommand", "Celery("]
    for each in SYNC + ORCHESTRATION:
        assert any(words in each for words in known), each


# -- what the page on synchronous code says beside its blocks --------------------------------------


class Texts:
    """Keeps one text in memory, as a TicketStore."""

    def __init__(self) -> None:
        self._text: str | None = None

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        self._text = text

    def delete(self) -> None:
        self._text = None


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
