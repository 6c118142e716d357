"""The limiter over a window that has to be asked, as one over a network has: nothing is lost meanwhile."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.window import LocalWindow, Slot

from .support import now, use
from .window_conformance import OCCUPIED, Join, WindowConformance

ROUND_TRIP = 0.05


class RemoteWindow(LocalWindow):
    """A window that answers after a round trip."""

    recheck_in = 1.0

    async def take(
        self, now: float, at_most: int, priority: Priority = Priority.LIST, wanted: int = 0
    ) -> Slot | None:
        await asyncio.sleep(ROUND_TRIP / 2)
        slot = self.take_now(asyncio.get_running_loop().time(), at_most, priority)
        try:
            await asyncio.sleep(ROUND_TRIP / 2)
        except asyncio.CancelledError:
            if slot is not None:
                self.give_back(slot, now, sent=False)
            raise
        return slot


class TestRemoteWindow(WindowConformance):
    @pytest.fixture
    def join(self) -> Join:
        window = RemoteWindow(OCCUPIED)
        return lambda: window


@pytest.fixture
def limiter() -> RateLimiter:
    return over_a_remote_window(1, 10.0)


def over_a_remote_window(calls: int, period: float) -> RateLimiter:
    limiter = RateLimiter(RateLimit(calls, period, margin=0), Clock())
    limiter._window = RemoteWindow(period)
    return limiter


def nothing_left(limiter: RateLimiter) -> bool:
    queue = limiter._queues.get()
    return queue.timer is None and queue.granting is None and not limiter._taken


@pytest.mark.parametrize("seed", range(5))
async def test_calls_that_come_and_go_get_their_slots_and_no_more(seed: int) -> None:
    chance = random.Random(seed)
    limiter = over_a_remote_window(5, 10.0)
    arrivals: list[float] = []

    async def one() -> None:
        await asyncio.sleep(chance.random() * 60)
        slot = await limiter.acquire(chance.choice(list(Priority)))
        assert slot
        arrivals.append(now())
        try:
            await asyncio.sleep(chance.random())
        finally:
            limiter.release(slot, sent=True)

    calls = [asyncio.create_task(one()) for _ in range(60)]
    await asyncio.sleep(20)
    for call in calls[:20]:
        await asyncio.sleep(chance.random())
        call.cancel()
    await asyncio.wait(calls)
    assert len(arrivals) >= 40
    for first, one_too_many in zip(arrivals, arrivals[5:], strict=False):
        assert one_too_many - first >= 10.0
    assert nothing_left(limiter)


async def test_a_call_that_is_cancelled_while_the_window_is_asked_loses_no_slot(
    limiter: RateLimiter,
) -> None:
    for moment in (0.0, 0.01, 0.03, 0.05, 0.06):
        calls = [asyncio.create_task(limiter.acquire(Priority.POLL)) for _ in range(3)]
        await asyncio.sleep(moment)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        for call in calls:
            if not call.cancelled() and (slot := call.result()):
                limiter.release(slot, sent=False)
        await asyncio.sleep(1)
        assert limiter._window.state(now()).taken == 0
        assert nothing_left(limiter)


async def test_what_is_given_back_while_the_window_is_asked_is_found(limiter: RateLimiter) -> None:
    """The next try would be made a second later."""
    slot = await limiter.acquire(Priority.POLL)
    assert slot
    waiting = asyncio.create_task(limiter.acquire(Priority.POLL))
    began = now()
    # The queue is served a round trip after the first refusal; then the answer is on its way.
    await asyncio.sleep(ROUND_TRIP * 1.75)
    limiter.release(slot, sent=False)
    assert await waiting
    assert now() - began < 4 * ROUND_TRIP


async def test_the_more_urgent_goes_first(limiter: RateLimiter) -> None:
    order: list[Priority] = []

    async def one(priority: Priority) -> None:
        await use(limiter, priority)
        order.append(priority)

    await use(limiter, Priority.POLL)
    waiting = [asyncio.create_task(one(priority)) for priority in reversed(Priority)]
    await asyncio.wait(waiting)
    assert order[0] is Priority.CANCEL
    assert order[1] is Priority.TRIGGER


async def test_granting_goes_on_when_its_task_is_cancelled(limiter: RateLimiter) -> None:
    """As by a program that cancels all tasks but its own when it shuts down."""
    await use(limiter, Priority.POLL)
    waiting = asyncio.create_task(use(limiter, Priority.POLL))
    began = now()
    await asyncio.sleep(ROUND_TRIP * 1.5)
    granting = limiter._queues.get().granting
    assert granting
    granting.cancel()
    await waiting
    assert now() - began < 12


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_with_eager_tasks() -> None:
    limiter = RateLimiter(RateLimit(2, 10.0, margin=0), Clock())
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 -- new in 3.12
    try:
        began = now()
        await asyncio.gather(*(use(limiter, Priority.CANCEL) for _ in range(8)))
        assert now() - began == pytest.approx(30, abs=0.1)
    finally:
        loop.set_task_factory(factory)
    assert nothing_left(limiter)
