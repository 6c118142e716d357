"""Finding the Job of a POST: when it is polled for, and which Job it is."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    JobType,
    errors,
)
from hevo_edge.emulator import Dialect, HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


@pytest.mark.parametrize("lag", [0, 0.5, 5, 15, 100])
async def test_a_job_that_appears_late_is_found(
    emulator: HevoEmulator, hevo: HevoClient, lag: float
) -> None:
    emulator.pipeline(123).plan(appears_after=lag, duration=300)
    start = now()
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert job.status == "IN_PROGRESS"
    assert posts(emulator) == 1
    # A gap is never longer than a quarter of the time waited so far, or a second.
    assert now() - start <= max(lag + 1, lag * 1.25 + 0.5) + 0.01


async def test_a_job_that_has_ended_before_the_first_poll_is_found(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=5, duration=0, outcome="FAILED")
    job = await hevo.pipeline(123).sync_now()
    assert [job.id] == runs(emulator)
    assert job.status == "FAILED"
    with pytest.raises(errors.JobFailed):
        await job.await_completion()


async def test_skipped_rows_on_top_of_the_list_hide_nothing(emulator: HevoEmulator) -> None:
    pipeline = emulator.add_pipeline(1, every_minutes=5, history=2)
    pipeline.plan(duration=14 * 60, appears_after=0)
    await asyncio.sleep(16 * 60)  # a scheduled Job runs from 5:00 to 19:00, 10:00 and 15:00 skipped
    async with client_of(emulator) as hevo:
        with pytest.raises(errors.JobInProgress):
            await hevo.pipeline(1).trigger()
        # Ours starts by 19:15, and is not listed until 20:45; the row of 20:00 is skipped as well.
        pipeline.plan(duration=600, appears_after=90)
        job = await hevo.pipeline(1).trigger(if_running="wait")
    assert [job.id] == runs(emulator, 1)
    assert not job.adopted
    statuses = [job.status for job in emulator.pipeline(1).jobs[2:]]
    assert statuses == ["COMPLETED", "SKIPPED", "SKIPPED", "IN_PROGRESS", "SKIPPED"]


async def test_an_older_job_of_the_same_type_is_not_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.add_history(created=START - 120, job_type=JobType.INCREMENTAL)
    pipeline.plan(appears_after=30)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
@pytest.mark.parametrize("history", [0, 1, 99, 100, 101, 350])
async def test_several_pages_of_history_in_either_order(order: str, history: int) -> None:
    async with HevoEmulator(start=START, dialect=Dialect(list_order=order)) as emulator:
        emulator.add_pipeline(123, history=history, appears_after=8)
        async with client_of(emulator) as hevo:
            job = await hevo.pipeline(123).trigger()
            assert [job.id] == runs(emulator)
            polls = len(emulator.requests.of("list_jobs"))
            # The history is read to its end at most once, however many polls there are.
            assert polls <= 10 + (history // 100 + 1 if order == "oldest_first" else 0)


@pytest.mark.parametrize("status", [503, 408, 425, 499])
async def test_a_poll_that_fails_is_repeated(
    emulator: HevoEmulator, hevo: HevoClient, status: int
) -> None:
    emulator.faults.status(status, on="list_jobs", skip=1, times=20)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


@pytest.mark.parametrize("status", [503, 401])
async def test_when_the_list_cannot_be_read_the_error_has_the_ticket(
    emulator: HevoEmulator, hevo: HevoClient, status: int
) -> None:
    emulator.faults.status(status, on="list_jobs", skip=1, times=None)
    with pytest.raises(errors.TriggerOutcomeUnknown, match="could not be listed") as caught:
        await hevo.pipeline(123).trigger()
    assert posts(emulator) == 1
    emulator.faults.clear()
    job = await hevo.reconcile(caught.value.ticket)
    assert job is not None
    assert [job.id] == runs(emulator)


async def test_a_job_that_never_appears(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(appears_after=1000, duration=None)
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="Hevo accepted") as caught:
        await hevo.pipeline(123).trigger(discovery_timeout=20)
    await asyncio.sleep(1000)
    job = await hevo.reconcile(caught.value.ticket)
    assert job is not None
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("unanswered", ["get_pipeline", "nothing"])
async def test_a_job_that_never_appears_ends_the_search_on_time(
    emulator: HevoEmulator, hevo: HevoClient, unanswered: str
) -> None:
    emulator.pipeline(123).plan(appears_after=1000)
    if unanswered != "nothing":
        emulator.faults.delay(1000, on=unanswered, skip=1, times=None)
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="Do not trigger again blindly"):
        await hevo.pipeline(123).trigger(discovery_timeout=60)
    assert now() - start <= 66 + 0.1


async def test_a_job_that_began_just_before_is_not_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """A scheduled Job that is not listed yet when the list is read, and matches the action."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=6, duration=600)
    pipeline.start_job("HISTORICAL", now=emulator.now)
    await asyncio.sleep(2)
    job = await hevo.pipeline(123).resync()
    assert job.type == "RESYNC"
    assert not job.adopted


