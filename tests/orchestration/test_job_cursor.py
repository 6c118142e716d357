"""ended_jobs: every run that has ended is told once, by a cursor that is plain JSON."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import Dialect, HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.pipeline import EmulatedPipeline
from hevo_edge.errors import ConfigurationError, NotFound, ServerError
from hevo_edge.orchestration import EndedJobs, JobCursor, ended_jobs
from tests.conftest import START, client_of
from tests.orchestration.support import end_last_job, running_job

ORDERS = ["newest_first", "oldest_first", "last_updated_first"]


class Told:
    """Polls like a process that keeps nothing but the cursor's JSON."""

    def __init__(self, hevo: HevoClient, pipeline_id: int = 123) -> None:
        self._pipeline = hevo.pipeline(pipeline_id)
        self.stored: str | None = None
        self.ids: list[str] = []

    async def poll(self, **options: Any) -> list[str]:
        cursor = None if self.stored is None else json.loads(self.stored)
        found = await ended_jobs(self._pipeline, cursor, **options)
        self.stored = json.dumps(found.cursor.to_dict())
        new = [job.id for job in found.jobs]
        self.ids += new
        return new


@pytest.fixture
def told(hevo: HevoClient) -> Told:
    return Told(hevo)


def skipped_rows(emulator: HevoEmulator, count: int) -> None:
    """Let Hevo's schedule come so many times while a Job runs."""
    for _ in range(count):
        emulator.pipeline(123).add_history(created=emulator.now, duration=0, status="SKIPPED")


def lists(emulator: HevoEmulator) -> int:
    return len(emulator.requests.of("list_jobs"))


