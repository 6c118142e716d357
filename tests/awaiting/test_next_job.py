"""Awaiting a Pipeline's Job that ended, or started, since a moment, or that is the next to start."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from hevo_edge import HevoClient, JobType, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import START


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(START + seconds, timezone.utc)


async def test_one_that_ended_well_since_is_returned_at_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    good = emulator.pipeline(123).add_history(created=START - 600)
    job = await hevo.pipeline(123).await_completion(ended_since=at(-600))
    assert job.id == good.job_id
    assert [call.endpoint for call in emulator.requests] == ["list_jobs"]


async def test_it_is_the_end_that_counts_not_the_beginning(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    long = emulator.pipeline(123).add_history(created=START - 1800, duration=1500)
    job = await hevo.pipeline(123).await_completion(ended_since=at(-400))
    assert job.id == long.job_id


async def test_one_that_ended_before_is_not_taken(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).add_history(created=START - 600)
    with pytest.raises(errors.JobTimeout, match="no new Job"):
        await hevo.pipeline(123).await_completion(ended_since=at(-500), timeout=60)


async def test_a_good_end_goes_before_what_runs_and_before_a_later_bad_one(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    good = pipeline.add_history(created=START - 900)
    pipeline.add_history(created=START - 600, status="FAILED")
    pipeline.start_job(now=emulator.now)
    await asyncio.sleep(20)
    job = await hevo.pipeline(123).await_completion(ended_since=at(-1000))
    assert job.id == good.job_id


async def test_what_runs_goes_before_a_bad_end(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.add_history(created=START - 600, status="FAILED")
    running = pipeline.start_job(now=emulator.now)
    await asyncio.sleep(20)
    job = await hevo.pipeline(123).await_completion(ended_since=at(-1000))
    assert job.id == running.job_id


async def test_a_bad_end_is_told_when_nothing_else_is_there(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    bad = pipeline.add_history(created=START - 600, status="FAILED")
    pipeline.add_history(created=START - 300, status="SKIPPED", duration=0)
    with pytest.raises(errors.JobFailed) as failure:
        await hevo.pipeline(123).await_completion(ended_since=at(-1000))
    assert failure.value.job.id == bad.job_id


@pytest.mark.parametrize("accepts", [True, False])
async def test_what_is_accepted_is_a_good_end(
    emulator: HevoEmulator, hevo: HevoClient, accepts: bool
) -> None:
    pipeline = emulator.pipeline(123)
    good = pipeline.add_history(created=START - 900)
    partly = pipeline.add_history(created=START - 600, status="COMPLETED_WITH_FAILURES")
    job = await hevo.pipeline(123).await_completion(
        ended_since=at(-1000), accept_completed_with_failures=accepts
    )
    assert job.id == (partly if accepts else good).job_id


async def test_only_a_job_of_the_type_is_taken(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipeline = emulator.pipeline(123)
    resync = pipeline.add_history(created=START - 900, job_type="RESYNC")
    pipeline.add_history(created=START - 600)
    job = await hevo.pipeline(123).await_completion(ended_since=at(-1000), job_type=JobType.RESYNC)
    assert job.id == resync.job_id


async def test_one_that_is_neither_there_nor_runs_is_awaited(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    waiting = asyncio.create_task(hevo.pipeline(123).await_completion(ended_since=at(0)))
    await asyncio.sleep(100)
    next_one = emulator.pipeline(123).start_job(now=emulator.now)
    assert (await waiting).id == next_one.job_id


async def test_started_since_leaves_out_what_was_running(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.start_job(now=emulator.now)
    await asyncio.sleep(20)
    waiting = asyncio.create_task(
        hevo.pipeline(123).await_completion(started_since=at(10), poll_interval=5)
    )
    await asyncio.sleep(100)
    assert not waiting.done()
    later = emulator.pipeline(123).start_job(now=emulator.now)
    assert (await waiting).id == later.job_id


async def test_started_since_takes_the_first_of_those_that_are_there(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    first = pipeline.add_history(created=START - 900)
    pipeline.add_history(created=START - 600)
    job = await hevo.pipeline(123).await_completion(started_since=at(-1000))
    assert job.id == first.job_id


async def test_rows_are_read_only_back_to_the_moment(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.add_pipeline(7, history=500)
    job = await hevo.pipeline(7).await_completion(ended_since=at(-5 * 3600))
    assert job.is_terminal
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"ended_since": datetime(2026, 1, 1)}, "ended_since must be a datetime with a time zone"),  # noqa: DTZ001
        ({"started_since": "2026-01-01"}, "started_since must be a datetime with a time zone"),
        ({"ended_since": at(0), "started_since": at(0)}, "not both"),
    ],
)
async def test_wrong_moments_are_refused_before_any_request(
    emulator: HevoEmulator, hevo: HevoClient, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match=match):
        await hevo.pipeline(123).await_completion(**options)
    assert not emulator.requests


async def test_a_moment_of_any_zone_is_the_same_moment(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    good = emulator.pipeline(123).add_history(created=START - 600)
    elsewhere = at(-600).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert (await hevo.pipeline(123).await_completion(ended_since=elsewhere)).id == good.job_id


async def test_why_no_start_was_seen(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(500, on="list_jobs", times=None)
    with pytest.raises(errors.JobTimeout, match=r"was seen to start within 40 s") as caught:
        await hevo.pipeline(123).await_completion(timeout=40)
    assert isinstance(caught.value.__cause__, errors.ServerError)
    emulator.faults.clear()
    with pytest.raises(errors.JobTimeout, match=r"started within 0.4 s"):
        await hevo.pipeline(123).await_completion(timeout=0.4)
