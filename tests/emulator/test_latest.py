"""What an emulator that runs for months keeps: on the command line bounded, in tests all."""

from __future__ import annotations

import aiohttp
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.__main__ import emulator_of, parser
from hevo_edge.emulator.latest import Latest
from tests.emulator.conftest import asker


def test_the_oldest_go_first() -> None:
    latest: Latest[int] = Latest(3)
    for number in range(10):
        latest.append(number)
    assert latest == [7, 8, 9]
    latest.limit = None
    latest.append(10)
    assert latest == [7, 8, 9, 10]
    latest.limit = 1
    latest.append(11)
    assert latest == [11]


def test_what_may_not_go_yet_stays() -> None:
    latest: Latest[int] = Latest(2, may_drop=lambda number: number != 1)
    for number in range(5):
        latest.append(number)
    assert latest == [1, 2, 3, 4]


async def test_in_a_test_the_journal_holds_all(session: aiohttp.ClientSession) -> None:
    async with HevoEmulator(rate_limit=None) as emulator:
        emulator.add_pipeline(123)
        ask = asker(session, emulator)
        for _ in range(50):
            await ask("GET", "/pipelines/123")
        assert len(emulator.requests.of("get_pipeline")) == 50
        emulator.requests.limit = 20
        await ask("GET", "/pipelines/123/jobs")
        assert len(emulator.requests) == 20
        assert len(emulator.requests.of("list_jobs")) == 1


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [("", (10_000, 1000)), ("--journal-limit 0 --job-limit 7", (0, 7))],
)
def test_on_the_command_line_both_are_bounded(arguments: str, limits: tuple[int, int]) -> None:
    emulator = emulator_of(parser().parse_args(arguments.split()))
    jobs = emulator.pipeline(123).jobs
    assert isinstance(jobs, Latest)
    assert (emulator.requests.limit, jobs.limit) == limits


async def test_the_jobs_of_a_pipeline_are_the_latest_and_the_one_that_runs() -> None:
    async with HevoEmulator() as emulator:
        pipeline = emulator.add_pipeline(1, every_minutes=10, duration=60, job_limit=5, history=9)
        assert len(pipeline.jobs) == 5
        pipeline.plan(duration=3600)
        pipeline.advance(emulator.now + 3600)
        # Those that the schedule skipped do not push it out.
        assert pipeline.running is pipeline.jobs[0]
        pipeline.advance(emulator.now + 86_400)
        assert [str(job.status) for job in pipeline.jobs[:-1]] == ["COMPLETED"] * 4
        assert len(pipeline.jobs) == 5


def test_rules_that_are_spent_are_dropped() -> None:
    emulator = HevoEmulator()
    for _ in range(100):
        emulator.faults.drop(on="sync_now")
        emulator.faults.select("sync_now")
    assert len(emulator.faults.rules) == 1
    emulator.faults.drop(on="sync_now", times=None)
    emulator.faults.drop(on="list_jobs", skip=3)
    assert len(emulator.faults.rules) == 2
