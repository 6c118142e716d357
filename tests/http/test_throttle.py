"""A 429: a pause for all calls, then a smaller share of the budget for what can wait."""

from __future__ import annotations

import asyncio
import sys

import pytest

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.throttle import LEAST_PAUSE, MAX_PAUSE, Throttle

from .support import now, use


async def test_nothing_goes_through_in_the_pause() -> None:
    limiter = RateLimiter(RateLimit(5, 60.0), Clock())
    start = now()
    limiter.rejected(7)
    limiter.rejected(3)
    assert await limiter.acquire(Priority.CANCEL)
    assert now() - start == pytest.approx(7)
    limiter.rejected(7)
    assert limiter.free_slots(Priority.CANCEL) == 0


# -- without a limit -------------------------------------------------------------------------------


async def test_without_a_limit_nothing_waits_but_for_the_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="hevo_edge")
    limiter = RateLimiter(None, Clock())
    start = now()
    for _ in range(1000):
        await use(limiter, Priority.LIST)
    assert now() == start
    assert limiter.free_slots(Priority.POLL) == sys.maxsize
    limiter.rejected(5)
    assert limiter.free_slots(Priority.POLL) == 0
    assert limiter.time_for(1000, Priority.POLL) == pytest.approx(5)
    await asyncio.gather(*(use(limiter, Priority.LIST) for _ in range(1000)))
    assert now() - start == pytest.approx(5)
    assert [record.getMessage() for record in caplog.records] == [
        "Hevo has refused a call (429); next call in 5 s"
    ]


async def test_without_a_limit_a_deadline_or_a_cancellation_ends_the_pause() -> None:
    limiter = RateLimiter(None, Clock())
    limiter.rejected(30)
    start = now()
    assert await limiter.acquire(Priority.CANCEL, start + 3) is None
    assert now() - start == pytest.approx(3)
    assert await limiter.acquire(Priority.CANCEL, start) is None
    waiting = asyncio.create_task(limiter.acquire(Priority.CANCEL))
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    limiter.rejected(40)  # meanwhile the pause grows
    assert await limiter.acquire(Priority.CANCEL, start + 100)
    assert now() - start == pytest.approx(44)


# -- the pause -------------------------------------------------------------------------------------


def pauses(throttle: Throttle, moments: int) -> list[float]:
    """Return how long each of so many 429s without Retry-After pauses, one after another."""
    seconds, at = [], 1000.0
    for _ in range(moments):
        throttle.rejected(at, None)
        seconds.append(throttle.pause_left(at))
        at = throttle.paused_until
    return seconds


def test_without_retry_after_the_pause_doubles_up_to_a_cap() -> None:
    throttle = Throttle(60.0)
    assert pauses(throttle, 6) == [10, 20, 40, 80, 120, 120]
    assert pauses(throttle, 2000)[-1] == MAX_PAUSE


def test_several_429s_of_one_moment_count_once() -> None:
    throttle = Throttle(60.0)
    for reply in range(20):
        throttle.rejected(0.01 * reply, None)
    assert throttle.paused_until == pytest.approx(10.19)
    assert throttle.budget_share(1.0) == 0.5
    throttle.rejected(11.0, None)
    assert throttle.pause_left(11.0) == 20


def test_a_429_of_a_call_from_before_the_pause_is_of_the_same_moment() -> None:
    throttle = Throttle(60.0)
    throttle.rejected(0.0, 2.0, sent_at=-0.1)
    for reply in range(10):  # slow to come, each after the pause that the last one has begun
        throttle.rejected(3.0 + 3.0 * reply, 2.0, sent_at=-0.1)
        assert throttle.pause_left(3.0 + 3.0 * reply) == 2.0
    assert throttle.budget_share(30.0) == 0.5
    throttle.rejected(40.0, 2.0, sent_at=39.9)
    assert throttle.budget_share(40.0) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("nothing", [0.0, -5.0, None])
def test_a_server_that_asks_for_no_wait_does_not_turn_the_pause_off(nothing: float | None) -> None:
    throttle, at = Throttle(60.0), 1000.0
    for pause in (10, 20, 40, 80, 120, 120):
        throttle.rejected(at, nothing)
        assert throttle.pause_left(at) == pause
        at += pause


