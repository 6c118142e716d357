"""The limiter: exact in any window, urgent calls first, no slot ever lost."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge import errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge.emulator import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


async def use(limiter: RateLimiter, priority: Priority, *, sent: bool = True) -> None:
    slot = await limiter.acquire(priority)
    assert slot
    limiter.release(slot, sent=sent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": 0},
        {"calls": 1.5},
        {"calls": True},
        {"period": 0},
        {"period": float("nan")},
        {"margin": -1},
    ],
)
def test_numbers_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="RateLimit"):
        RateLimit(**wrong)


def test_ceilings_leave_room_for_what_is_urgent() -> None:
    limit = RateLimit(100, 60.0)
    ceilings = [limit.ceiling(priority) for priority in Priority]
    assert ceilings == [100, 98, 95, 90, 90]
    assert all(RateLimit(1, 1.0).ceiling(priority) == 1 for priority in Priority)
    assert RateLimit(5, 60.0, margin=0).margin == 0


@given(
    calls=st.integers(1, 12),
    demands=st.lists(
        st.tuples(
            st.floats(0, 30),  # when it comes
            st.floats(0, 20),  # how long the server takes
            st.sampled_from(list(Priority)),
        ),
        min_size=1,
        max_size=40,
    ),
    share=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_server_never_sees_more_than_the_limit_in_any_period(
    calls: int, demands: list[tuple[float, float, Priority]], share: float
) -> None:
    arrivals: list[float] = []

    async def main() -> None:
        limiter = RateLimiter(RateLimit(calls, 10.0), Clock())

        async def one(comes: float, takes: float, priority: Priority) -> None:
            await asyncio.sleep(comes)
            slot = await limiter.acquire(priority)
            assert slot
            # It arrives anywhere between its sending and its reply.
            await asyncio.sleep(takes * share)
            arrivals.append(now())
            await asyncio.sleep(takes * (1 - share))
            limiter.release(slot, sent=True)

        await asyncio.gather(*(one(*demand) for demand in demands))

    virtual_time.run(main())
    assert len(arrivals) == len(demands)
    arrivals.sort()
    for first, one_too_many in zip(arrivals, arrivals[calls:], strict=False):
        assert one_too_many - first >= 10.0


async def test_urgent_calls_go_first_and_equals_in_order() -> None:
    limiter = RateLimiter(RateLimit(1, 10.0), Clock())
    first = await limiter.acquire(Priority.LIST)
    assert first
    order: list[str] = []

    async def one(priority: Priority, name: str) -> None:
        slot = await limiter.acquire(priority)
        assert slot
        order.append(name)
        limiter.release(slot, sent=True)

    waiting = [
        asyncio.create_task(one(priority, name))
        for priority, name in [
            (Priority.LIST, "list"),
            (Priority.POLL, "look 1"),
            (Priority.POLL, "look 2"),
            (Priority.CANCEL, "cancel"),
            (Priority.TRIGGER, "trigger"),
        ]
    ]
    await asyncio.sleep(0)
    limiter.release(first, sent=True)
    await asyncio.gather(*waiting)
    assert order == ["cancel", "trigger", "look 1", "look 2", "list"]


async def test_a_cancel_need_not_wait_behind_looks() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for _ in range(90):
        await use(limiter, Priority.POLL)
    start = now()
    look = asyncio.create_task(limiter.acquire(Priority.POLL))
    for priority, slots in ((Priority.DISCOVERY, 5), (Priority.TRIGGER, 3), (Priority.CANCEL, 2)):
        for _ in range(slots):
            await limiter.acquire(priority)
    assert now() == start
    assert not look.done()
    look.cancel()
    await asyncio.wait({look})


async def test_a_cancelled_wait_loses_no_slot() -> None:
    limiter = RateLimiter(RateLimit(1, 10.0, margin=0), Clock())
    first = await limiter.acquire(Priority.POLL)
    assert first
    waiting = [asyncio.create_task(limiter.acquire(Priority.POLL)) for _ in range(3)]
    await asyncio.sleep(1)
    waiting[0].cancel()
    # Granted and cancelled in the same breath: the slot goes on to the next.
    limiter.release(first, sent=False)
    waiting[1].cancel()
    await asyncio.wait(waiting[:2])
    assert await waiting[2]
    assert waiting[0].cancelled()
    assert waiting[1].cancelled()


async def test_what_was_not_sent_costs_nothing() -> None:
    limiter = RateLimiter(RateLimit(1, 10.0), Clock())
    start = now()
    for _ in range(5):
        await use(limiter, Priority.POLL, sent=False)
    assert now() == start


async def test_a_deadline_ends_the_wait_for_a_slot() -> None:
    limiter = RateLimiter(RateLimit(1, 60.0), Clock())
    await use(limiter, Priority.POLL)
    start = now()
    assert not await limiter.acquire(Priority.POLL, start + 5)
    assert now() - start == pytest.approx(5)
    assert not await limiter.acquire(Priority.POLL, start)
    # The one who gave up is out of the way of the next.
    assert await limiter.acquire(Priority.POLL, start + 100)
    assert now() - start == pytest.approx(60.1)


async def test_a_held_limiter_lets_nothing_through() -> None:
    limiter = RateLimiter(RateLimit(5, 60.0), Clock())
    start = now()
    limiter.hold(7)
    limiter.hold(3)
    assert await limiter.acquire(Priority.CANCEL)
    assert now() - start == pytest.approx(7)


async def test_without_a_limit_nothing_waits() -> None:
    limiter = RateLimiter(None, Clock())
    start = now()
    for _ in range(1000):
        await use(limiter, Priority.LIST)
    limiter.hold(5)
    assert await limiter.acquire(Priority.LIST)
    assert now() == start


def test_the_log_outlives_the_loop() -> None:
    limiter = RateLimiter(RateLimit(1, 5.0), Clock())

    async def one() -> None:
        await use(limiter, Priority.POLL)

    async def left_waiting() -> None:
        waiting = asyncio.create_task(limiter.acquire(Priority.POLL))
        await asyncio.sleep(0)
        assert not waiting.done()

    virtual_time.run(one())
    virtual_time.run(left_waiting())
    loop = virtual_time.VirtualTimeLoop()
    start = loop.time()
    loop.run_until_complete(one())
    assert 4 < loop.time() - start < 6
    loop.close()


async def test_a_list_that_waits_long_goes_before_looks() -> None:
    """Looks must not starve lists for ever; what is more urgent still goes first."""
    limiter = RateLimiter(RateLimit(1, 10.0, margin=0), Clock())
    order: list[str] = []

    async def one(priority: Priority, name: str, comes: float) -> None:
        await asyncio.sleep(comes)
        await use(limiter, priority)
        order.append(name)

    await use(limiter, Priority.LIST)
    await asyncio.gather(
        one(Priority.LIST, "list", 0.1),
        *(one(Priority.POLL, f"look {n}", n * 9.0) for n in range(8)),
        one(Priority.TRIGGER, "trigger", 25),
    )
    assert order.index("trigger") == 2
    assert 2 < order.index("list") < 6


async def test_a_stall_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="hevo_edge")
    limiter = RateLimiter(RateLimit(2, 60.0), Clock())
    await asyncio.gather(*(use(limiter, Priority.POLL) for _ in range(4)))
    assert len(caplog.records) == 1
    assert "call budget is used up" in caplog.text
    assert "next call in 60 s" in caplog.text


def test_a_slot_of_a_loop_that_died_is_free_again() -> None:
    limiter = RateLimiter(RateLimit(1, 5.0), Clock())
    loop = asyncio.new_event_loop()
    slot = loop.run_until_complete(limiter.acquire(Priority.POLL))
    assert slot
    loop.close()

    async def next_loop() -> None:
        await asyncio.wait_for(use(limiter, Priority.POLL), 1)

    asyncio.run(next_loop())
    limiter.release(slot, sent=True)


def test_loops_that_take_turns_keep_their_own_queues() -> None:
    limiter = RateLimiter(RateLimit(1, 0.05, margin=0), Clock())
    first = asyncio.new_event_loop()
    first.run_until_complete(use(limiter, Priority.POLL))
    waiting = first.create_task(use(limiter, Priority.POLL))
    first.run_until_complete(asyncio.sleep(0))
    asyncio.run(use(limiter, Priority.POLL))
    first.run_until_complete(asyncio.wait_for(waiting, 5))
    first.close()


# -- looks that saturate the budget ---------------------------------------------------------------


async def test_looks_that_fill_the_window_are_spaced_evenly() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    start = now()
    times = []
    for _ in range(600):
        await use(limiter, Priority.POLL)
        times.append(now() - start)
    assert times[66] == 0, "three quarters of the window are there at once"
    spaced = [after - before for before, after in itertools.pairwise(times[360:])]
    assert max(spaced) < 3 * 60.1 / 90, "then there is no burst and no stall any more"
    for first, ninety_later in zip(times, times[90:], strict=False):
        assert ninety_later - first >= 60
    assert times[-1] < 600 / 90 * 60.1 + 5, "and no slot is wasted"


async def test_what_is_urgent_finds_a_slot_soon_while_looks_want_all() -> None:
    """In one burst, looks would leave a discovery five calls a minute."""
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())

    async def look_for_ever() -> None:
        while True:
            await use(limiter, Priority.POLL)

    looking = asyncio.create_task(look_for_ever())
    await asyncio.sleep(300)
    waits = []
    for _ in range(30):
        start = now()
        await use(limiter, Priority.DISCOVERY)
        waits.append(now() - start)
    assert max(waits) < 1
    looking.cancel()
    await asyncio.wait({looking})


async def test_a_few_looks_are_never_spaced() -> None:
    limiter = RateLimiter(RateLimit(12, 60.0), Clock())
    start = now()
    for _ in range(10):
        await use(limiter, Priority.POLL)
    assert now() == start


# -- 429: the quota is shared ---------------------------------------------------------------------


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
    limiter.hold(30)
    limiter.hold(20)  # another reply of the same moment
    assert limiter.share(now()) == 0.5
    await asyncio.sleep(29.9)
    assert limiter.share(now()) == 0.5, "nothing comes back while the window is full"
    minutes = [await rate_of(limiter, Priority.POLL, 60) for _ in range(7)]
    assert 45 <= minutes[0] <= 0.6 * 90
    assert minutes == sorted(minutes)
    assert minutes[-1] >= 89
    assert limiter.share(now()) == 1.0


async def test_each_further_429_halves_again_but_something_is_left() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for share in (0.5, 0.25, 0.125, 0.0625, 0.05, 0.05):
        limiter.hold(1)
        assert limiter.share(now()) == pytest.approx(share, abs=0.01)
        await asyncio.sleep(1)
    assert await rate_of(limiter, Priority.LIST, 59) >= 4


async def test_cancels_and_triggers_are_not_slowed_down() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for _ in range(5):
        limiter.hold(1)
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
                limiter.hold(max(1.0, window[0] + 60 - now()))
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


async def test_how_long_calls_take() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0, margin=0), Clock())
    assert limiter.time_for(190, Priority.DISCOVERY) == pytest.approx(180)
    limiter.hold(30)
    assert limiter.time_for(47, Priority.DISCOVERY) == pytest.approx(150)
    assert RateLimiter(None, Clock()).time_for(1000, Priority.POLL) == 0


async def test_a_wait_that_is_cancelled_leaves_no_timer() -> None:
    limiter = RateLimiter(RateLimit(3, 60.0), Clock())
    for _ in range(3):
        await use(limiter, Priority.POLL)
    waiting = asyncio.create_task(limiter.acquire(Priority.POLL))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert limiter._queues.get().timer is None
