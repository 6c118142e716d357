"""The states of a ticket: every sequence, every crash between two states, and one POST at most."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge import Certainty, PipelineAction, TriggerTicket, errors
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.registry import TicketRecord, TicketRegistry
from hevo_edge._triggering.states import (
    MAY_HAVE_ARRIVED,
    TRANSITIONS,
    TicketEvent,
    TicketState,
    next_state,
)
from hevo_edge._triggering.ticket import Post

S, E = TicketState, TicketEvent
PROOF = {
    (S.SENDING, E.NOT_SENT),
    (S.AMBIGUOUS, E.NOT_FOUND),
    (S.FOREIGN, E.NOT_FOUND),
    (S.FOREIGN, E.UNFIRED),
}
"""What alone may lead from where a POST may have arrived to where one may leave."""
MAY_POST = {S.NEW, S.READ}


def test_every_state_can_be_reached_and_left() -> None:
    reached = {S.NEW}
    while True:
        more = {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(S)
    for state in S:
        assert any(state is begin for begin, _ in TRANSITIONS)


def test_nothing_but_proof_leads_back_to_where_a_post_may_leave() -> None:
    for (state, event), to in TRANSITIONS.items():
        if state in MAY_HAVE_ARRIVED | {S.FOUND} and to in MAY_POST:
            assert (state, event) in PROOF
        if event is E.SEND:
            assert state is S.READ
    # The table is what is walked: without its proof, no sequence leads back.
    for start in MAY_HAVE_ARRIVED | {S.FOUND}:
        states, seen = {start}, set[TicketState]()
        while states - seen:
            seen |= states
            states = {
                to
                for (state, event), to in TRANSITIONS.items()
                if state in seen and (state, event) not in PROOF
            }
        assert not seen & MAY_POST


@pytest.mark.parametrize(("state", "event"), list(itertools.product(S, E)))
def test_what_is_not_in_the_table_cannot_happen(state: TicketState, event: TicketEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(AssertionError, match="impossible for a ticket in state"):
            next_state(state, event)


def test_an_accepted_post_is_never_given_up() -> None:
    """Whatever happens to an accepted ticket, it stays accepted until its Job is found."""
    after = {to for (state, _), to in TRANSITIONS.items() if state is S.ACCEPTED}
    assert after == {S.ACCEPTED, S.FOUND}


# -- records, crashes, and a Hevo that counts -----------------------------------------------------


class World:
    """A Hevo that runs what it gets, and processes that crash and go on with what was stored."""

    def __init__(self) -> None:
        self.runs = 0
        self.posts = 0
        self.stored: str | None = None
        self.ticket = TriggerTicket(pipeline_id=1, action=PipelineAction.SYNC_NOW)
        self.record: TicketRecord = TicketRegistry().register(self.ticket)
        self.record.on_ticket = [self._store]

    def _store(self, ticket: TriggerTicket) -> None:
        self.stored = ticket.dumps()

    def crash(self) -> None:
        """Go on in another process, with what was stored last, or with the ticket itself."""
        text = self.stored or self.ticket.dumps()
        loaded = TriggerTicket.loads(text)
        assert loaded.dumps() == text
        self.record = TicketRegistry().lookup(loaded)
        self.record.on_ticket = [self._store]
        assert self.record.state not in MAY_POST, "it may have been fired there"

    def read(self) -> None:
        if self.record.is_unposted:
            self.record.mark_read(self.record.ticket, 0.0)

    async def post(self, outcome: str, *, crash: str = "") -> None:
        """Send the POST, as ``Attempt`` does, to a Hevo that runs it or not."""
        record = self.record
        if record.state is not S.READ:
            return
        before = record.ticket
        await record.mark_sending(0.0)
        if crash == "before it left":
            self.crash()
            return
        self.posts += 1
        self.runs += outcome in {"accepted", "lost, but it ran"}
        if crash == "after it left":
            self.crash()
        elif crash == "cancelled":
            record.mark_interrupted(before, has_left=True)
        elif outcome == "accepted":
            await record.mark_settled(Post(answered_at=1.0, elapsed=0.1))
        elif outcome == "refused":
            await record.mark_not_sent(before)
        else:
            await record.mark_settled(Post(ambiguity="reset", elapsed=0.1))

    async def search(self) -> None:
        """Search to the end: a Hevo that has run it shows it then."""
        if self.record.state is S.FOUND or not self.record.may_have_been_posted:
            return
        if self.runs:
            await self.record.mark_found(Found("job", Certainty.LIKELY))
        elif self.record.state is not S.ACCEPTED:
            self.record.mark_unposted()

    async def hint(self, what: str) -> None:
        if what == "time has passed":
            self.record.reopen()
        elif self.record.earlier is not None:
            await self.record.mark_ambiguous("a Job is running")


STEPS: dict[str, Callable[[World], object]] = {
    "read": World.read,
    "crash": World.crash,
    "search": World.search,
    "time has passed": lambda world: world.hint("time has passed"),
    "evidence": lambda world: world.hint("evidence"),
    **{
        f"post, {outcome}{', crash ' * bool(crash)}{crash}": lambda world, o=outcome, c=crash: (  # type: ignore[misc]
            world.post(o, crash=c)
        )
        for outcome in ("accepted", "refused", "lost", "lost, but it ran")
        for crash in ("", "before it left", "after it left", "cancelled")
    },
}


async def walk(names: list[str]) -> World:
    world = World()
    for name in names:
        done = STEPS[name](world)
        if asyncio.iscoroutine(done):
            await done
        ticket = world.record.ticket
        assert TriggerTicket.loads(ticket.dumps()) == ticket, "every state can be stored"
        assert world.runs <= 1, "a second run was started"
    return world


@settings(max_examples=400)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=14))
def test_no_sequence_starts_a_second_run(names: list[str]) -> None:
    asyncio.run(walk(names))


def test_all_short_sequences_start_one_run_at_most() -> None:
    async def all_of_them() -> None:
        for names in itertools.product(sorted(STEPS), repeat=3):
            await walk(["read", *names, "read", "post, accepted"])

    asyncio.run(all_of_them())


async def test_a_broken_table_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge can see a second run: with one wrong transition there is one."""
    wrong = {**TRANSITIONS, (S.SENDING, E.LOADED): S.READ}
    monkeypatch.setattr("hevo_edge._triggering.states.TRANSITIONS", wrong)
    with pytest.raises(AssertionError, match="may have been fired|second run"):
        await walk(["read", "post, accepted, crash after it left", "post, accepted"])


