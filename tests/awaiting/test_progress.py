"""Progress on stderr: a line for each change, or a count of many."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge._awaiting.progress import ProgressCounter
from hevo_edge._text.durations import format_duration
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, started


async def test_progress_goes_to_stderr(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    emulated, job = started(emulator, hevo, duration=75, outcome="FAILED")
    with pytest.raises(errors.JobFailed):
        await job.await_completion(poll_interval=60, progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    name = f"Pipeline 123 INCREMENTAL Job {emulated.job_id}"
    assert printed.err.splitlines() == [
        f"{name}: IN_PROGRESS after 0s, 0 events loaded",
        f"{name}: IN_PROGRESS after 1m00s, 360 events loaded, 40 failed",
        f"{name}: FAILED after 1m15s, 450 events loaded, 50 failed",
    ]
    assert format_duration(3600) == "1h00m"


async def test_progress_counts_when_jobs_are_many(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 12, lambda n: 20 * n)
    emulator.pipeline(1003).running.outcome = "FAILED"  # type: ignore[union-attr]
    await hevo.await_all(jobs, progress=True, on_failure="return")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "waiting for 12 Jobs"
    assert lines[1] == "1 of 12 waits are over, 11 to go, after 30s"
    assert lines[-1].startswith(
        "12 of 12 waits are over, 1 of them with an error, 0 to go, after 4m0"
    )
    assert len(lines) <= 13


def test_a_counter_prints_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    tally = ProgressCounter(1000, 0.0)
    for number in range(1000):
        tally.count(failed=number % 100 == 0, now=number / 10)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert (
        lines[-1] == "1,000 of 1,000 waits are over, 10 of them with an error, 0 to go, after 1m40s"
    )


class Broken:
    """A stderr whose write raises anything."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


class Bare:
    """What a framework has put in the place of stderr."""


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize(
    "stderr",
    [
        None,  # a service, pythonw
        Bare(),
        Broken(BrokenPipeError()),
        Broken(UnicodeEncodeError("ascii", "\u20ac", 0, 1, "no such character")),
        Broken(RuntimeError("the cell is gone")),
    ],
    ids=["none", "bare", "broken pipe", "encoding", "anything"],
)
async def test_no_stderr_ends_a_wait(
    emulator: HevoEmulator,
    hevo: HevoClient,
    monkeypatch: pytest.MonkeyPatch,
    stderr: object,
    jobs: int,
) -> None:
    waited_for = [started(emulator, hevo, 1000 + n, duration=50)[1] for n in range(jobs)]
    monkeypatch.setattr(sys, "stderr", stderr)
    assert len(await hevo.await_all(waited_for, progress=True)) == jobs


async def test_a_stderr_that_broke_ends_no_wait(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [started(emulator, hevo, 1000 + n, duration=50 + 20 * n)[1] for n in range(8)]
    broken = io.StringIO()
    monkeypatch.setattr(sys, "stderr", broken)
    waiting = asyncio.create_task(hevo.await_all(jobs, progress=True))
    await asyncio.sleep(20)
    broken.close()
    assert len(await asyncio.wait_for(waiting, 3600)) == 8
