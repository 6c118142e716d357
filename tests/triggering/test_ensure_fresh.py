"""Data that is not too old: the last good Job, the running one, or a new one."""

from __future__ import annotations

import asyncio
import pickle
from datetime import timedelta
from typing import Any

import pytest

from hevo_edge import Certainty, Freshness, HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import started
from tests.conftest import client_of


async def ended(
    emulator: HevoEmulator, hevo: HevoClient, outcome: str, ago: float, number: int = 123
) -> str:
    """Let a Job of a minute end so many seconds ago."""
    _, job = started(emulator, hevo, number, duration=60, outcome=outcome)
    await asyncio.sleep(60 + ago)
    return job.id


async def test_the_last_good_job(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job_id = await ended(emulator, hevo, "COMPLETED", 1000)
    before = len(emulator.requests)
    job = await hevo.pipeline(123).ensure_fresh(timedelta(hours=1))
    assert (job.id, job.freshness, job.certainty) == (job_id, Freshness.FRESH, None)
    assert len(emulator.requests) - before == 1
    assert await job.await_completion() is job
    assert len(emulator.requests) - before == 1


@pytest.mark.parametrize(("within", "is_fresh"), [(995, False), (1005, True)])
async def test_the_time_is_counted_from_the_end_by_hevos_clock(
    within: float, *, is_fresh: bool
) -> None:
    async with HevoEmulator(date_skew=7200.0, start=1_767_225_600.0) as emulator:
        emulator.add_pipeline(123)
        async with client_of(emulator) as hevo:
            await ended(emulator, hevo, "COMPLETED", 1000)
            # Hevo's Date header and the times of its Jobs come from clocks two hours apart here.
            job = await hevo.pipeline(123).ensure_fresh(7200 + within)
    assert (job.freshness is Freshness.FRESH) is is_fresh


async def test_a_job_that_runs_is_joined(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await ended(emulator, hevo, "COMPLETED", 5000)
    _, running = started(emulator, hevo, duration=600)
    job = await hevo.pipeline(123).ensure_fresh(3600)
    assert (job.id, job.freshness) == (running.id, Freshness.JOINED)
    assert not emulator.requests.of("sync_now")


async def test_a_good_end_goes_before_a_job_that_runs(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job_id = await ended(emulator, hevo, "COMPLETED", 100)
    started(emulator, hevo, duration=600)
    job = await hevo.pipeline(123).ensure_fresh(3600)
    assert (job.id, job.freshness) == (job_id, Freshness.FRESH)


@pytest.mark.parametrize("outcome", ["FAILED", "CANCELLED", "COMPLETED_WITH_FAILURES"])
async def test_else_a_sync_is_started(
    emulator: HevoEmulator, hevo: HevoClient, outcome: str
) -> None:
    await ended(emulator, hevo, "COMPLETED", 5000)
    old = await ended(emulator, hevo, outcome, 10)
    job = await hevo.pipeline(123).ensure_fresh(3600)
    assert job.id != old
    assert (job.freshness, job.certainty) == (Freshness.STARTED, Certainty.CERTAIN)


async def test_an_end_with_failures_that_is_accepted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job_id = await ended(emulator, hevo, "COMPLETED_WITH_FAILURES", 10)
    job = await hevo.pipeline(123).ensure_fresh(3600, accept_completed_with_failures=True)
    assert (job.id, job.freshness) == (job_id, Freshness.FRESH)


async def test_a_pipeline_without_jobs(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7)  # without history
    job = await hevo.pipeline(7).ensure_fresh(3600)
    assert job.freshness is Freshness.STARTED


async def test_two_at_once_start_one(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7)  # without history
    jobs = await asyncio.gather(*(hevo.pipeline(7).ensure_fresh(3600) for _ in range(5)))
    assert len({job.id for job in jobs}) == 1
    assert sorted(str(job.freshness) for job in jobs) == ["joined"] * 4 + ["started"]
    assert len([call for call in emulator.requests.of("sync_now") if call.took_effect]) == 1


async def test_skipped_and_deferred_rows_bring_no_data(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    await ended(emulator, hevo, "SKIPPED", 10)
    job = await hevo.pipeline(123).ensure_fresh(3600)
    assert job.freshness is Freshness.STARTED


async def test_options_go_to_the_trigger(emulator: HevoEmulator, hevo: HevoClient) -> None:
    started(emulator, hevo, 7, duration=600)
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(7).ensure_fresh(3600, if_running="fail")
    job = await hevo.pipeline(7).ensure_fresh(3600, if_running="wait", timeout=3600)
    assert job.freshness is Freshness.STARTED


@pytest.mark.parametrize("within", [0, -1, float("nan"), "1h", None])
async def test_what_is_no_time_is_refused(
    emulator: HevoEmulator, hevo: HevoClient, within: Any
) -> None:
    with pytest.raises(errors.ConfigurationError, match="within"):
        await hevo.pipeline(123).ensure_fresh(within)
    assert len(emulator.requests) == 0


async def test_it_is_pickled_with_the_job(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7)  # without history
    job = await hevo.pipeline(7).ensure_fresh(3600)
    assert pickle.loads(pickle.dumps(job)).freshness is Freshness.STARTED


# -- a Job of some tables ---------------------------------------------------------------------------


async def resynced(
    emulator: HevoEmulator, hevo: HevoClient, names: list[str], *, ends: bool = True
) -> str:
    """Let a resync of some objects run, to its end or not, and return its Job's id."""
    emulator.pipeline(123).plan(duration=600)
    job = await hevo.pipeline(123).resync_objects(names)
    if ends:
        await job.await_completion()
    return job.id


async def test_a_resync_of_one_table_is_not_the_whole_pipeline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    old = await resynced(emulator, hevo, ["orders"])
    job = await hevo.pipeline(123).ensure_fresh(1200, accept_completed_with_failures=True)
    assert job.id != old
    assert job.freshness is Freshness.STARTED


async def test_an_older_sync_behind_it_counts(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job_id = await ended(emulator, hevo, "COMPLETED", 10)
    for _ in range(2):
        await resynced(emulator, hevo, ["orders"])
    job = await hevo.pipeline(123).ensure_fresh(10_000)
    assert (job.id, job.freshness) == (job_id, Freshness.FRESH)


async def test_a_resync_of_all_tables_counts(emulator: HevoEmulator, hevo: HevoClient) -> None:
    names = [each.name async for each in hevo.pipeline(123).list_objects()]
    job_id = await resynced(emulator, hevo, names)
    before = len(emulator.requests)
    job = await hevo.pipeline(123).ensure_fresh(300)
    assert (job.id, job.freshness) == (job_id, Freshness.FRESH)
    assert len(emulator.requests) - before == 3


async def test_a_resync_of_one_table_that_runs_is_not_joined(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = await resynced(emulator, hevo, ["orders"], ends=False)
    job = await hevo.pipeline(123).ensure_fresh(60, timeout=3600)
    assert job.id != running
    assert (job.freshness, job.data.type) == (Freshness.STARTED, "INCREMENTAL")
    assert not emulator.requests.of("cancel_job")


async def test_a_resync_of_all_tables_that_runs_is_joined(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    names = [each.name async for each in hevo.pipeline(123).list_objects()]
    running = await resynced(emulator, hevo, names, ends=False)
    job = await hevo.pipeline(123).ensure_fresh(60)
    assert (job.id, job.freshness) == (running, Freshness.JOINED)


async def test_few_resyncs_are_looked_into(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await ended(emulator, hevo, "COMPLETED", 10)
    for _ in range(8):
        await resynced(emulator, hevo, ["orders"])
    job = await hevo.pipeline(123).ensure_fresh(100_000)
    assert job.freshness is Freshness.STARTED
    assert len(emulator.requests.of("list_job_objects")) == 5
