"""``fire(first=True)``: a stored ticket that its caller knows to be unfired is posted at once."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import pytest

from hevo_edge import Certainty, HevoClient, Job, TriggerTicket, errors
from hevo_edge._triggering import registry
from hevo_edge._triggering.known_tickets import forget_tickets
from hevo_edge.emulator import HevoEmulator
from hevo_edge.triggering import TicketState
from tests.conftest import client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


async def prepared(emulator: HevoEmulator, **options: Any) -> TriggerTicket:
    """Prepare a ticket in a process that is gone by now, and return what it stored."""
    async with client_of(emulator) as hevo:
        ticket = await hevo.pipeline(123).prepare_trigger(**options)
    return TriggerTicket.loads(ticket.dumps())


def calls(emulator: HevoEmulator) -> list[str]:
    return [call.endpoint for call in emulator.requests]


async def test_it_is_posted_without_a_search(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await prepared(emulator)
    emulator.requests.clear()
    job = await hevo.fire(ticket, first=True)
    # The Jobs are read again, as those that are stored may be old by now.
    assert calls(emulator)[:3] == ["get_pipeline", "list_jobs", "sync_now"]
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


async def test_it_is_searched_for_first_if_that_is_not_known(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket, began = await prepared(emulator), now()
    job = await hevo.fire(ticket)
    assert now() - began >= ticket.discovery_timeout
    assert [job.id] == runs(emulator)


async def test_the_second_time_it_is_the_job_of_the_first(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await prepared(emulator)
    both = await asyncio.gather(*(hevo.fire(ticket, first=True) for _ in range(2)))
    assert {job.id for job in (*both, await hevo.fire(ticket, first=True))} == set(runs(emulator))
    assert posts(emulator) == 1


async def stored_in_every_state(emulator: HevoEmulator) -> list[TriggerTicket]:
    stored: list[TriggerTicket] = []
    async with client_of(emulator) as hevo:
        await hevo.pipeline(123).trigger(on_ticket=stored.append)
    return stored


@pytest.mark.parametrize("state", ["sending", "accepted", "found"])
async def test_a_ticket_that_tells_of_a_post_is_not_posted_again(
    emulator: HevoEmulator, hevo: HevoClient, state: str
) -> None:
    stored = {ticket.state: ticket for ticket in await stored_in_every_state(emulator)}
    forget_tickets()
    job = await hevo.fire(stored[TicketState(state)], first=True)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


async def test_an_ambiguous_ticket_is_not_posted_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.drop(on="sync_now", effect="before")
    async with client_of(emulator) as gone:
        with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
            await gone.pipeline(123).trigger()
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(caught.value.ticket, first=True)
    assert posts(emulator) == 1


@pytest.mark.parametrize("knows", ["this client", "the loop"])
@pytest.mark.parametrize("loaded_before", [False, True])
async def test_what_is_known_of_a_post_counts_more(
    emulator: HevoEmulator, hevo: HevoClient, knows: str, loaded_before: bool
) -> None:
    ticket = await prepared(emulator)
    if loaded_before:  # and not searched for to the end
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.fire(ticket, timeout=1)
    async with client_of(emulator) as other:
        sender = hevo if knows == "this client" else other
        emulator.faults.drop(on="sync_now", effect="before")
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await sender.fire(ticket, first=True)
        assert posts(emulator) == 1
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.fire(ticket, first=True)
    assert posts(emulator) == 1


async def test_a_later_copy_counts_more(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """This client has loaded a copy from before the POST; then somebody passes a newer one."""
    ticket, newer = await prepared(emulator), list[TriggerTicket]()
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket, timeout=1)
    async with client_of(emulator) as other:
        job = await other.fire(ticket, first=True, on_ticket=newer.append)
    for copy in newer:
        forget_tickets()
        assert await hevo.fire(copy, first=True) == job
    assert posts(emulator) == 1


async def test_a_search_that_was_cut_short_does_not_stand_in_the_way(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await prepared(emulator)
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket, timeout=1)
    began = now()
    job = await hevo.fire(ticket, first=True)
    assert now() - began < ticket.discovery_timeout / 2
    assert [job.id] == runs(emulator)


async def test_a_forked_child_may_be_told_so_too(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    emulator.requests.clear()
    monkeypatch.setattr(registry, "os", SimpleNamespace(getpid=lambda: os.getpid() + 1))
    assert [(await hevo.fire(ticket, first=True)).id] == runs(emulator)
    assert calls(emulator)[:3] == ["get_pipeline", "list_jobs", "sync_now"]


@pytest.mark.parametrize("if_running", ["fail", "join", "wait"])
async def test_if_running_applies_to_what_began_since(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    ticket = await prepared(emulator, if_running=if_running)
    running = run_as_scheduled(emulator, duration=300)
    if if_running == "fail":
        with pytest.raises(errors.JobInProgress):
            await hevo.fire(ticket, first=True)
        assert posts(emulator) == 0
        return
    job = await hevo.fire(ticket, first=True)
    assert (job.id == running) is (if_running == "join")
    assert len(runs(emulator)) == (if_running == "wait")


async def test_what_comes_of_a_wrong_word(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """While the first run lasts, ``if_running`` protects it; after it, the Pipeline runs twice."""
    ticket = await prepared(emulator)
    async with client_of(emulator) as other:
        first: Job = await other.fire(ticket, first=True)
        forget_tickets()
        with pytest.raises(errors.JobInProgress):
            await hevo.fire(ticket, first=True)
        await first.await_completion()
    forget_tickets()
    second = await hevo.fire(ticket, first=True)
    assert runs(emulator) == [first.id, second.id]


async def test_it_is_true_or_false(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await prepared(emulator)
    with pytest.raises(errors.ConfigurationError, match="first must be True or False"):
        await hevo.fire(ticket, first=1)  # type: ignore[arg-type]
    assert posts(emulator) == 0