def test_a_server_that_asks_for_next_to_nothing_gets_a_second() -> None:
    throttle = Throttle(60.0)
    throttle.rejected(0.0, 0.001)
    assert throttle.pause_left(0.0) == LEAST_PAUSE == 1.0


def test_a_success_lets_the_pause_start_small_again() -> None:
    throttle = Throttle(60.0)
    assert pauses(throttle, 2) == [10, 20]
    throttle.accepted(1015.0)  # of a call from before the pause
    throttle.rejected(1030.0, None)
    assert throttle.pause_left(1030.0) == 40
    throttle.accepted(1070.0)
    throttle.rejected(1080.0, None)
    assert throttle.pause_left(1080.0) == 10


def test_retry_after_wins_over_the_row() -> None:
    throttle = Throttle(60.0)
    assert pauses(throttle, 2) == [10, 20]
    throttle.rejected(1030.0, 3.0)
    assert throttle.pause_left(1030.0) == 3
    throttle.rejected(1031.0, None)  # another reply of that moment
    assert throttle.pause_left(1031.0) == 20
    throttle.rejected(1060.0, 1e9)
    assert throttle.pause_left(1060.0) == MAX_PAUSE


def test_a_first_429_without_retry_after_in_a_pause() -> None:
    throttle = Throttle(60.0)
    throttle.rejected(0.0, 3.0)
    throttle.rejected(1.0, None)
    assert throttle.pause_left(1.0) == 10


# -- the budget share ------------------------------------------------------------------------------


async def rate_of(limiter: RateLimiter, priority: Priority, seconds: float) -> int:
    """Return how many calls get through."""
    count = 0

    async def call_for_ever() -> None:
        nonlocal count
        while True:
            await use(limiter, priority)
            count += 1

    calling = asyncio.create_task(call_for_ever())
    await asyncio.sleep(seconds)
    calling.cancel()
    await asyncio.wait({calling})
    return count


async def test_a_429_halves_what_can_wait_and_it_comes_back_slowly() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0, margin=0), Clock())
    limiter.rejected(30)
    limiter.rejected(20)  # another reply of the same moment
    assert limiter._throttle.budget_share(now()) == 0.5
    await asyncio.sleep(29.9)
    assert limiter._throttle.budget_share(now()) == 0.5, (
        "nothing comes back while the window is full"
    )
    minutes = [await rate_of(limiter, Priority.POLL, 60) for _ in range(7)]
    assert 45 <= minutes[0] <= 0.6 * 90
    assert minutes == sorted(minutes)
    assert minutes[-1] >= 89
    assert limiter._throttle.budget_share(now()) == 1.0


async def test_each_further_429_halves_again_but_something_is_left() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for share in (0.5, 0.25, 0.125, 0.0625, 0.05, 0.05):
        limiter.rejected(1)
        assert limiter._throttle.budget_share(now()) == pytest.approx(share, abs=0.01)
        await asyncio.sleep(1)
    assert await rate_of(limiter, Priority.LIST, 59) >= 4


async def test_cancels_and_triggers_are_not_slowed_down() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for _ in range(5):
        limiter.rejected(1)
        await asyncio.sleep(1)
    assert await rate_of(limiter, Priority.TRIGGER, 50) == 98
    assert await limiter.acquire(Priority.CANCEL)


async def test_processes_that_share_a_quota_find_their_shares() -> None:
    """Two clients, each believing that all hundred calls are its own."""
    served: list[float] = []
    refused: list[float] = []

    async def client(limiter: RateLimiter) -> None:
        while True:
            slot = await limiter.acquire(Priority.POLL)
            assert slot
            window = [at for at in served if at > now() - 60]
            if len(window) >= 100:
                refused.append(now())
                limiter.rejected(max(1.0, window[0] + 60 - now()))
            else:
                served.append(now())
            limiter.release(slot, sent=True)

    clients = [asyncio.create_task(client(RateLimiter(RateLimit(), Clock()))) for _ in range(2)]
    await asyncio.sleep(1200)
    for one in clients:
        one.cancel()
    await asyncio.wait(clients)
    # Without backing off, every other call would be refused, 90 a minute.
    assert len(refused) < 30
    assert len(served) > 0.6 * 20 * 100
