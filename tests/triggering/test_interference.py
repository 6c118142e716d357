"""Triggering while others are at work on the Pipeline: schedules, people, other processes."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from hevo_edge import Certainty, HevoClient, TriggerTicket, errors
from hevo_edge.emulator import HevoEmulator, RecordedCall
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.service import Answer, Call, Service
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs

# -- resyncs: Hevo does not refuse them, but cancels what runs ---------------------------------------


async def test_a_prepared_resync_is_read_again_before_it_is_posted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger("RESYNC")
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress, match='Pass if_running="replace"') as caught:
        await hevo.fire(ticket)
    assert caught.value.job is not None
    assert caught.value.job.id == running
    assert posts(emulator) == 0


async def test_a_resync_does_not_cancel_a_job_of_an_unknown_status(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    emulator.faults.unknown_value("status", "RUNNING", on="list_jobs", times=None)
    with pytest.raises(errors.JobInProgress, match="RUNNING"):
        await hevo.pipeline(123).resync()
    assert posts(emulator) == 0


@pytest.mark.parametrize("noticed", ["when read", "when posted"])
async def test_another_resync_is_neither_cancelled_nor_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient, noticed: str
) -> None:
    pipeline = emulator.add_pipeline(1, restart_duration=100, duration=7200, appears_after=15)
    if noticed == "when read":
        pipeline.resync(emulator.now, drop_and_load=False)
        triggering = asyncio.create_task(hevo.pipeline(1).resync())
    else:
        emulator.faults.delay(2, on="resync_pipeline")
        triggering = asyncio.create_task(hevo.pipeline(1).resync())
        await asyncio.sleep(1)
        emulator.pipeline(1).resync(emulator.now, drop_and_load=False)
    with pytest.raises(errors.JobInProgress, match="RESYNC") as caught:
        await triggering
    assert caught.value.job is not None
    assert caught.value.job.id == runs(emulator, 1)[0]
    assert len(runs(emulator, 1)) == 1
    assert [call.status for call in emulator.requests.of("resync_pipeline")] == (
        [] if noticed == "when read" else [400]
    )


async def test_a_job_that_our_resync_has_cancelled_is_not_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """It began in the second of our POST, was not listed yet, and is of the same type."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=3, duration=600, type="RESYNC")
    pipeline.start_job(now=emulator.now)
    job = await hevo.pipeline(123).resync()
    assert [job.id] == runs(emulator)
    assert [job.status for job in emulator.pipeline(123).jobs[1:]] == ["CANCELLED", "IN_PROGRESS"]


async def test_a_restart_that_outlasts_the_search_is_never_started_twice(
    emulator: HevoEmulator,
) -> None:
    emulator.pipeline(123).restart_duration = 2400
    async with client_of(emulator) as first:
        ticket = await first.pipeline(123).prepare_trigger("RESYNC")
        firing = asyncio.create_task(first.fire(ticket))
        await asyncio.sleep(3)
        firing.cancel()
    async with client_of(emulator) as second:
        foreign = TriggerTicket.loads(ticket.dumps())
        with pytest.raises(errors.TriggerOutcomeUnknown, match="the Pipeline is RESTARTING"):
            await second.fire(foreign)
        job = await second.fire(foreign)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


