"""What is logged, by which logger, how often: the table of the page."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from tests.applications.support import PAGE
from tests.awaiting.support import started
from tests.conftest import client_of


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[tuple[str, str]]:
    return [
        (record.name, record.levelname)
        for record in caplog.records
        if record.levelno >= level and record.name.startswith("hevo_edge")
    ]


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hevo_edge")


def test_no_handler_is_added_and_no_level_is_set() -> None:
    code = (
        "import logging, hevo_edge, hevo_edge.client, hevo_edge.orchestration\n"
        "loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]\n"
        "ours = [each for each in loggers if each.name.startswith('hevo_edge')]\n"
        "print(len(ours) > 5, [(each.handlers, each.level) for each in ours if each.handlers or each.level])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


async def test_a_trigger_logs_two_lines_and_a_good_wait_none(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    job = await hevo.pipeline(123).trigger()
    assert logged(caplog) == [("hevo_edge.triggering", "INFO")] * 2
    caplog.clear()
    await job.await_completion(timeout=7200)
    async for _ in job.watch():
        pass
    assert logged(caplog) == []


@pytest.mark.parametrize("jobs", [1, 20])
async def test_an_interrupt_logs_a_line(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture, jobs: int
) -> None:
    waited_for = [started(emulator, hevo, 1000 + n, duration=3600)[1] for n in range(jobs)]
    for cancels in (False, True):
        caplog.clear()
        waiting = asyncio.ensure_future(hevo.await_all(waited_for, cancel_on_interrupt=cancels))
        await asyncio.sleep(20)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert logged(caplog) == [("hevo_edge.job", "INFO")]


async def test_an_unknown_status_logs_a_line(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=300)
    emulator.faults.unknown_value("status", on="get_job", times=10)
    await job.await_completion()
    assert logged(caplog) == [("hevo_edge.awaiting", "WARNING")]


async def test_failing_polls_log_a_pair_of_warnings_and_a_debug_line_each(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=300)
    emulator.faults.status(503, on="get_job", times=8)
    await job.await_completion()
    assert logged(caplog) == [("hevo_edge.http", "WARNING")] * 2  # and that it is over
    debug = [name for name, level in logged(caplog, logging.DEBUG) if level == "DEBUG"]
    assert {"hevo_edge.http", "hevo_edge.awaiting"} == set(debug)


async def test_a_budget_that_is_used_up_logs_a_line_a_minute(
    emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(emulator) as hevo:
        for _ in range(350):  # three minutes and a half
            await hevo.get_pipeline(123)
    assert logged(caplog) == [("hevo_edge.ratelimit", "INFO")] * 3


def test_the_table_names_all_loggers() -> None:
    table = {
        line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `hevo")
    }
    assert table == {
        "hevo_edge",
        "hevo_edge.awaiting",
        "hevo_edge.http",
        "hevo_edge.job",
        "hevo_edge.objects",
        "hevo_edge.observing",
        "hevo_edge.options",
        "hevo_edge.orchestration",
        "hevo_edge.ratelimit",
        "hevo_edge.triggering",
    }
