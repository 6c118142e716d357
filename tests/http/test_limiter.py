"""The limiter: exact in any window, urgent calls first, no slot ever lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge.emulator import virtual_time

from .support import now, use


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
            (Priority.POLL, "poll 1"),
            (Priority.POLL, "poll 2"),
            (Priority.CANCEL, "cancel"),
            (Priority.TRIGGER, "trigger"),
        ]
    ]
    await asyncio.sleep(0)
    limiter.release(first, sent=True)
    await asyncio.gather(*waiting)
    assert order == ["cancel", "trigger", "poll 1", "poll 2", "list"]


async def test_a_cancel_need_not_wait_behind_polls() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())
    for _ in range(90):
        await use(limiter, Priority.POLL)
    start = now()
    poll = asyncio.create_task(limiter.acquire(Priority.POLL))
    for priority, slots in ((Priority.DISCOVERY, 5), (Priority.TRIGGER, 3), (Priority.CANCEL, 2)):
        for _ in range(slots):
            await limiter.acquire(priority)
    assert now() == start
    assert not poll.done()
    poll.cancel()
    await asyncio.wait({poll})


async def test_a_cancelled_wait_loses_no_slot() -> None:
    limiter = RateLimiter(RateLimit(1, 10.0, margin=0), Clock())
    first = await limiter.acquire(Priority.POLL)
    assert first
    waiting = [asyncio.create_task(limiter.acquire(Priority.POLL)) for _ in range(3)]
    await asyncio.sleep(1)
    waiting[0].cancel()
    # Granted and cancelled in the same step of the loop: the slot goes on to the next.
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
    # The one that gave up does not block the next.
    assert await limiter.acquire(Priority.POLL, start + 100)
    assert now() - start == pytest.approx(60.1)


async def test_a_list_that_waits_long_goes_before_polls() -> None:
    """Polls must not starve lists for ever; what is more urgent still goes first."""
    limiter = RateLimiter(RateLimit(1, 10.0, margin=0), Clock())
    order: list[str] = []

    async def one(priority: Priority, name: str, comes: float) -> None:
        await asyncio.sleep(comes)
        await use(limiter, priority)
        order.append(name)

    await use(limiter, Priority.LIST)
    await asyncio.gather(
        one(Priority.LIST, "list", 0.1),
        *(one(Priority.POLL, f"poll {n}", n * 9.0) for n in range(8)),
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


async def test_how_long_calls_take() -> None:
    limiter = RateLimiter(RateLimit(100, 60.0, margin=0), Clock())
    assert limiter.time_for(190, Priority.DISCOVERY) == pytest.approx(180)
    limiter.rejected(30)
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


# -- event loops -----------------------------------------------------------------------------------


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


def test_a_slot_of_a_closed_loop_is_free_again() -> None:
    limiter = RateLimiter(RateLimit(1, 5.0), Clock())
    loop = asyncio.new_event_loop()
    slot = loop.run_until_complete(limiter.acquire(Priority.POLL))
    assert slot
    loop.close()

    async def next_loop() -> None:
        await asyncio.wait_for(use(limiter, Priority.POLL), 1)

    asyncio.run(next_loop())
    limiter.release(slot, sent=True)


def test_loops_that_alternate_keep_their_own_queues() -> None:
    limiter = RateLimiter(RateLimit(1, 0.05, margin=0), Clock())
    first = asyncio.new_event_loop()
    first.run_until_complete(use(limiter, Priority.POLL))
    waiting = first.create_task(use(limiter, Priority.POLL))
    first.run_until_complete(asyncio.sleep(0))
    asyncio.run(use(limiter, Priority.POLL))
    first.run_until_complete(asyncio.wait_for(waiting, 5))
    first.close()


# -- polls that saturate the budget ----------------------------------------------------------------


async def test_polls_that_fill_the_window_are_spaced_evenly() -> None:
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


async def test_what_is_urgent_finds_a_slot_soon_while_polls_want_all() -> None:
    """In one burst, polls would leave a discovery five calls a minute."""
    limiter = RateLimiter(RateLimit(100, 60.0), Clock())

    async def poll_for_ever() -> None:
        while True:
            await use(limiter, Priority.POLL)

    polling = asyncio.create_task(poll_for_ever())
    await asyncio.sleep(300)
    waits = []
    for _ in range(30):
        start = now()
        await use(limiter, Priority.DISCOVERY)
        waits.append(now() - start)
    assert max(waits) < 1
    polling.cancel()
    await asyncio.wait({polling})


async def test_a_few_polls_are_never_spaced() -> None:
    limiter = RateLimiter(RateLimit(12, 60.0), Clock())
    start = now()
    for _ in range(10):
        await use(limiter, Priority.POLL)
    assert now() == start
