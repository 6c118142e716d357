"""What a client keeps of its tickets: bounded by use, number and age; and what it forgets, safely."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge import Certainty, HevoClient, TriggerTicket, errors
from hevo_edge._jobs.watermark import KNOWN_IDS, Watermark
from hevo_edge._triggering import registry
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.known_tickets import forget_tickets
from hevo_edge._triggering.registry import TicketRecord, TicketRegistry
from hevo_edge._triggering.ticket import Post
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import run
from hevo_edge.triggering import TicketState
from tests.conftest import START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs

KEPT: list[Callable[[TicketRegistry], Any]] = [
    lambda tickets: tickets._unposted,
    lambda tickets: tickets._settled,
    lambda tickets: tickets._in_doubt,
]


def forget(hevo: HevoClient) -> None:
    """Drop what nobody uses, as a thousand other tickets would."""
    tickets = hevo._core.triggers.registry
    for kept in KEPT:
        kept(tickets)._entries.clear()
    forget_tickets()


def read_ticket() -> TriggerTicket:
    """Return a ticket with as many ids as there can be."""
    ids = tuple(str(uuid.uuid4()) for _ in range(KNOWN_IDS))
    return TriggerTicket(
        pipeline_id=1, action="SYNC_NOW", watermark=Watermark(known_job_ids=ids, server_time=1.0)
    )


# -- memory ---------------------------------------------------------------------------------------


async def _refused(record: TicketRecord) -> None:
    record.mark_read(record.ticket, now())
    read = record.ticket
    await record.mark_sending(1.0)
    await record.mark_not_sent(read)


async def _found(record: TicketRecord) -> None:
    await _accepted(record)
    await record.mark_found(Found(str(uuid.uuid4()), Certainty.CERTAIN))


async def _accepted(record: TicketRecord) -> None:
    record.mark_read(record.ticket, now())
    await record.mark_sending(1.0)
    await record.mark_settled(Post(answered_at=1.0, elapsed=0.1))


async def _searched(record: TicketRecord) -> None:
    record.mark_read(record.ticket, now())
    await record.mark_sending(1.0)
    await record.mark_settled(Post(ambiguity="reset", elapsed=0.1))
    record.mark_unposted()
    record.mark_read(record.ticket, now())


@pytest.mark.parametrize(
    ("end", "most"), [(_refused, 1200), (_found, 1200), (_accepted, 6500), (_searched, 7500)]
)
async def test_a_record_that_nobody_uses_weighs_little(
    end: Any, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the ids of two hundred Jobs each took 21 kB."""
    monkeypatch.setattr(registry, "MAX_READINGS", 1)
    count = 50

    async def weight() -> int:
        tickets = TicketRegistry()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count):
            record = tickets.register(read_ticket())
            with tickets.keeping(record):
                await end(record)
        del record
        gc.collect()
        assert len(tickets) == count
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        # Whatever else this process keeps for the first time, or meanwhile, is not theirs.
        least = min([await weight() for _ in range(3)])
    finally:
        tracemalloc.stop()
    assert least < count * most + 20_000


async def test_the_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_RECORDS", 5)
    monkeypatch.setattr(registry, "MAX_READINGS", 3)
    tickets = TicketRegistry()
    for end, kept in ((_refused, 8), (_found, 8), (_accepted, 13), (_searched, 13)):
        for _ in range(20):
            record = tickets.register(read_ticket())
            with tickets.keeping(record):
                await end(record)
            tickets.set_owner(record.ticket, Found(str(uuid.uuid4()), Certainty.CERTAIN))
        assert len(tickets) == kept
    assert len(tickets._owners) == 5


async def test_what_is_settled_goes_after_a_day_and_what_is_in_doubt_after_a_week(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "MAX_READINGS", 0)
    tickets = TicketRegistry()
    states: list[str] = []
    old = {}
    for end in (_refused, _found, _accepted):
        record = tickets.register(read_ticket())
        with tickets.keeping(record):
            await end(record)
        old[end] = record.ticket
    del record
    for day in (0.5, 1.1, 6.9, 7.1):
        await asyncio.sleep(1000 + day * 86_400 - now())
        for end in old:  # a new one of each kind drops what is too old
            record = tickets.register(read_ticket())
            with tickets.keeping(record):
                await end(record)
        known = [any(kept(tickets).get(t.ticket_id) for kept in KEPT) for t in old.values()]
        states.append("".join("x" if is_known else "-" for is_known in known))
    assert states == ["xxx", "--x", "--x", "---"]


# -- what is in use, and what comes back ----------------------------------------------------------


