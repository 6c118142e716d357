"""The script against a model of it: any interleaving of clients, at any moment."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hevo_edge._http.redis_script import IN_FLIGHT, NOT_SENT, SCRIPT, Answer, Ask, Take, micros

from .redis_servers import RedisServer

OCCUPIED, LEASE = 60.0, 30.0
MEMBERS = ("a", "b", "c")
NUMBERS = itertools.count()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as client:
        yield client


class Redis:
    """A window that clients ask one after another, at a time of our own."""

    def __init__(self, client: redis.Redis) -> None:
        name = f"{{model:{next(NUMBERS)}}}"
        self.keys = [f"{name}:{part}" for part in ("calls", "hold", "waiting", "members")]
        self.client = client
        self.run: Any = client.register_script(SCRIPT)
        self.now = 1_000_000.0

    def ask(self, me: str, **what: Any) -> Answer:
        ask = Ask(me, OCCUPIED, LEASE, patience=3.0, time=micros(self.now), **what)
        return Answer.read(self.run(self.keys, ask.arguments()))

    def take(self, me: str, at_most: int, wanted: int = 0, rank: int = 3) -> str | None:
        name = f"{me}:{rank}:{next(NUMBERS):x}"
        answer = self.ask(me, takes=[Take(name, at_most, rank, wanted)])
        return name if answer.granted == (True,) else None


@dataclass
class Call:
    owner: str
    free_at: float
    is_over: bool = False


@dataclass
class Model:
    calls: dict[str, Call] = field(default_factory=dict)
    held_until: float = float("-inf")

    def taken(self, now: float) -> int:
        self.calls = {name: call for name, call in self.calls.items() if call.free_at > now}
        return len(self.calls)


class Machine(RuleBasedStateMachine):
    """Several clients, Redis, and the model."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis, self.model = Redis(self.client), Model()

    def of(self, me: str, *, is_over: bool = False) -> list[str]:
        self.model.taken(self.redis.now)
        calls = self.model.calls.items()
        return [name for name, call in calls if call.owner == me and call.is_over == is_over]

    @rule(seconds=st.sampled_from([0.001, 0.5, 7, 29.9, 30.1, 60, 91]))
    def time_goes_on(self, seconds: float) -> None:
        self.redis.now += seconds

    @rule(me=st.sampled_from(MEMBERS), at_most=st.integers(1, 6))
    def take(self, me: str, at_most: int) -> None:
        now = self.redis.now
        is_free = self.model.taken(now) < at_most and now >= self.model.held_until
        name = self.redis.take(me, at_most)
        assert (name is not None) == is_free
        if name is not None:
            self.model.calls[name] = Call(me, now + OCCUPIED + LEASE)

    @rule(me=st.sampled_from(MEMBERS), sent=st.booleans(), ago=st.sampled_from([0, 0.04, 5]))
    def give_back(self, me: str, sent: bool, ago: float) -> None:
        for name in self.of(me)[:1]:
            told = str(micros(ago)) if sent else NOT_SENT
            self.redis.ask(me, news={name: told})
            call = self.model.calls[name]
            call.free_at = self.redis.now - ago + OCCUPIED if sent else 0.0
            call.is_over = True

    @rule(me=st.sampled_from(MEMBERS))
    def renew(self, me: str) -> None:
        names = self.of(me)
        self.redis.ask(me, news=dict.fromkeys(names, IN_FLIGHT))
        for name in names:
            self.model.calls[name].free_at = self.redis.now + OCCUPIED + LEASE

    @rule(seconds=st.integers(1, 100))
    def hold(self, seconds: int) -> None:
        self.redis.ask("a", hold=(float(seconds), 0.5))
        self.model.held_until = max(self.model.held_until, self.redis.now + seconds)

    @rule(me=st.sampled_from(MEMBERS))
    def tell_all(self, me: str) -> None:
        """What it does not name is not taken any more."""
        kept = self.of(me)[:1]
        over = self.of(me, is_over=True)
        news = dict.fromkeys(kept, IN_FLIGHT)
        for name in over:
            ago = self.redis.now - (self.model.calls[name].free_at - OCCUPIED)
            news[name] = str(micros(ago))
        self.redis.ask(me, is_whole=True, news=news)
        for name in self.of(me)[1:]:
            del self.model.calls[name]
        for name in kept:
            self.model.calls[name].free_at = self.redis.now + OCCUPIED + LEASE

    @rule()
    def forget(self) -> None:
        """Redis loses everything; the next who comes notices, and nothing is done for it."""
        self.redis.client.delete(*self.redis.keys)
        for me in MEMBERS:
            for witness in self.of(me)[-1:]:
                takes = [Take(f"{me}:3:0", 100, 3, 0)]
                assert not self.redis.ask(me, witness=witness, takes=takes).is_known
        assert self.redis.client.exists(*self.redis.keys) == 0
        self.model = Model()

    @invariant()
    def they_agree(self) -> None:
        now = self.redis.now
        answer = self.redis.ask("looks on", asks_members=False)
        assert answer.taken == self.model.taken(now)
        free = [call.free_at - now for call in self.model.calls.values()]
        first = min((each for each in free if each <= OCCUPIED), default=None)
        if first is None:
            assert answer.free_in is None
        else:
            assert answer.free_in == pytest.approx(first, abs=1e-4)
        if self.model.held_until > now:
            assert answer.held_for == pytest.approx(self.model.held_until - now, abs=1e-4)


