"""Limiters that share a window through Redis, in virtual time: priorities, fairness, pauses, loops."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from hevo_edge import RateLimit
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_window import RedisWindow

from .redis_servers import RedisServer
from .support import now, use

Limit = Callable[..., RateLimiter]


@pytest.fixture
def limiter(redis_server: RedisServer, request: pytest.FixtureRequest) -> Limit:
    """Return a function that makes one more machine's limiter."""

    def make(calls: int = 100, period: float = 60.0) -> RateLimiter:
        name = redis_server.name()
        made = RateLimiter(
            RateLimit(calls, period, shared=redis_server.url, shared_name=name), Clock()
        )
        window = made._window
        assert isinstance(window, RedisWindow)
        window._offset, window._offset_at = 1e9, math.inf
        return made

    return make


@asynccontextmanager
async def under_way() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Give a list of tasks, which are cancelled in the end."""
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(1)


virtual = pytest.mark.asks_another_process


@virtual
@pytest.mark.usefixtures("patient")
async def test_the_reserve_is_kept_back_from_the_polls_of_all_machines(limiter: Limit) -> None:
    one, other = limiter(), limiter()
    polls = [
        asyncio.create_task(use(each, Priority.POLL)) for each in (one, other) for _ in range(80)
    ]
    await asyncio.sleep(50)
    began = now()
    for each in (one, other):
        await use(each, Priority.CANCEL)
        await use(each, Priority.TRIGGER)
    assert now() - began < 0.1, "polls of others never keep a trigger waiting"
    await asyncio.wait(polls)


@virtual
@pytest.mark.usefixtures("patient")
async def test_a_machine_with_a_thousand_calls_leaves_another_its_part(limiter: Limit) -> None:
    greedy, modest = limiter(20, 10.0), limiter(20, 10.0)
    done: dict[RateLimiter, list[float]] = {greedy: [], modest: []}

    async def call(each: RateLimiter) -> None:
        await use(each, Priority.LIST)
        done[each].append(now())

    async with under_way() as tasks:
        tasks += [asyncio.create_task(call(greedy)) for _ in range(300)]
        await asyncio.sleep(5)  # it has all that there is
        began = now()
        tasks += [asyncio.create_task(call(modest)) for _ in range(60)]
        await asyncio.sleep(60)
        both = [sum(at > began for at in done[each]) for each in (greedy, modest)]
        assert sum(both) >= 0.9 * 18 * 5, "and nothing lies idle for that"
        assert both[1] >= 0.35 * sum(both)


@virtual
@pytest.mark.usefixtures("patient")
async def test_more_machines_than_slots_have_their_turns(limiter: Limit) -> None:
    machines = [limiter(10, 10.0) for _ in range(30)]
    done = [0] * len(machines)

    async def again_and_again(number: int) -> None:
        while True:
            await use(machines[number], Priority.POLL)
            done[number] += 1

    async with under_way() as tasks:
        tasks += [asyncio.create_task(again_and_again(n)) for n in range(30) for _ in range(2)]
        await asyncio.sleep(65)  # who comes first has had more of the first slots
        before = list(done)
        await asyncio.sleep(200)
    since = [more - less for more, less in zip(done, before, strict=True)]
    assert sum(since) >= 0.9 * 9 * 20
    assert max(since) - min(since) <= 2, "then each has its turn, one after another"


@virtual
@pytest.mark.usefixtures("patient")
async def test_a_429_of_one_machine_pauses_all_and_halves_the_share_of_all(limiter: Limit) -> None:
    one, other = limiter(), limiter()
    for each in (one, other):
        await use(each, Priority.POLL)
    one.rejected(30.0)
    await asyncio.sleep(1)
    began = now()
    await use(other, Priority.CANCEL)
    assert now() - began == pytest.approx(29, abs=1.1)
    for each in (one, other, limiter()):
        await use(each, Priority.LIST)
        await use(each, Priority.LIST)
        assert each._throttle.budget_share(now()) == pytest.approx(0.5, abs=0.01)
    await asyncio.sleep(300)
    assert one._throttle.budget_share(now()) == pytest.approx(1, abs=0.05)
    assert other._throttle.budget_share(now()) == pytest.approx(1, abs=0.05)


@virtual
@pytest.mark.usefixtures("patient")
async def test_two_429s_of_one_pause_halve_the_share_once(limiter: Limit) -> None:
    one, other = limiter(), limiter()
    for each in (one, other):
        await use(each, Priority.POLL)
    one.rejected(30.0, sent_at=now())
    other.rejected(30.0, sent_at=now())
    await asyncio.sleep(1)
    for each in (one, other):
        await each.acquire(Priority.CANCEL, now())
        assert each._throttle.budget_share(now()) == 0.5


@virtual
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seed", range(1))
async def test_many_machines_make_all_of_the_calls_and_no_more(limiter: Limit, seed: int) -> None:
    chance, calls, period = random.Random(seed), 20, 10.0
    machines = [limiter(calls, period) for _ in range(12)]
    arrivals: list[float] = []

    async def call(each: RateLimiter) -> None:
        while True:
            slot = await each.acquire(chance.choice([Priority.TRIGGER, Priority.POLL]))
            assert slot
            await asyncio.sleep(chance.random() * 0.3)
            arrivals.append(now())
            await asyncio.sleep(chance.random() * 0.3)
            each.release(slot, sent=True)

    async with under_way() as tasks:
        tasks += [asyncio.create_task(call(each)) for each in machines for _ in range(3)]
        await asyncio.sleep(60)
    for first, one_too_many in zip(arrivals, arrivals[calls:], strict=False):
        assert one_too_many - first >= period
    # A slot is held for the time on the way as well: 10.4 s and the margin.
    assert len(arrivals) > 0.85 * calls * 60 / (period + 0.4)


# -- event loops and clients -----------------------------------------------------------------------


def connections(server: RedisServer) -> int:
    return len(server.ask("CLIENT", "LIST").splitlines()) - 1


def test_one_client_in_several_event_loops_one_after_another(redis_server: RedisServer) -> None:
    before = connections(redis_server)
    limit = RateLimit(3, shared=redis_server.url, shared_name=redis_server.name())
    shared = RateLimiter(limit, Clock())

    async def once(*, close: bool) -> bool:
        slot = await shared.acquire(Priority.CANCEL, Clock().now())
        if slot is not None:
            shared.release(slot, sent=True)
        if close:
            await shared.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return slot is not None

    found = [asyncio.run(once(close=close)) for close in (False, True, False, True)]
    assert found == [True, True, True, False]
    gc.collect()
    assert connections(redis_server) == before


@pytest.mark.real_time
async def test_closing_closes_the_connection_and_tells_what_is_over(
    redis_server: RedisServer,
) -> None:
    before = connections(redis_server)
    limit = RateLimit(3, shared=redis_server.url, shared_name=redis_server.name())
    shared = RateLimiter(limit, Clock())
    slots = [await shared.acquire(Priority.CANCEL) for _ in range(2)]
    assert connections(redis_server) == before + 1
    for slot, sent in zip(slots, (True, False), strict=True):
        assert slot
        shared.release(slot, sent=sent)
    await shared.close()
    assert connections(redis_server) == before
    assert redis_server.ask("ZCARD", f"{{{redis_server.name()}}}:calls") == 1


@pytest.mark.real_time
async def test_nothing_stays_in_redis_for_ever(redis_server: RedisServer) -> None:
    limit = RateLimit(2, shared=redis_server.url, shared_name=redis_server.name())
    shared = RateLimiter(limit, Clock())
    for _ in range(3):
        await shared.acquire(Priority.CANCEL, Clock().now() + 0.1)
    shared.rejected(5.0)
    await shared.close()
    keys = redis_server.ask("KEYS", f"{{{redis_server.name()}}}:*")
    assert len(keys) == 5
    assert all(0 < redis_server.ask("PTTL", key) <= 3_600_000 for key in keys)


FORKS = """
import asyncio, os, sys
from hevo_edge import RateLimit
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority

shared = RateLimiter(RateLimit(4, shared=sys.argv[1], shared_name=sys.argv[2]), Clock())

async def take():
    slot = await shared.acquire(Priority.CANCEL, Clock().now())
    if slot is not None:
        shared.release(slot, sent=True)
    await shared.close()
    return slot is not None

print(asyncio.run(take()), flush=True)
child = os.fork()
if child == 0:
    print([asyncio.run(take()) for _ in range(2)], flush=True)
    os._exit(0)
os.waitpid(child, 0)
print([asyncio.run(take()) for _ in range(2)], flush=True)

async def main():
    assert not await take()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return await take()

print(asyncio.run(main()), flush=True)
"""


@pytest.mark.real_time
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_and_its_parent_are_two_of_those_who_share(redis_server: RedisServer) -> None:
    arguments = (redis_server.url, redis_server.name())
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.stderr == ""
    assert found.stdout.splitlines() == ["True", "[True, True]", "[True, False]", "False"]
