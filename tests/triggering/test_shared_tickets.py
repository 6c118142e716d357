"""Tickets that several tasks, clients or processes use, in older and newer copies."""

from __future__ import annotations

import asyncio
import time

import pytest

from hevo_edge import Certainty, HevoClient, TriggerTicket, errors
from hevo_edge._triggering.known_tickets import forget_tickets
from hevo_edge._triggering.ticket import IN_FLIGHT
from hevo_edge.emulator import HevoEmulator
from hevo_edge.triggering import TicketState
from tests.conftest import START, client_of
from tests.triggering.support import posts, run_as_scheduled, runs


async def in_flight_and_accepted(emulator: HevoEmulator) -> tuple[TriggerTicket, TriggerTicket]:
    """Return both copies that a process stored before it died, right after Hevo had accepted."""
    stored: list[TriggerTicket] = []

    def store(ticket: TriggerTicket) -> None:
        stored.append(TriggerTicket.loads(ticket.dumps()))
        if len(stored) == 2:
            raise KeyError("died")

    async with client_of(emulator) as first:
        with pytest.raises(KeyError):
            await first.pipeline(123).trigger(on_ticket=store, discovery_timeout=60)
    forget_tickets()  # that process has died
    return stored[0], stored[1]


@pytest.mark.parametrize("used_before", ["for a whole search", "for 3 s", "never"])
async def test_the_copy_that_knows_of_the_acceptance_wins(
    emulator: HevoEmulator, hevo: HevoClient, used_before: str
) -> None:
    emulator.pipeline(123).plan(duration=1, appears_after=400)
    in_flight, accepted = await in_flight_and_accepted(emulator)
    if used_before == "for a whole search":
        assert await hevo.reconcile(in_flight) is None
    elif used_before == "for 3 s":
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(hevo.fire(in_flight), 3)
    for attempt in (hevo.reconcile, hevo.fire):
        with pytest.raises(errors.JobNotFoundAfterTrigger):
            await attempt(accepted)
    assert posts(emulator) == 1
    await asyncio.sleep(400)
    job = await hevo.fire(accepted)
    assert [job.id] == runs(emulator)