def test_any_interleaving_is_as_the_model_has_it(client: redis.Redis) -> None:
    clients = type("Clients", (Machine,), {"client": client})
    run_state_machine_as_test(
        clients, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )


def test_a_clock_that_is_set_back_blocks_nobody(client: redis.Redis) -> None:
    window = Redis(client)
    for _ in range(3):
        assert window.take("a", 3)
    window.ask("a", hold=(100.0, 0.5))
    window.now -= 10_000
    assert window.take("b", 3)


def test_who_has_had_more_leaves_something_to_one_that_waits(client: redis.Redis) -> None:
    window = Redis(client)
    slots = [window.take("greedy", 6) for _ in range(6)]
    assert all(slots)
    assert not window.take("modest", 6, wanted=5)
    for slot in slots[:4]:
        assert slot
        window.ask("greedy", news={slot: NOT_SENT})
    # Each may have three: four are free, and the other one is short of three.
    assert window.take("greedy", 6)
    assert not window.take("greedy", 6)
    assert [window.take("modest", 6, wanted=2 - n) is not None for n in range(3)] == [True] * 3
    assert not window.take("modest", 6)


def test_one_that_waits_no_more_keeps_nothing_from_others(client: redis.Redis) -> None:
    window = Redis(client)
    slots = [window.take("greedy", 2) for _ in range(2)]
    assert not window.take("modest", 2, wanted=5)
    assert slots[0]
    window.ask("greedy", news={slots[0]: NOT_SENT})
    slots = [window.take("greedy", 2)]
    assert slots == [None], "the other one has none"
    window.now += 3.1  # it was not heard of again
    assert window.take("greedy", 2)


def test_a_trigger_waits_for_no_poll(client: redis.Redis) -> None:
    window = Redis(client)
    for _ in range(6):
        assert window.take("a", 8)
    assert not window.take("b", 6, wanted=50)
    assert window.take("a", 8, rank=1)


def test_those_who_live_are_counted(client: redis.Redis) -> None:
    window = Redis(client)
    assert [window.ask(me, asks_members=True).members for me in "aabc"] == [1, 1, 2, 3]
    window.now += 200
    assert window.ask("a", asks_members=True).members == 3
    window.now += 200
    assert window.ask("d", asks_members=True).members == 2
    assert window.ask("d").members is None