# -- what is stored -------------------------------------------------------------------------------

VERSION_1 = (
    '{"version":1,"ticket_id":"t","pipeline_id":7,"action":"SYNC_NOW","job_type":null,'
    '"drop_and_load":false,"object_ids":null,"if_running":"wait","discovery_timeout":60.0,'
    '"watermark":{"known_job_ids":["a"],"read_at":5.5,"newest_ts":3,"tail":null},'
    '"timetable":{"on_demand":false,"every":60.0,"starts":[1]},'
    '"post":%s,"job_id":%s,"certainty":%s}'
)
DOUBTED = '{"doubt":"reset","took":%s,"answered_at":null,"sent_at":9.0}'


@pytest.mark.parametrize(
    ("post", "job", "state"),
    [
        ("null", "null", S.READ),
        (DOUBTED % "null", "null", S.SENDING),
        (DOUBTED % "0.5", "null", S.AMBIGUOUS),
        ('{"doubt":null,"took":0.5,"answered_at":6.0,"sent_at":9.0}', "null", S.ACCEPTED),
        ("null", '"j"', S.FOUND),
    ],
)
def test_version_1_still_loads(post: str, job: str, state: TicketState) -> None:
    ticket = TriggerTicket.loads(VERSION_1 % (post, job, "null"))
    assert ticket.state is state
    assert (ticket.version, ticket.watermark.server_time, ticket.schedule_grid.every) == (
        2,
        5.5,
        60,
    )
    if "reset" in post:
        assert ticket.post is not None
        assert (ticket.post.ambiguity, ticket.post.sent_at) == ("reset", 9.0)
    assert TriggerTicket.loads(ticket.dumps()) == ticket


def test_version_1_that_was_not_read_is_new() -> None:
    text = '{"version":1,"pipeline_id":7,"action":"SYNC_NOW","watermark":{}}'
    assert TriggerTicket.loads(text).state is S.NEW


@pytest.mark.parametrize(
    ("state", "rest"),
    [
        ("accepted", ""),
        ("sending", ""),
        ("found", ""),
        ("read", ',"job_id":"j"'),
        ("new", ',"post":{"ambiguity":"reset"}'),
        ("accepted", ',"post":{"ambiguity":"reset"}'),
        ("lost", ""),
    ],
)
def test_a_state_that_the_rest_contradicts_is_refused(state: str, rest: str) -> None:
    text = f'{{"version":2,"pipeline_id":7,"action":"SYNC_NOW","state":"{state}"{rest}}}'
    with pytest.raises(errors.ConfigurationError, match="not a TriggerTicket"):
        TriggerTicket.loads(text)
