"""The script against a model of it: any interleaving of clients, at any moment."""

from __future__ import annotations

import itertools
from collections import deque
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
        self.keys = [f"{name}:{part}" for part in ("calls", "hold", "waiting", "queue", "members")]
        self.client = client
        self.run: Any = client.register_script(SCRIPT)
        self.now = 1_000_000.0

    def ask(self, me: str, **what: Any) -> Answer:
        names: Any = self.client.zrangebyscore(self.keys[0], micros(self.now) + 1, "inf")
        own = sum(name.decode().startswith(f"{me}:") for name in names)
        ask = Ask(me, OCCUPIED, LEASE, patience=3.0, own=own, time=micros(self.now), **what)
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
    waited_until: float = float("-inf")
    """Somebody may count as waiting, and go first."""

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
        assert is_free or name is None
        assert name or not is_free or now < self.model.waited_until
        if name is not None:
            self.model.calls[name] = Call(me, now + OCCUPIED + LEASE)

    @rule(
        orders=st.tuples(st.permutations(MEMBERS), st.permutations(MEMBERS)),
        at_most=st.integers(1, 6),
        wanted=st.integers(1, 3),
    )
    def all_want_some(self, orders: tuple[list[str], ...], at_most: int, wanted: int) -> None:
        """Whoever goes first, a slot that is free is had by somebody, and by one at most."""
        for order in orders:
            free, granted = self.free(at_most), []
            for me in order:
                self.redis.now += 1e-5  # no two come in the same moment
                if name := self.redis.take(me, at_most, wanted):
                    granted.append((name, me))
            now = self.redis.now
            assert min(1, free) <= len(granted) <= self.free(at_most)
            for name, me in granted:
                self.model.calls[name] = Call(me, now + OCCUPIED + LEASE)
                self.redis.ask(me, news={name: IN_FLIGHT})
            self.model.waited_until = now + 3.0 + 2 * 15.0
            for name in [name for me in order for name in self.of(me)][:1]:
                self.redis.ask(self.model.calls.pop(name).owner, news={name: NOT_SENT})

    def free(self, at_most: int) -> int:
        now = self.redis.now
        return 0 if now < self.model.held_until else max(0, at_most - self.model.taken(now))

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


def test_of_more_clients_than_slots_the_one_that_waits_longest_is_next(client: redis.Redis) -> None:
    window = Redis(client)
    slots = deque([window.take("busy", 2), window.take("busy", 2)])
    for me in "abcd":
        window.now += 0.1
        assert not window.take(me, 2, wanted=5)
    for me in "abcdabcd":
        window.now += 0.1
        owner = (slot := slots.popleft() or "").partition(":")[0]
        window.ask(owner, news={slot: NOT_SENT})
        for other in {*"abcd"} - {me, owner}:
            assert not window.take(other, 2, wanted=5)
        slots.append(window.take(me, 2, wanted=5))
        assert slots[-1], me


def test_the_more_clients_go_first_the_later_one_asks_again(client: redis.Redis) -> None:
    window = Redis(client)
    for _ in range(2):
        assert window.take("busy", 2)
    asks = []
    for number in range(4):
        window.now += 0.1
        takes = [Take(f"{number}:3:0", 2, 3, 1)]
        asks.append(window.ask(f"{number}", takes=takes).ask_in)
    # Two have a part; of three, two go before, which takes a period: half of it, but not for long.
    assert asks == [0.0, 0.0, 15.0, 15.0]
    window.now += 20  # the first two have not come again
    takes = [Take("3:3:1", 2, 3, 1)]
    assert window.ask("3", takes=takes).ask_in == 0.0


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