@pytest.mark.parametrize("skew", [3, 20, 3600, -3, -3600])
async def test_clocks_at_hevo_that_differ(skew: float) -> None:
    """The Jobs' clock behind the gateway's, or ahead: a Job that runs is found, if not for sure."""
    async with HevoEmulator(start=START) as emulator:
        pipeline = emulator.add_pipeline(123)
        pipeline.add_history(created=START - 7200 - skew)
        pipeline.plan(appears_after=5, duration=600, extra={"created_ts": (START - skew) * 1000})
        async with client_of(emulator) as hevo:
            job = await hevo.pipeline(123).trigger()
            assert [job.id] == runs(emulator)
            assert job.adopted
            assert job.certainty is Certainty.LIKELY


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_job_that_is_over_and_too_old_by_its_clock(
    emulator: HevoEmulator, hevo: HevoClient, accepted: bool
) -> None:
    emulator.pipeline(123).plan(duration=0, extra={"created_ts": (START - 20) * 1000})
    if not accepted:
        emulator.faults.drop(on="sync_now", effect="after")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.POSSIBLE


async def test_a_cursor_that_has_died_is_no_obstacle() -> None:
    async with HevoEmulator(start=START, dialect=Dialect(list_order="oldest_first")) as emulator:
        emulator.add_pipeline(123, history=250)
        async with client_of(emulator) as hevo:
            ticket = await hevo.pipeline(123).prepare_trigger()
            assert ticket.watermark.tail is not None
            emulator.faults.status(400, {"error": "BAD_CURSOR"}, on="list_jobs", times=None, skip=0)
            emulator.faults.rules[-1].times = 1
            job = await hevo.fire(ticket)
            assert [job.id] == runs(emulator)


async def test_a_fast_job_is_seen_under_two_hundred_newer_rows(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=10, duration=0)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(1.5)
    for _ in range(230):
        pipeline.add_history(created=emulator.now + 1, duration=0, status="SKIPPED")
    job = await triggering
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


@pytest.mark.parametrize("lag", [0, 0.9])
async def test_a_quiet_trigger_costs_four_requests(
    emulator: HevoEmulator, hevo: HevoClient, lag: float
) -> None:
    emulator.pipeline(123).plan(appears_after=lag)
    await hevo.pipeline(123).trigger()
    assert len(emulator.requests) == 4


@pytest.mark.parametrize(("lag", "polls"), [(5, 3), (10, 5), (15, 7), (60, 22)])
async def test_polls_are_spaced(
    emulator: HevoEmulator, hevo: HevoClient, lag: float, polls: int
) -> None:
    emulator.pipeline(123).plan(appears_after=lag)
    await hevo.pipeline(123).trigger()
    assert len(emulator.requests.of("list_jobs")) - 1 <= polls


async def test_of_several_new_jobs_the_one_created_with_the_post_is_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Ours was over at once, and a scheduled one began before either was in the list."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(duration=0, appears_after=9)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(2)
    run_as_scheduled(emulator, duration=100, appears_after=7)
    job = await triggering
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.LIKELY  # by a clock 2 s off it would be the other