async def test_a_restart_is_evidence_as_well(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """Nothing came of the ticket for long; then, of all times, the Pipeline is restarting."""
    ticket = await hevo.pipeline(123).prepare_trigger("RESYNC", discovery_timeout=20)
    emulator.faults.drop(on="resync_pipeline")
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    emulator.pipeline(123).restart_duration = 300
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.POSSIBLE
    assert posts(emulator) == 1


async def test_a_resync_by_hand_is_never_certain_to_be_our_sync() -> None:
    async with HevoEmulator(start=START, dialect="oldest") as emulator:
        pipeline = emulator.add_pipeline(123, restart_duration=5)
        pipeline.plan(appears_after=60, duration=1)
        pipeline.plan(appears_after=0, duration=600)
        async with client_of(emulator) as hevo:
            triggering = asyncio.create_task(hevo.pipeline(123).trigger())
            await asyncio.sleep(20)
            emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
            job = await triggering
            assert job.type == "TRUNCATE_AND_LOAD"
            assert job.certainty is Certainty.LIKELY


# -- Jobs that Hevo shows late, or wrongly ------------------------------------------------------------


async def test_waiting_for_a_job_that_has_ended_in_an_unknown_status_ends(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the newest in the list, and Hevo refuses because of another that is not listed yet."""
    pipeline = emulator.pipeline(123)
    ended, shown = pipeline.jobs[0], EmulatedJob.wire

    def wire(job: EmulatedJob, *arguments: Any) -> dict[str, Any]:
        row = shown(job, *arguments)
        return {**row, "status": "ABORTED_BY_MOON"} if job is ended else row

    monkeypatch.setattr(EmulatedJob, "wire", wire)
    pipeline.plan(appears_after=10, duration=60)
    pipeline.start_job(now=emulator.now)
    job = await asyncio.wait_for(hevo.pipeline(123).trigger(if_running="wait"), 600)
    assert [job.id] == runs(emulator)


async def test_a_pipeline_whose_status_flaps_is_polled_at_intervals(
    emulator: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls_so_far, shown = itertools.count(), Service.get_pipeline

    def flapping(service: Service, call: Call) -> Answer:
        answer = shown(service, call)
        restarting = next(calls_so_far) % 2 == 0 and answer.body is not None
        return Answer(body={**answer.body, "status": "RESTARTING"}) if restarting else answer

    monkeypatch.setattr(Service, "get_pipeline", flapping)
    async with client_of(emulator, rate_limit=None) as hevo:
        for verb in (hevo.pipeline(123).trigger, hevo.pipeline(123).prepare_trigger):
            calls = len(emulator.requests)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(verb(), 60)
            assert len(emulator.requests) - calls <= 45


async def test_a_list_that_cannot_be_read_shows_no_job(emulator: HevoEmulator) -> None:
    async with client_of(emulator, max_retries=0) as hevo:
        emulator.pipeline(123).plan(appears_after=10, duration=600)
        emulator.pipeline(123).start_job(now=emulator.now)
        emulator.faults.status(503, on="list_jobs", skip=1)
        with pytest.raises(errors.JobInProgress, match="not in the list yet"):
            await hevo.pipeline(123).trigger()


async def test_a_job_that_appears_right_before_the_post_is_the_earlier_posts(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Between the last poll for it and the reading that comes before the next POST."""
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    late: list[str] = []

    def show_up(call: RecordedCall) -> None:
        if call.endpoint == "list_jobs" and not late:
            late.append(run_as_scheduled(emulator, duration=600))

    async with client_of(emulator) as other:
        assert await other.reconcile(ticket) is None
        assert await other.reconcile(ticket) is None
        emulator.on_request = show_up
        job = await other.fire(ticket)
    assert [job.id] == late
    assert job.certainty is Certainty.POSSIBLE
    assert posts(emulator) == 0


async def test_after_waiting_for_a_job_what_is_there_is_read_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    run_as_scheduled(emulator, duration=8, outcome="FAILED")
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN
    asked = [call.endpoint for call in emulator.requests]
    posted = [at for at, name in enumerate(asked) if name == "sync_now"]
    assert asked[posted[-1] - 2 : posted[-1]] == ["get_pipeline", "list_jobs"]


@pytest.mark.parametrize("refusal", [403, 400])
async def test_a_ticket_is_as_it_was_after_a_refusal(
    emulator: HevoEmulator, hevo: HevoClient, refusal: int
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    for _ in range(2):
        await asyncio.sleep(6)
        emulator.faults.status(refusal, on="sync_now", headers={"Retry-After": "0"})
        with pytest.raises(errors.ApiError):
            await hevo.fire(ticket)
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


# -- several tickets, several clients ----------------------------------------------------------------


async def test_two_tickets_of_a_client_get_a_job_each(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = hevo.pipeline(123)
    tickets = [await pipeline.prepare_trigger(if_running="wait") for _ in range(2)]
    emulator.pipeline(123).plan(appears_after=0, duration=0)
    emulator.pipeline(123).plan(appears_after=40, duration=0)
    jobs = await asyncio.gather(*(hevo.fire(ticket) for ticket in tickets))
    assert [job.id for job in jobs] == runs(emulator)


@pytest.mark.parametrize("sleeps", [0, 20, 300])
@pytest.mark.parametrize("first_is_behind", [True, False])
async def test_two_clients_of_a_loop_that_hold_one_ticket_post_it_once(
    emulator: HevoEmulator, sleeps: float, first_is_behind: bool
) -> None:
    """At once, or one after another: also the one that prepared it, and knows of no POST."""
    async with client_of(emulator) as one, client_of(emulator) as two:
        emulator.pipeline(123).plan(duration=1)
        ticket = await one.pipeline(123).prepare_trigger(discovery_timeout=60)
        copy = TriggerTicket.loads(ticket.dumps())
        fires = [lambda: two.fire(copy), lambda: one.fire(ticket)]
        if not first_is_behind:
            fires.reverse()
        first = asyncio.create_task(fires[0]())
        await asyncio.sleep(sleeps)
        second = await fires[1]()
        assert await first == second
        assert await one.reconcile(ticket) == await two.reconcile(copy) == second
    assert [second.id] == runs(emulator)


async def test_a_job_older_than_the_ticket_is_only_possible(emulator: HevoEmulator) -> None:
    """It began 12 s before and was not listed yet; another process fires what was never fired."""
    emulator.pipeline(123).plan(appears_after=20, duration=600)
    emulator.pipeline(123).start_job(now=emulator.now)
    await asyncio.sleep(12)
    async with client_of(emulator) as first:
        ticket = await first.pipeline(123).prepare_trigger(discovery_timeout=60)
    async with client_of(emulator) as second:
        job = await second.fire(TriggerTicket.loads(ticket.dumps()))
    # It is older by Hevo's clock, which proves nothing.
    assert job.certainty is Certainty.POSSIBLE
    assert posts(emulator) == 0


@pytest.mark.parametrize("status", [503, 404, 401])
async def test_a_job_that_was_found_is_a_handle_even_if_it_cannot_be_read(
    emulator: HevoEmulator, status: int
) -> None:
    async with client_of(emulator, max_retries=0) as hevo:
        ticket = await hevo.pipeline(123).prepare_trigger()
        job = await hevo.fire(ticket)
        emulator.faults.status(status, on="get_job", times=None)
        for again in (hevo.fire, hevo.reconcile):
            if status != 401:
                handle = await again(ticket)
                assert handle == job
                assert handle is not None
                assert handle.data is None
            else:
                with pytest.raises(errors.ApiError):
                    await again(ticket)


async def test_a_poll_that_fails_right_before_the_post_is_no_proof_that_nothing_was_started(
    emulator: HevoEmulator,
) -> None:
    emulator.pipeline(123).plan(appears_after=100, duration=500)
    async with client_of(emulator) as first:
        ticket = await first.pipeline(123).prepare_trigger(discovery_timeout=20)
        firing = asyncio.create_task(first.fire(ticket))
        await asyncio.sleep(2)
        firing.cancel()
    async with client_of(emulator, max_retries=0) as second:
        firing = asyncio.create_task(second.fire(TriggerTicket.loads(ticket.dumps())))
        await asyncio.sleep(19.9)
        emulator.faults.status(503, on="list_jobs", skip=1)
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await firing
    assert posts(emulator) == 1


async def test_reconcile_does_not_wait_for_the_lock_when_the_answer_is_known(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """A resync holds the Pipeline's lock for as long as it restarts."""
    ticket = await hevo.pipeline(123).prepare_trigger()
    emulator.pipeline(123).restart_duration = 900
    resyncing = asyncio.create_task(hevo.pipeline(123).resync())
    await asyncio.sleep(5)
    start = now()
    assert await hevo.reconcile(ticket) is None
    assert now() == start
    await resyncing


async def test_a_time_that_is_none_is_no_crash(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(extra={"created_ts": 10**400}, duration=600)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.LIKELY


@pytest.mark.parametrize("timeout", ["NaN", "-1", "0", "Infinity"])
def test_a_ticket_with_a_timeout_that_makes_no_sense_is_none(timeout: str) -> None:
    text = (
        '{"version": 1, "pipeline_id": 1, "action": "SYNC_NOW", "watermark": {}, '
        f'"discovery_timeout": {timeout}}}'
    )
    with pytest.raises(errors.ConfigurationError, match="discovery_timeout"):
        TriggerTicket.loads(text)
