"""The poller: an event for each Job that ends, whoever has started it, once."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.prefect import emit_job_events, events, poller
from tests.integrations.prefect.support import last_job
from tests.integrations.prefect.test_reports import events_of, sync

pytestmark = pytest.mark.usefixtures("credentials")


async def while_polling(work: Any, pipeline_ids: list[int], **options: Any) -> None:
    polling = asyncio.ensure_future(emit_job_events("hevo", pipeline_ids, interval=0.1, **options))
    try:
        await work()
    finally:
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling


async def until(condition: Any) -> None:
    for _ in range(600):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come true")


def test_a_job_that_others_start_and_one_of_a_flow(emu: HevoEmulator, tmp_path: Path) -> None:
    pipeline = emu.add_pipeline(21, duration=None, history=2, appears_after=0)
    cursors = tmp_path / "cursors.json"

    async def work() -> None:
        await until(cursors.exists)
        pipeline.start_job(now=emu.now)
        last_job(emu, 21).end(emu.now, "FAILED")
        await until(lambda: events_of("hevo.pipeline.21", "hevo.job.failed"))

    asyncio.run(while_polling(work, [21], cursors=cursors))
    # While nobody polls, one ends; and one more of a flow of Prefect, which tells of it itself.
    pipeline.start_job(now=emu.now)
    last_job(emu, 21).end(emu.now, "COMPLETED")
    pipeline.plan(duration=1)
    sync(21, report=False)

    async def later() -> None:
        await until(lambda: len(events_of("hevo.pipeline.21", "hevo.job.completed")) == 2)
        known = json.loads(cursors.read_text())["21"]["known"]
        await until(
            lambda: last_job(emu, 21).job_id in json.loads(cursors.read_text())["21"]["known"]
        )
        assert known
        await asyncio.sleep(1)

    asyncio.run(while_polling(later, [21], cursors=cursors))
    assert len(events_of("hevo.pipeline.21", "hevo.job.failed")) == 1
    assert len(events_of("hevo.pipeline.21", "hevo.job.completed")) == 2


def test_wrong_options() -> None:
    with pytest.raises(ConfigurationError, match="interval"):
        asyncio.run(emit_job_events("hevo", [21], interval=-1))
    with pytest.raises(ConfigurationError, match="pipeline_id"):
        asyncio.run(emit_job_events("hevo", [0]))
    with pytest.raises(ConfigurationError, match="nobody.*prefect block register"):
        asyncio.run(emit_job_events("nobody", [21]))


@pytest.mark.parametrize("text", ["nonsense", "[1]", "3"])
def test_a_file_of_something_else(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cursors = tmp_path / "cursors.json"
    cursors.write_text(text)
    with pytest.raises(SystemExit):
        poller.main(["hevo", "21", "--cursors", str(cursors)])
    assert f"{cursors} holds no cursors; remove it" in capsys.readouterr().err


def test_what_prefect_has_not_taken_is_not_behind_the_cursor(
    emu: HevoEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = emu.add_pipeline(22, duration=None, history=2, appears_after=0)
    cursors = tmp_path / "cursors.json"

    async def away(jobs: Any) -> None:
        raise OSError("the server is away")

    async def work() -> None:
        await until(cursors.exists)
        pipeline.start_job(now=emu.now)
        last_job(emu, 22).end(emu.now, "FAILED")
        await until(lambda: "Prefect has not taken the events of 1 Jobs" in caplog.text)

    with monkeypatch.context() as patched:
        patched.setattr(events, "deliver_jobs_ended", away)
        asyncio.run(while_polling(work, [22], cursors=cursors))
    assert last_job(emu, 22).job_id not in json.loads(cursors.read_text())["22"]["known"]

    async def later() -> None:
        await until(lambda: events_of("hevo.pipeline.22", "hevo.job.failed"))

    asyncio.run(while_polling(later, [22], cursors=cursors))
    assert len(events_of("hevo.pipeline.22", "hevo.job.failed")) == 1


def test_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    async def take(**options: Any) -> None:
        given.update(options)

    monkeypatch.setattr(poller, "emit_job_events", take)
    monkeypatch.setattr(sys, "argv", ["poller", "prod", "1", "2", "--cursors", "file.json"])
    poller.main()
    assert given == {
        "credentials": "prod",
        "pipeline_ids": [1, 2],
        "interval": 60.0,
        "cursors": "file.json",
    }