async def test_the_stored_ticket_outlives_a_refusal_that_is_evidence(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """The first POST took effect 100 s late; the second was refused because of its Job."""
    emulator.pipeline(123).plan(duration=30, appears_after=20)
    emulator.faults.delay(100, on="sync_now")
    stored: list[TriggerTicket] = []
    start = emulator.now
    with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
        await hevo.pipeline(123).trigger(on_ticket=stored.append, discovery_timeout=40)
    assert await hevo.reconcile(caught.value.ticket) is None
    await asyncio.sleep(start + 101 - emulator.now)
    firing = asyncio.create_task(hevo.fire(stored[-1], on_ticket=stored.append))
    await asyncio.sleep(10)
    firing.cancel()
    assert stored[-1].post is not None
    async with client_of(emulator) as other:
        job = await other.fire(TriggerTicket.loads(stored[-1].dumps()))
    assert [job.id] == runs(emulator)


async def test_one_task_does_not_undo_what_another_has_recorded(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """One waits out a restart; meanwhile the other fires the same ticket, and is accepted."""
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 23
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    pipeline.plan(duration=0, appears_after=0, type="RESYNC")
    pipeline.plan(duration=1, appears_after=60)
    pipeline.resync(emulator.now, drop_and_load=False)
    one = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(24)
    two = asyncio.create_task(hevo.fire(ticket))
    for result in await asyncio.gather(one, two, return_exceptions=True):
        assert isinstance(result, errors.JobNotFoundAfterTrigger)
    effective = [call for call in emulator.requests.of("sync_now") if call.took_effect]
    assert len(effective) == 1


async def test_a_400_because_of_the_earlier_posts_own_restart_is_evidence(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 15
    pipeline.plan(duration=600, appears_after=25)
    emulator.faults.drop(on="resync_pipeline")
    ticket = await hevo.pipeline(123).prepare_trigger("RESYNC", discovery_timeout=60)
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    took_effect: list[TriggerTicket] = []

    def late(ticket: TriggerTicket) -> None:
        if not took_effect:
            pipeline.resync(emulator.now, drop_and_load=False)
        took_effect.append(ticket)

    job = await hevo.fire(ticket, on_ticket=late)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.POSSIBLE
    assert [call.status for call in emulator.requests.of("resync_pipeline")] == [None, 400]


async def test_on_ticket_is_called_when_another_task_fires_too(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    await asyncio.sleep(16)
    stored: list[TriggerTicket] = []
    first, second = await asyncio.gather(
        hevo.fire(ticket, on_ticket=stored.append), hevo.fire(ticket)
    )
    assert first == second
    assert [known.post is not None for known in stored] == [True, True, True]
    assert stored[-1].job_id == first.id
    # It was prepared more than 15 s before, so it was read again.
    assert len(emulator.requests.of("get_pipeline")) == 2


async def test_each_task_that_fires_a_ticket_has_its_own_callback_to_the_end(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    one: list[TriggerTicket] = []
    two: list[TriggerTicket] = []
    first, second = await asyncio.gather(
        hevo.fire(ticket, on_ticket=one.append), hevo.fire(ticket, on_ticket=two.append)
    )
    for stored in (one, two):
        assert stored[-1].job_id == first.id == second.id
        assert [known.state for known in stored] == ["sending", "accepted", "found"]


async def test_on_ticket_is_not_called_after_the_end(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=2, appears_after=60)
    emulator.faults.drop(on="sync_now", effect="after")
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    stored: list[TriggerTicket] = []
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket, on_ticket=stored.append)
    so_far = len(stored)
    await asyncio.sleep(40)
    assert await hevo.reconcile(ticket) is not None
    assert len(stored) == so_far


async def test_a_join_is_recorded_and_stored(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="join")
    running = run_as_scheduled(emulator, duration=100)
    stored: list[TriggerTicket] = []
    job = await hevo.fire(ticket, on_ticket=stored.append)
    assert (job.id, job.certainty) == (running, Certainty.JOINED)
    assert (stored[-1].job_id, stored[-1].certainty) == (running, Certainty.JOINED)
    await asyncio.sleep(120)
    calls = posts(emulator)
    again = await hevo.fire(ticket)
    assert (again, again.certainty) == (job, Certainty.JOINED)
    assert posts(emulator) == calls


async def test_a_job_that_our_resync_cancels_is_left_while_it_restarts(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 60
    pipeline.plan(appears_after=10, duration=600, type="RESYNC")
    pipeline.start_job(now=emulator.now)
    job = await hevo.pipeline(123).resync()
    assert [job.id] == runs(emulator)
    assert job.status == "IN_PROGRESS"


async def test_after_a_failed_restart_nothing_is_certain(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Somebody enables the Pipeline at once, and resyncs it."""
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 5
    pipeline.plan(fail_restart=True)
    resyncing = asyncio.create_task(hevo.pipeline(123).resync())
    await asyncio.sleep(12)
    pipeline = emulator.pipeline(123)
    pipeline.enable()
    pipeline.resync(emulator.now, drop_and_load=False)
    pipeline.plan(appears_after=0)
    job = await resyncing
    assert job.certainty is Certainty.POSSIBLE


@pytest.mark.parametrize("behind", [2, 3, 4])
async def test_a_gateway_that_is_behind_makes_no_stranger_certain(behind: int) -> None:
    """A run by hand comes and goes between the reading and the POST."""
    async with HevoEmulator(seed=1, start=START, date_skew=-behind) as emulator:
        pipeline = emulator.add_pipeline(123, history=1)
        async with client_of(emulator) as hevo:
            ticket = await hevo.pipeline(123).prepare_trigger()
            await asyncio.sleep(8)
            pipeline.plan(appears_after=0, duration=1)
            stranger = pipeline.sync_now(emulator.now)
            await asyncio.sleep(behind - 0.5)
            pipeline.plan(appears_after=0, duration=600)
            job = await hevo.fire(ticket)
            assert job.id != stranger.job_id or job.certainty is not Certainty.CERTAIN


async def test_a_run_that_began_hours_after_a_lost_post_is_left_to_the_caller(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    yesterday = IN_FLIGHT.model_copy(update={"sent_at": time.time() - 86_400})
    text = ticket.model_copy(update={"post": yesterday, "state": TicketState.SENDING}).dumps()
    await asyncio.sleep(6 * 3600)
    stranger = emulator.pipeline(123).start_job(now=emulator.now)
    await asyncio.sleep(300)
    async with client_of(emulator) as other:
        for again in (other.fire, other.reconcile):
            with pytest.raises(errors.TriggerOutcomeUnknown, match="left to you") as caught:
                await again(TriggerTicket.loads(text))
            assert f"123:{stranger.job_id}" in str(caught.value)
    # By its clock it is not ours, but a clock is no proof.
    assert posts(emulator) == 0


@pytest.mark.parametrize("copy", [0, 1, 2])
@pytest.mark.parametrize("phase", ["reading", "posting"])
async def test_a_newer_copy_does_not_disturb_a_task_that_fires_the_ticket(
    emulator: HevoEmulator, hevo: HevoClient, phase: str, copy: int
) -> None:
    """One task fires an old copy; another passes what a second client has stored since."""
    emulator.pipeline(123).plan(duration=0, appears_after=0)
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    stored: list[TriggerTicket] = []
    async with client_of(emulator) as other:
        await other.fire(ticket, on_ticket=stored.append)
    if phase == "reading":
        await asyncio.sleep(20)  # too old to be fired without reading
        emulator.faults.delay(2, on="list_jobs")
    else:
        emulator.faults.delay(2, on="sync_now")
    one = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(1)
    two = asyncio.create_task(hevo.reconcile(stored[copy]))
    first, second = await asyncio.gather(one, two)
    assert first == second
    assert first.id in runs(emulator)
