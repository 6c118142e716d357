"""Progress while Hevo does not answer."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient
from hevo_edge._progress.display import display_of_loop
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, now, started


async def test_a_table_says_for_how_long_there_was_no_answer(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, job = started(emulator, hevo, duration=5000)
    waiting = asyncio.create_task(job.await_completion(poll_interval=5, progress=True))
    await asyncio.sleep(60)
    (line,) = display_of_loop()._groups[0].active
    assert line.row(now())["State"] == "IN_PROGRESS"
    capsys.readouterr()
    emulator.faults.status(503, times=None)
    elapsed = line.elapsed(now())
    for seconds in (20, 40):
        await asyncio.sleep(20)
        assert line.row(now())["State"] in {
            f"IN_PROGRESS, no answer for {seconds + since_the_last_poll}s"
            for since_the_last_poll in range(6)
        }
        assert line.elapsed(now()) == pytest.approx(elapsed + seconds)
    emulator.faults.clear()
    assert capsys.readouterr().err == "", "no line more where there is no table"
    await asyncio.sleep(20)
    assert line.row(now())["State"] == "IN_PROGRESS"
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_what_was_never_read_says_so(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=5000)
    emulator.faults.status(503, times=None)
    waiting = asyncio.create_task(job.await_completion(poll_interval=5, progress=True))
    await asyncio.sleep(30)
    (line,) = display_of_loop()._groups[0].active
    assert line.row(now())["State"] == "not read yet, no answer for 30s"
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_of_many_it_is_counted_how_many_have_no_answer(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    _, jobs = fleet(emulator, hevo, 12, lambda _: 5000.0)
    waiting = asyncio.create_task(hevo.await_all(jobs, poll_interval=20, progress=True))
    await asyncio.sleep(60)
    (group,) = display_of_loop()._groups
    assert "12 to go, after" in group.text(now())
    emulator.faults.status(503, times=None)
    await asyncio.sleep(60)
    assert "12 to go (12 without an answer), after" in group.text(now())
    assert capsys.readouterr().err == "waiting for 12 Jobs\n", "no line more"
    waiting.cancel()
    await asyncio.wait({waiting})