async def test_what_is_in_use_is_never_dropped(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """A second task with the same ticket finds the record of the one that waits."""
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    run_as_scheduled(emulator, duration=300)
    one = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(100)
    forget(hevo)
    two = asyncio.create_task(hevo.fire(ticket))
    await asyncio.sleep(250)
    forget(hevo)
    first, second = await asyncio.gather(one, two)
    assert first == second
    assert [first.id] == runs(emulator)
    assert posts(emulator) == 2  # and one of them was refused
    assert first.certainty is second.certainty is Certainty.CERTAIN


async def test_a_record_comes_back_as_it_was(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=2, appears_after=60)
    emulator.faults.drop(on="sync_now", effect="after")
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    stored: list[TriggerTicket] = []
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket, on_ticket=stored.append)
    tickets = hevo._core.triggers.registry
    gc.collect()  # the error's traceback
    assert not tickets._in_use
    record = tickets.lookup(ticket)
    assert record.ticket == stored[-1]
    assert len(record.ticket.watermark.known_job_ids) == 1
    assert record is tickets.lookup(ticket), "who uses it at the same time gets the same"


async def test_the_latest_that_were_prepared_are_fired_without_reading_again(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hevo._core.triggers.registry._unposted, "_most", 1)
    emulator.add_pipeline(7)
    tickets = [await hevo.pipeline(number).prepare_trigger() for number in (7, 123)]
    for ticket in reversed(tickets):
        await hevo.fire(ticket)
    asked = [(call.endpoint, call.pipeline_id) for call in emulator.requests]
    assert asked.count(("get_pipeline", 123)) == 1
    assert asked.count(("get_pipeline", 7)) == 2


async def test_without_its_record_a_ticket_is_what_its_text_says(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Each copy of it, from what was prepared to what was found; a run of a second is over then."""
    emulator.pipeline(123).plan(duration=1, appears_after=5)
    prepared = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    stored: list[TriggerTicket] = []
    job = await hevo.fire(prepared, on_ticket=stored.append)
    assert [copy.state for copy in stored] == [
        TicketState.SENDING,
        TicketState.ACCEPTED,
        TicketState.FOUND,
    ]
    for copy in (prepared, *stored):
        forget(hevo)
        assert await hevo.fire(copy) == job
        forget(hevo)
        assert await hevo.reconcile(copy) == job
    assert posts(emulator) == 1


# -- eviction never leads to a second run ---------------------------------------------------------

FAULTS: dict[str, Callable[[HevoEmulator], object]] = {
    "all is well": lambda _: None,
    "lost before": lambda emulator: emulator.faults.drop(on="sync_now"),
    "lost after": lambda emulator: emulator.faults.drop(on="sync_now", effect="after"),
    "502 after": lambda emulator: emulator.faults.status(502, on="sync_now", effect="after"),
    "refused": lambda emulator: emulator.faults.status(400, on="sync_now"),
    "429": lambda emulator: emulator.faults.status(429, on="sync_now"),
    "no list": lambda emulator: emulator.faults.status(503, on="list_jobs", times=40),
}
STEPS = ["fire", "reconcile", "fire, cut off", "forget", "a day", "a week"]
Step = tuple[str, str, int]


async def play(steps: list[Step]) -> list[str]:
    """Play steps with one ticket; return the Jobs that it started."""
    async with HevoEmulator(seed=1, start=START) as emulator:
        emulator.add_pipeline(123, history=2, duration=1, appears_after=(0, 10))
        async with client_of(emulator, max_retries=0) as hevo:
            copies = [await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)]
            for name, fault, place in steps:
                copy = copies[place % len(copies)]
                emulator.faults.clear()
                FAULTS[fault](emulator)
                with suppress(errors.HevoError, asyncio.TimeoutError):
                    if name == "forget":
                        forget(hevo)
                    elif name.startswith("a "):
                        await asyncio.sleep(86_401 * (7 if name == "a week" else 1))
                    elif name == "reconcile":
                        await hevo.reconcile(TriggerTicket.loads(copy.dumps()))
                    else:
                        firing = hevo.fire(copy, on_ticket=copies.append)
                        within = 0.5 + place if name == "fire, cut off" else None
                        await asyncio.wait_for(firing, within)
        return runs(emulator)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(FAULTS)), st.integers(0, 9)),
        min_size=2,
        max_size=7,
    )
)
def test_no_sequence_of_evictions_and_refires_starts_a_second_run(steps: list[Step]) -> None:
    assert len(run(play(steps))) <= 1


def test_a_registry_that_takes_what_it_forgot_for_its_own_is_noticed() -> None:
    """The judge can see a second run: when a forgotten ticket is taken for one never fired."""
    again: list[Step] = [("fire", "all is well", 0), ("forget", "all is well", 0)] * 2
    assert len(run(play(again))) == 1
    with patch.object(TicketRecord, "mark_loaded"):
        assert len(run(play(again))) == 2
