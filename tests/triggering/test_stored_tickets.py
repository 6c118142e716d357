"""``on_ticket``: the stored ticket is enough to go on after a crash."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    TriggerTicket,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from hevo_edge.triggering import TicketState
from tests.common.test_cleanup import cancel_at_each_turn
from tests.conftest import client_of
from tests.triggering.support import now, posts, runs


class Crash(Exception):
    """Stands for the end of a process."""


async def test_the_ticket_is_stored_before_anything_is_sent_and_whenever_more_is_known(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    stored: list[tuple[int, TriggerTicket]] = []

    def store(ticket: TriggerTicket) -> None:
        stored.append((posts(emulator), TriggerTicket.loads(ticket.dumps())))

    job = await hevo.pipeline(123).trigger(on_ticket=store)
    (sent, before), (_, accepted), (_, found) = stored
    assert sent == 0
    assert before.post is not None
    assert before.state is TicketState.SENDING
    assert before.post.elapsed is None
    assert accepted.post is not None
    assert accepted.post.accepted
    assert accepted.state is TicketState.ACCEPTED
    assert (found.job_id, found.certainty) == (job.id, Certainty.CERTAIN)
    assert len(found.dumps()) < 600


@pytest.mark.parametrize("verb", ["sync_now", "resync", "resync_objects"])
async def test_every_verb_takes_a_coroutine_function_as_well(
    emulator: HevoEmulator, hevo: HevoClient, verb: str
) -> None:
    stored: list[str] = []

    async def store(ticket: TriggerTicket) -> None:
        await asyncio.sleep(1)
        stored.append(ticket.dumps())

    pipeline = hevo.pipeline(123)
    objects = [[row.object_id async for row in pipeline.list_objects()]]
    job = await getattr(pipeline, verb)(
        *(objects if verb == "resync_objects" else []), on_ticket=store
    )
    assert TriggerTicket.loads(stored[-1]).job_id == job.id
    with pytest.raises(errors.ConfigurationError, match="on_ticket must be callable"):
        await pipeline.sync_now(on_ticket="store")  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", [0, 1, 2])
async def test_another_process_goes_on_from_wherever_it_was(
    emulator: HevoEmulator, stage: int
) -> None:
    stored: list[str] = []

    def store(ticket: TriggerTicket) -> None:
        stored.append(ticket.dumps())
        if len(stored) == stage + 1:
            raise Crash

    async with client_of(emulator) as first:
        with pytest.raises(Crash):
            await first.pipeline(123).trigger(on_ticket=store, discovery_timeout=60)
    async with client_of(emulator) as second:
        calls, start = len(emulator.requests), now()
        job = await second.fire(TriggerTicket.loads(stored[-1]), on_ticket=store)
        assert [job.id] == runs(emulator)
        assert posts(emulator) == 1
        if stage == 0:  # nothing had been sent, but that cannot be known
            assert now() - start >= 60
        if stage == 2:
            assert len(emulator.requests) == calls + 1
        assert job.certainty is Certainty.CERTAIN
        assert TriggerTicket.loads(stored[-1]).job_id == job.id


async def test_a_ticket_that_cannot_be_stored_is_not_posted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    def full(_: TriggerTicket) -> None:
        raise OSError("no space left on device")

    ticket = await hevo.pipeline(123).prepare_trigger()
    with pytest.raises(OSError, match="no space"):
        await hevo.fire(ticket, on_ticket=full)
    assert posts(emulator) == 0
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)


async def test_what_was_refused_is_stored_as_never_posted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    stored: list[TriggerTicket] = []
    emulator.faults.status(400, on="sync_now")
    with pytest.raises(errors.ApiError):
        await hevo.pipeline(123).trigger(on_ticket=stored.append)
    assert [ticket.post is None for ticket in stored] == [False, True]
    emulator.faults.clear()
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=60, duration=600)
    pipeline.start_job(now=emulator.now)
    with pytest.raises(errors.JobInProgress):
        await hevo.fire(stored[-1], on_ticket=stored.append)
    assert stored[-1].post is None


@pytest.mark.parametrize("accepted", [True, False])
async def test_the_ticket_of_an_error_is_never_posted_elsewhere(
    emulator: HevoEmulator, hevo: HevoClient, accepted: bool
) -> None:
    if accepted:
        emulator.pipeline(123).plan(appears_after=500, duration=2)
    else:
        emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerError) as caught:
        await hevo.pipeline(123).trigger(discovery_timeout=20)
    text = caught.value.ticket.dumps()
    async with client_of(emulator) as other:
        with pytest.raises(type(caught.value)):
            await other.fire(TriggerTicket.loads(text))
        assert posts(emulator) == 1
        if accepted:
            with pytest.raises(errors.JobNotFoundAfterTrigger):
                await other.reconcile(TriggerTicket.loads(text))
            await asyncio.sleep(500)
            job = await other.fire(TriggerTicket.loads(text))
            assert [job.id] == runs(emulator)
            return
        assert await other.reconcile(TriggerTicket.loads(text)) is None
        job = await other.fire(TriggerTicket.loads(text))
        assert posts(emulator) == 2
        assert len(runs(emulator)) == 1


async def test_a_ticket_that_was_fired_elsewhere_since_is_not_fired_here(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """This client prepared it; another one fired it, and stored what became of it."""
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    stored: list[TriggerTicket] = []
    async with client_of(emulator) as other:
        job = await other.fire(ticket, on_ticket=stored.append)
    for later in reversed(stored):
        assert await hevo.fire(later) == job
    assert posts(emulator) == 1


@pytest.mark.parametrize("state", ["sending", "accepted", "found"])
async def test_a_ticket_that_is_being_stored_outlasts_cancellations(
    state: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    stored: list[TriggerTicket] = []

    async def store(ticket: TriggerTicket) -> None:
        if ticket.state == state:
            cancel_at_each_turn(triggering)
        for _ in range(20):
            await asyncio.sleep(0)
        stored.append(ticket)

    triggering = asyncio.create_task(hevo.pipeline(123).trigger(on_ticket=store))
    with pytest.raises(asyncio.CancelledError):
        await triggering
    assert stored[-1].state == state
    assert posts(emulator) == (state != "sending")
