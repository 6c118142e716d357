"""Clocks at Hevo that differ: no server's time makes a "no" of what is not known."""

from __future__ import annotations

import pytest

from hevo_edge import Certainty, HevoClient, TriggerTicket, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import posts, run_as_scheduled, runs

HOURS = [6.0, 30.0, 3600.0, -6.0, -30.0, -3600.0]


@pytest.mark.parametrize("lost", [True, False], ids=["reply lost", "accepted"])
@pytest.mark.parametrize("duration", [0, 600])
@pytest.mark.parametrize("skew", HOURS)
async def test_the_date_header_is_apart_from_the_jobs_clock(
    skew: float, duration: float, lost: bool
) -> None:
    async with HevoEmulator(start=START, date_skew=skew) as emulator:
        emulator.add_pipeline(123, history=3)
        emulator.pipeline(123).plan(duration=duration)
        if lost:
            emulator.faults.drop(on="sync_now", effect="after")
        async with client_of(emulator) as hevo:
            job = await hevo.pipeline(123).trigger()
        assert [job.id] == runs(emulator)
        assert job.certainty is not Certainty.CERTAIN


@pytest.mark.parametrize("skew", HOURS)
async def test_whoever_resumes_a_lost_post_finds_its_job(skew: float) -> None:
    async with HevoEmulator(start=START, date_skew=skew) as emulator:
        emulator.add_pipeline(123, history=3, duration=0)
        emulator.faults.drop(on="sync_now", effect="after")
        async with client_of(emulator) as hevo:
            ticket = await hevo.pipeline(123).prepare_trigger()
            stored: list[TriggerTicket] = []
            with pytest.raises(errors.TriggerOutcomeUnknown):
                # It gives up before it takes a Job whose times do not fit.
                await hevo.fire(ticket, timeout=3, on_ticket=stored.append)
        async with client_of(emulator) as other:
            found = await other.reconcile(stored[-1])
            assert found is not None
            assert await other.fire(stored[-1]) == found
        assert [found.id] == runs(emulator)
        assert posts(emulator) == 1


@pytest.mark.parametrize("wrong", [3600, -3600])
@pytest.mark.parametrize("which", ["known", "new"])
@pytest.mark.parametrize("lost", [True, False], ids=["reply lost", "accepted"])
async def test_one_row_has_the_time_of_a_clock_that_is_wrong(
    emulator: HevoEmulator, hevo: HevoClient, wrong: int, which: str, lost: bool
) -> None:
    pipeline = emulator.pipeline(123)
    for minutes in (60, 40, 20):
        pipeline.add_history(created=emulator.now - minutes * 60)
    extra = {"created_ts": (START + wrong) * 1000}
    pipeline.jobs[-1].extra.update(extra if which == "known" else {})
    pipeline.plan(duration=0, extra=extra if which == "new" else {})
    if lost:
        emulator.faults.drop(on="sync_now", effect="after")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)


async def test_a_new_job_of_another_type_than_asked_for_is_not_ruled_out(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """The run was started, and is not of the type that the caller would accept."""
    emulator.pipeline(123).plan(duration=0)
    emulator.faults.drop(on="sync_now", effect="after")
    with pytest.raises(errors.TriggerOutcomeUnknown, match="left to you") as caught:
        await hevo.pipeline(123).trigger(job_type="HISTORICAL", discovery_timeout=40)
    assert runs(emulator)[0] in str(caught.value)
    with pytest.raises(errors.TriggerOutcomeUnknown, match="leave job_type out"):
        await hevo.reconcile(caught.value.ticket)
    assert posts(emulator) == 1


async def test_a_resync_whose_pipeline_cannot_be_read_is_not_ruled_out(
    emulator: HevoEmulator,
) -> None:
    """It may restart still, and its Job come later."""
    async with client_of(emulator, max_retries=0) as hevo:
        emulator.faults.drop(on="resync_pipeline", effect="before")
        with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
            await hevo.pipeline(123).resync(discovery_timeout=30)
        emulator.faults.status(503, on="get_pipeline", times=None)
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.reconcile(caught.value.ticket)
        emulator.faults.clear()
        assert await hevo.reconcile(caught.value.ticket) is None


async def test_a_resync_sees_what_runs_under_a_run_whose_clock_is_ahead(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.add_history(created=emulator.now - 1200)
    pipeline.jobs[-1].extra["created_ts"] = (START + 3600) * 1000
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.pipeline(123).resync()
    assert caught.value.job is not None
    assert caught.value.job.id == running
    assert posts(emulator) == 0
