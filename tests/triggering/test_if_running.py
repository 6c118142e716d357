"""Triggering while a Job is running already: ``if_running``."""

from __future__ import annotations

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    IfRunning,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


async def test_fail_names_the_running_job_and_sends_nothing(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.pipeline(123).trigger()
    assert caught.value.job is not None
    assert caught.value.job.id == running
    assert caught.value.status is None
    for word in (running, "Pipeline 123", "INCREMENTAL", "IN_PROGRESS", 'if_running="join"'):
        assert word in str(caught.value)
    assert posts(emulator) == 0


async def test_join_returns_the_running_job(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=600)
    job = await hevo.pipeline(123).trigger(if_running="join")
    assert job.id == running
    assert job.adopted
    assert posts(emulator) == 0


async def test_join_does_not_take_a_sync_for_a_resync(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress, match="is not what was asked for"):
        await hevo.pipeline(123).resync(if_running="join")
    assert posts(emulator) == 0


async def test_replace_cancels_and_starts_anew(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=6000)
    job = await hevo.pipeline(123).trigger(if_running="replace")
    assert job.id != running
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert (await hevo.job(123, running).refresh()).status == "CANCELLED"
    assert [call.endpoint for call in emulator.requests if call.method == "POST"] == [
        "cancel_job",
        "sync_now",
    ]


async def test_replace_gives_up_on_a_job_that_hangs_in_cancelling(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=None, extra={"status": "CANCELLING"})
    start = now()
    with pytest.raises(errors.JobInProgress, match="cancelled 30 minutes ago") as caught:
        await hevo.pipeline(123).trigger(if_running="replace")
    assert caught.value.job is not None
    assert caught.value.job.id == running
    assert now() - start == pytest.approx(1800, abs=5)
    assert posts(emulator) == 0
    # Rarer and rarer polls, not one every few seconds.
    assert len(emulator.requests.of("get_job", "list_jobs")) < 150
    with pytest.raises(errors.TriggerTimeout, match=f"waiting for Job {running}"):
        await hevo.pipeline(123).trigger(if_running="replace", timeout=60)


async def test_replace_copes_with_a_job_that_ends_by_itself(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=30)
    emulator.faults.delay(40, on="cancel_job", effect="before")
    job = await hevo.pipeline(123).trigger(if_running="replace")
    assert [job.id] == runs(emulator)


async def test_replace_reports_a_cancel_that_is_refused(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=6000)
    emulator.faults.status(403, on="cancel_job")
    with pytest.raises(errors.PermissionDenied):
        await hevo.pipeline(123).trigger(if_running="replace")
    assert posts(emulator) == 0


async def test_wait_starts_when_the_running_job_has_ended(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100, outcome="FAILED")
    job = await hevo.pipeline(123).trigger(if_running="wait")
    assert [job.id] == runs(emulator)
    first, second = emulator.pipeline(123).jobs[-2:]
    assert first.job_id == running
    assert first.ended is not None
    assert first.ended <= second.created <= first.ended + 16


@pytest.mark.parametrize("dialect", ["newest", "oldest"])
@pytest.mark.parametrize("if_running", ["fail", "join", "replace", "wait"])
async def test_a_running_job_that_is_not_in_the_list_yet(dialect: str, if_running: str) -> None:
    """Hevo refuses, by JSON or by text, because of a Job that cannot be seen."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=3)
        pipeline.plan(appears_after=14, duration=40)
        unlisted = pipeline.start_job(now=emulator.now)
        async with client_of(emulator) as hevo:
            if if_running == "fail":
                with pytest.raises(errors.JobInProgress, match="not in the list yet") as caught:
                    await hevo.pipeline(123).trigger()
                assert caught.value.job is None
                assert caught.value.status in {409, 500}
                assert "progress" in caught.value.body
                return
            job = await hevo.pipeline(123).trigger(if_running=IfRunning(if_running))
        assert job.adopted is (if_running == "join")
        assert (job.id == unlisted.job_id) is (if_running == "join")
        assert runs(emulator) == ([] if if_running == "join" else [job.id])
        assert unlisted.status == ("CANCELLED" if if_running == "replace" else unlisted.status)


async def test_fail_names_a_job_that_began_between_reading_and_posting(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.fire(ticket)
    assert caught.value.job is not None
    assert caught.value.job.id == running
    # Nothing can have come of the ticket.
    assert await hevo.reconcile(ticket) is None


async def test_an_unlisted_job_is_polled_for_rather_than_posted_against(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=40, duration=120)
    unlisted = emulator.pipeline(123).start_job(now=emulator.now)
    begin = now()
    job = await hevo.pipeline(123).trigger(if_running="join")
    assert job.id == unlisted.job_id
    assert now() - begin <= 40 + 5.1
    assert posts(emulator) <= 4  # at 0, 5, 10 and 20 s


async def test_the_wait_for_an_unlisted_job_that_is_never_listed_ends(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=10_000, duration=None)
    emulator.pipeline(123).start_job(now=emulator.now)
    start = now()
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(123).trigger(if_running="join", discovery_timeout=60)
    assert 60 <= now() - start <= 70


async def test_an_unknown_status_is_left_to_the_server(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.unknown_value("status", "ABORTED_BY_MOON", on="list_jobs")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("if_running", ["fail", "join", "replace", "wait"])
async def test_what_a_resync_does_to_a_sync_that_runs(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    """Hevo would cancel it without asking; here the caller decides."""
    running = run_as_scheduled(emulator, duration=300)
    if if_running in {"fail", "join"}:
        with pytest.raises(errors.JobInProgress):
            await hevo.pipeline(123).resync(if_running=IfRunning(if_running))
        assert posts(emulator) == 0
        return
    job = await hevo.pipeline(123).resync(if_running=IfRunning(if_running))
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN
    ended = (await hevo.job(123, running).refresh()).status
    assert ended == ("CANCELLED" if if_running == "replace" else "COMPLETED")


@pytest.mark.parametrize("if_running", ["join", "replace", "wait"])
async def test_a_running_job_of_an_unknown_status_is_believed_when_hevo_refuses(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    running = run_as_scheduled(emulator, duration=300)
    emulator.faults.unknown_value("status", "RUNNING", on="list_jobs", times=3)
    job = await hevo.pipeline(123).trigger(if_running=IfRunning(if_running))
    assert (job.id == running) is (if_running == "join")
    assert posts(emulator) <= 3
