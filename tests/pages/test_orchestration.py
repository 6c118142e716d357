"""What the page docs/orchestration.md says, beside its blocks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hevo_edge import Job
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Outcome, Run, RunSpec
from tests.conftest import client_of
from tests.pages.blocks import block


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


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_attempt_after_an_ambiguous_post(effect: str) -> None:
    """What the page on orchestrators says of retries after ``"error"``."""
    async with HevoEmulator() as emulator:
        emulator.add_pipeline(123, appears_after=200 if effect == "after" else 5, duration=600)
        emulator.faults.drop(on="sync_now", effect=effect)
        store = Texts()
        async with client_of(emulator) as hevo:
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


# -- the whole adapter of docs/orchestration.md ---------------------------------------------------

LIMIT = 60.0
"""Seconds for what a process does, on a machine with other things to do."""


class Tasks:
    """Starts the page's adapter as processes that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emulator = HevoEmulator(rate_limit=None, seed=1)
        # The first poll would come after 15 s of real time; the page need not say so.
        code = block("docs/orchestration.md", "ATTEMPTS = 3").replace(
            'if_running="wait",', 'if_running="wait", poll_interval=0.2,'
        )
        (folder / "task.py").write_text(code)

    def start(self, seconds: float = 3600.0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "task.py", "123", f"{time.time() + seconds}", "2026-01-01"],
            cwd=self.folder,
            env={
                **os.environ,
                **self.emulator.environment,
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def started_and_polling(self) -> subprocess.Popen[str]:
        process = self.start()
        self.until(lambda: len(self.emulator.requests.of("get_job")) > 0)
        return process

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < give_up
            time.sleep(0.05)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tasks]:
    monkeypatch.setenv("TMPDIR", f"{tmp_path}")
    tasks = Tasks(tmp_path)
    tasks.emulator.add_pipeline(123, duration=None, appears_after=0.5)
    with tasks.emulator:
        yield tasks


def test_the_adapter_is_short() -> None:
    assert len(block("docs/orchestration.md", "ATTEMPTS = 3").splitlines()) < 60


@pytest.mark.real_time
def test_the_adapter_goes_on_with_the_job_of_a_process_that_was_killed(tasks: Tasks) -> None:
    killed = tasks.started_and_polling()
    killed.kill()
    killed.communicate()
    tasks.emulator.requests.clear()
    again = tasks.started_and_polling()
    job = tasks.emulator.pipeline(123).jobs[-1]
    job.end(tasks.emulator.now, "COMPLETED")
    printed, _ = again.communicate(timeout=LIMIT)
    assert printed.startswith(f"success Job {job.job_id}")
    assert again.returncode == 0
    assert len(tasks.emulator.pipeline(123).jobs) == 1
    assert not list(tasks.folder.glob("ticket-*"))


@pytest.mark.real_time
def test_the_adapter_cancels_its_job_on_sigterm(tasks: Tasks) -> None:
    ended = tasks.started_and_polling()
    ended.terminate()
    printed, _ = ended.communicate(timeout=LIMIT)
    assert ended.returncode == 143, printed
    assert tasks.emulator.pipeline(123).jobs[-1].status in {"CANCELLING", "CANCELLED"}


@pytest.mark.real_time
def test_the_adapter_tries_again_and_keeps_its_deadline(tasks: Tasks) -> None:
    tasks.emulator.pipeline(123).plan(outcome="FAILED", duration=1)
    process = tasks.start(seconds=12)
    printed, _ = process.communicate(timeout=LIMIT)
    assert printed.startswith("timeout ")
    assert [job.status for job in tasks.emulator.pipeline(123).jobs] == ["FAILED", "IN_PROGRESS"]
    assert list(tasks.folder.glob("ticket-*"))