async def test_a_shortened_cursor_tells_of_the_same(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    for hours in range(40):
        emulator.pipeline(123).add_history(created=START - 3600 * hours)
    whole = (await ended_jobs(hevo.pipeline(123))).cursor
    short = whole.shortened()
    assert len(short.known) == 20 < len(whole.known)
    assert short.shortened() is short
    emulator.pipeline(123).add_history(created=emulator.now)
    told = [(await ended_jobs(hevo.pipeline(123), each)).jobs for each in (whole, short)]
    assert [[job.id for job in jobs] for jobs in told] == [
        [emulator.pipeline(123).jobs[-1].job_id]
    ] * 2


async def test_the_first_poll_tells_of_no_job_that_ended_before_it(told: Told) -> None:
    assert await told.poll() == []
    assert await told.poll() == []


async def test_the_first_poll_tells_of_those_that_ended_since_a_time(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    old = emulator.pipeline(123).jobs[0]
    assert old.ended is not None
    moment = datetime.fromtimestamp(old.ended, timezone.utc)
    assert await Told(hevo).poll(ended_since=moment) == [old.job_id]
    told = Told(hevo)
    assert await told.poll(ended_since=moment + timedelta(seconds=1)) == []
    # Later polls go by the cursor alone.
    assert await told.poll(ended_since=moment) == []


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED", "DEFERRED"])
async def test_a_job_that_ran_at_the_first_poll_is_told_when_it_ends(
    emulator: HevoEmulator, told: Told, status: str
) -> None:
    running_job(emulator)
    assert await told.poll() == []
    assert await told.poll() == []
    job_id = end_last_job(emulator, status)
    assert await told.poll() == [job_id]
    assert await told.poll() == []


async def test_a_job_that_began_and_ended_between_two_polls_is_told(
    emulator: HevoEmulator, told: Told
) -> None:
    await told.poll()
    running_job(emulator)
    job_id = end_last_job(emulator)
    assert await told.poll() == [job_id]


async def test_a_job_says_what_the_list_says(emulator: HevoEmulator, hevo: HevoClient) -> None:
    first = await ended_jobs(hevo.pipeline(123))
    running_job(emulator)
    end_last_job(emulator)
    (job,) = (await ended_jobs(hevo.pipeline(123), first.cursor)).jobs
    assert (job.status, job.data.events_loaded, job.pipeline_id) == ("COMPLETED", 1000, 123)


async def test_a_poll_is_one_list_whatever_runs(emulator: HevoEmulator, told: Told) -> None:
    running_job(emulator)
    for _ in range(5):
        await told.poll()
    assert len(emulator.requests) == lists(emulator) == 5


async def test_skipped_rows_are_no_runs(emulator: HevoEmulator, told: Told) -> None:
    running_job(emulator)
    await told.poll()
    emulator.pipeline(123).add_history(created=emulator.now, duration=0, status="SKIPPED")
    assert await told.poll() == []
    assert await told.poll() == [] == told.ids


async def test_a_job_of_days_under_many_skipped_rows_is_told(
    emulator: HevoEmulator, told: Told
) -> None:
    job = running_job(emulator)
    await told.poll()
    for _ in range(5):
        skipped_rows(emulator, 50)
        assert await told.poll() == []
    emulator.requests.clear()
    assert await told.poll() == []
    job.end(emulator.now, "COMPLETED")
    assert await told.poll() == [job.job_id]
    assert await told.poll() == []
    # One list a poll, and the Job itself while it runs.
    assert (lists(emulator), len(emulator.requests)) == (3, 5)


async def test_a_job_that_runs_at_the_first_poll_is_found_below_skipped_rows(
    emulator: HevoEmulator, told: Told
) -> None:
    job = running_job(emulator)
    skipped_rows(emulator, 150)
    await told.poll()
    job.end(emulator.now, "COMPLETED")
    assert await told.poll() == [job.job_id]


async def test_after_an_outage_of_the_poller_all_pages_since_are_told(
    emulator: HevoEmulator, told: Told
) -> None:
    await told.poll()
    pipeline = emulator.pipeline(123)
    new = [pipeline.add_history(created=START - 350 + n, duration=0.5) for n in range(350)]
    emulator.requests.clear()
    assert await told.poll() == [job.job_id for job in new]
    assert lists(emulator) == 4
    assert await told.poll() == []


async def test_the_first_to_end_is_told_first(emulator: HevoEmulator, told: Told) -> None:
    await told.poll()
    pipeline = emulator.pipeline(123)
    late = pipeline.add_history(created=START - 600, duration=500)
    early = pipeline.add_history(created=START - 500, duration=10)
    assert await told.poll() == [early.job_id, late.job_id]


async def test_a_job_that_is_listed_late_is_told(emulator: HevoEmulator, told: Told) -> None:
    await told.poll()
    late = running_job(emulator, appears_after=15, duration=5)
    emulator.pipeline(123).add_history(created=emulator.now, duration=0)
    assert len(await told.poll()) == 1
    await asyncio.sleep(16)
    assert await told.poll() == [late.job_id]


async def test_a_job_that_is_gone_is_given_up(emulator: HevoEmulator, hevo: HevoClient) -> None:
    found = await ended_jobs(hevo.pipeline(123))
    stored = {**found.cursor.to_dict(), "running": ["no-such-job"]}
    found = await ended_jobs(hevo.pipeline(123), stored)
    assert (found.jobs, found.cursor.running) == ((), ())


async def test_a_job_that_cannot_be_read_now_is_not_given_up(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    found = await ended_jobs(hevo.pipeline(123))
    job = emulator.pipeline(123).add_history(created=START - 99_999_999)
    stored = {**found.cursor.to_dict(), "running": [job.job_id], "known": [job.job_id]}
    emulator.faults.html(on="list_jobs", times=0)
    fault = emulator.faults.status(500, {}, on="get_job", times=None)
    emulator.pipeline(123).jobs.remove(job)
    found = await ended_jobs(hevo.pipeline(123), stored)
    assert (found.jobs, found.cursor.running) == ((), (job.job_id,))
    assert fault.hit
    emulator.faults.clear()
    emulator.pipeline(123).jobs.append(job)
    found = await ended_jobs(hevo.pipeline(123), found.cursor)
    assert [each.id for each in found.jobs] == [job.job_id]


async def test_a_node_that_lags_behind_makes_nothing_told_twice(
    emulator: HevoEmulator, told: Told
) -> None:
    await told.poll()
    running_job(emulator, duration=10)
    await asyncio.sleep(20)
    assert len(await told.poll()) == 1
    fault = emulator.faults.stale(30, on="list_jobs", times=2)
    assert await told.poll() == []
    assert await told.poll() == []
    assert await told.poll() == []
    assert fault.hit == 2


async def test_another_history_is_not_told_from_its_beginning(
    emulator: HevoEmulator, told: Told
) -> None:
    await told.poll()
    pipeline = emulator.pipeline(123)
    pipeline.jobs.clear()
    for hour in range(150, 1, -1):
        pipeline.add_history(created=START - 3600 * hour)
    new = pipeline.add_history(created=START - 60, duration=1)
    assert await told.poll() == [new.job_id]


async def test_a_list_that_cannot_be_read_leaves_the_cursor(
    emulator: HevoEmulator, told: Told
) -> None:
    await told.poll()
    running_job(emulator)
    job_id, before = end_last_job(emulator), told.stored
    emulator.faults.status(500, {}, times=None)
    with pytest.raises(ServerError):
        await told.poll()
    emulator.faults.clear()
    assert told.stored == before
    assert await told.poll() == [job_id]


async def test_a_pipeline_that_does_not_exist_is_an_error(hevo: HevoClient) -> None:
    with pytest.raises(NotFound):
        await ended_jobs(hevo.pipeline(999))


@pytest.mark.parametrize("stored", [{}, [], "no", 3, {"known": 3, "is_whole": True}])
async def test_what_is_no_cursor_is_refused_before_any_request(
    emulator: HevoEmulator, hevo: HevoClient, stored: Any
) -> None:
    with pytest.raises(ConfigurationError, match="cursor"):
        await ended_jobs(hevo.pipeline(123), stored)
    assert emulator.requests == []


def test_the_cursor_is_small_however_much_is_known() -> None:
    cursor = JobCursor(tuple(f"{n:036}" for n in range(200)), is_whole=True)
    assert len(json.dumps(cursor.to_dict())) < 10_000
    assert JobCursor.from_dict(json.loads(json.dumps(cursor.to_dict()))) == cursor


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_every_run_is_told_once(order: str, seed: int) -> None:
    """Drawn histories: long and short Jobs, SKIPPED rows, late listing, pauses of the poller."""
    rng = random.Random(seed)
    dialect = Dialect(list_order=order, cursor=rng.choice(["row", "offset"]))
    async with HevoEmulator(seed=seed, start=START, dialect=dialect) as emulator:
        every, lasts = rng.choice([5, 20, 60]), (1.0, rng.choice([60.0, 3600.0, 90_000.0]))
        pipeline = emulator.add_pipeline(
            7, every_minutes=every, duration=lasts, history=rng.choice([0, 3, 130])
        )
        before = list(pipeline.jobs)
        async with client_of(emulator, rate_limit=None) as hevo:
            told = Told(hevo, 7)
            for _ in range(30):
                await told.poll()
                await asyncio.sleep(rng.choice([30, 600, 3600, 20_000]))
            await told.poll()
        expected = ended_runs(pipeline, before, emulator.now)
    assert sorted(told.ids) == sorted(expected)
    assert len(expected) > 10


def ended_runs(pipeline: EmulatedPipeline, before: list[EmulatedJob], now: float) -> list[str]:
    """Return the runs that have ended and were listed."""
    return [
        job.job_id
        for job in pipeline.jobs
        if job not in before and job.is_over and job.status != "SKIPPED" and job.visible_from <= now
    ]


async def test_a_cursor_object_serves_as_well(emulator: HevoEmulator, hevo: HevoClient) -> None:
    found: EndedJobs = await ended_jobs(hevo.pipeline(123))
    assert (await ended_jobs(hevo.pipeline(123), found.cursor)).cursor == found.cursor
