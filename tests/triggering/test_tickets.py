"""The three steps of a trigger: prepare, fire, reconcile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    RateLimit,
    TriggerTicket,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


async def test_the_three_steps_are_a_trigger(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    assert posts(emulator) == 0
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert not job.adopted


async def test_a_ticket_is_plain_json_without_secrets(hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(
        "RESYNC", drop_and_load=True, if_running="wait", discovery_timeout=99
    )
    text = ticket.dumps()
    assert TriggerTicket.loads(text) == ticket
    assert "emulator-secret" not in text
    assert "emulator-key" not in text


@pytest.mark.parametrize("text", ["", "{}", "null", '{"version": 2}', "[1", b"\xff"])
def test_what_is_no_ticket(text: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="not a TriggerTicket"):
        TriggerTicket.loads(text)


async def test_firing_twice_posts_once(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    first, second = await asyncio.gather(hevo.fire(ticket), hevo.fire(ticket))
    third = await hevo.reconcile(ticket)
    assert first == second == third
    assert not second.adopted
    assert posts(emulator) == 1


@pytest.mark.parametrize("fired", [True, False])
async def test_another_process_takes_over(emulator: HevoEmulator, fired: bool) -> None:
    async with client_of(emulator) as first:
        stored = (await first.pipeline(123).prepare_trigger(discovery_timeout=60)).dumps()
        if fired:
            firing = asyncio.create_task(first.fire(TriggerTicket.loads(stored)))
            await asyncio.sleep(0.5)
            firing.cancel()
    async with client_of(emulator) as second:
        ticket = TriggerTicket.loads(stored)
        job = await second.reconcile(ticket)
        assert (job is not None) is fired
        again = await second.fire(ticket)
        assert [again.id] == runs(emulator)
        assert posts(emulator) == 1
        assert again.adopted is fired


async def test_preparing_applies_if_running_as_well(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=100)
    start = now()
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    assert now() - start >= 100
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).plan(duration=500, appears_after=0)
    again = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    assert again.watermark.server_time
    assert ticket.watermark.server_time
    assert again.watermark.server_time - ticket.watermark.server_time > 10
    assert posts(emulator) == 0


async def test_firing_again_after_an_answer_was_lost_only_searches(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    for _ in range(2):
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    assert posts(emulator) == 1


async def test_a_joining_ticket_sends_nothing(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=600)
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="join")
    assert (ticket.job_id, ticket.certainty) == (running, Certainty.JOINED)
    for job in (await hevo.fire(ticket), await hevo.reconcile(ticket)):
        assert job is not None
        assert job.id == running
        assert job.adopted
    assert posts(emulator) == 0


async def test_a_post_never_sent_may_be_fired_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    await emulator.stop()
    await asyncio.sleep(0.01)
    with pytest.raises(errors.RequestNotSent):
        await hevo.fire(ticket)
    await emulator.start()
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_job_that_came_and_went_before_the_post_is_not_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient, stored: bool
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    await asyncio.sleep(10)
    scheduled = run_as_scheduled(emulator, duration=5)
    await asyncio.sleep(60)
    if stored:
        async with client_of(emulator) as elsewhere:
            # Nobody there can know that the ticket was not fired before.
            job = await elsewhere.fire(TriggerTicket.loads(ticket.dumps()))
            assert (job.id, job.adopted) == (scheduled, True)
            return
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert not job.adopted


async def test_a_prepared_ticket_is_fired_without_reading_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=0, duration=600)
    ticket = await hevo.pipeline(123).prepare_trigger()
    await asyncio.sleep(14)
    job = await hevo.fire(ticket)
    assert job.certainty is Certainty.CERTAIN
    asked = [call.endpoint for call in emulator.requests]
    assert asked == ["get_pipeline", "list_jobs", "sync_now", "list_jobs"]


async def test_what_has_been_found_is_not_searched_for_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    job = await hevo.fire(ticket)
    await asyncio.sleep(600)
    calls = len(emulator.requests)
    again = await hevo.fire(ticket)
    assert (again, again.certainty, again.status) == (job, job.certainty, "COMPLETED")
    assert len(emulator.requests) == calls + 1


async def test_a_ticket_of_which_nothing_came_may_be_fired_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """After a POST that was lost, reconcile returns None, and then the ticket may be posted."""
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
        await hevo.fire(ticket)
    assert await hevo.reconcile(caught.value.ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 2


async def test_a_ticket_of_another_process_is_searched_for_once_before_it_is_fired(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=60)
    async with client_of(emulator) as other:
        assert await other.reconcile(ticket) is None
        start = now()
        job = await other.fire(ticket)
    assert [job.id] == runs(emulator)
    assert now() - start < 20


def test_a_ticket_may_be_prepared_in_one_loop_and_fired_in_another() -> None:
    with HevoEmulator(speed=50, seed=1) as emulator:
        emulator.add_pipeline(123, duration=600)
        hevo = client_of(emulator)
        ticket = asyncio.run(hevo.pipeline(123).prepare_trigger())
        job = asyncio.run(hevo.fire(ticket))
        asyncio.run(hevo.close())
        assert [job.id] == runs(emulator)


async def test_a_ticket_that_hevo_has_accepted_is_never_free(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=1000)
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    for attempt in (hevo.fire, hevo.reconcile, hevo.fire):
        with pytest.raises(errors.JobNotFoundAfterTrigger):
            await attempt(ticket)
    await asyncio.sleep(1000)
    job = await hevo.reconcile(ticket)
    assert job is not None
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


async def test_a_cancelled_fire_that_had_sent_nothing_may_be_fired_again(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(2, 60.0)) as hevo:
        ticket = await hevo.pipeline(123).prepare_trigger()
        firing = asyncio.create_task(hevo.fire(ticket))
        await asyncio.sleep(1)
        assert posts(emulator) == 0
        firing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await firing
        assert await hevo.reconcile(ticket) is None
        job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
