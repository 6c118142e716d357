"""What is repeated and what is not, and how long a retry waits."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of

from .support import GET, PASSING, POST, now


@pytest.mark.parametrize(("fault", "options", "kind"), PASSING)
async def test_a_read_is_repeated_while_the_trouble_may_pass(
    emulator: HevoEmulator,
    hevo: HevoClient,
    fault: str,
    options: dict[str, Any],
    kind: type[errors.RequestError],
) -> None:
    getattr(emulator.faults, fault)(times=3, **options)
    assert (await hevo.send(GET)).id == 123
    assert len(emulator.requests) == 4

    getattr(emulator.faults, fault)(times=None, **options)
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(GET)
    assert type(caught.value) is kind
    assert caught.value.attempts == 4
    assert len(emulator.requests) == 8


@pytest.mark.parametrize(("fault", "options", "kind"), PASSING)
async def test_a_post_is_never_repeated_when_it_may_have_arrived(
    emulator: HevoEmulator,
    hevo: HevoClient,
    fault: str,
    options: dict[str, Any],
    kind: type[errors.RequestError],
) -> None:
    getattr(emulator.faults, fault)(times=None, **options)
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(POST)
    assert type(caught.value) is kind
    assert caught.value.attempts == 1
    assert len(emulator.requests) == 1


async def test_a_post_that_was_surely_not_sent_is_repeated(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    await emulator.stop()
    start = now()
    posting = asyncio.create_task(hevo.send(POST))
    await asyncio.sleep(0.01)
    await emulator.start()
    await posting
    assert now() > start
    assert len(emulator.requests.of("sync_now")) == 1

    await emulator.stop()
    await asyncio.sleep(0.01)
    with pytest.raises(errors.RequestNotSent, match="Connect call failed") as caught:
        await hevo.send(POST)
    assert caught.value.attempts == 4
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)


async def test_a_post_does_not_depend_on_a_connection_that_was_kept(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    await hevo.send(GET)
    await emulator.stop()
    # The kept connection is dead, which would be seen only in writing to it.
    with pytest.raises(errors.RequestNotSent):
        await hevo.send(POST)


async def test_a_connection_that_is_not_made_in_time_was_not_sent(emulator: HevoEmulator) -> None:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_of(emulator, session=session, max_retries=0) as hevo,
    ):
        emulator.faults.delay(25)
        slow = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(0.1)
        start = now()
        # The only connection is taken; half of the time is for getting one.
        with pytest.raises(errors.RequestNotSent):
            await hevo.send(POST)
        assert now() - start == pytest.approx(15, abs=1.5)
        await slow
        assert not emulator.requests.of("sync_now")


# -- waits -----------------------------------------------------------------------------------------


async def test_retries_wait_with_full_jitter(emulator: HevoEmulator) -> None:
    waits = []
    for seed in range(20):
        async with client_of(emulator, clock=Clock(seed), rate_limit=None) as hevo:
            emulator.rate_limit = None
            emulator.faults.status(500, times=1)
            start = now()
            await hevo.send(GET)
            waits.append(now() - start)
    assert all(0 <= wait <= 0.5 for wait in waits)
    assert max(waits) - min(waits) > 0.2


async def test_max_retries(emulator: HevoEmulator) -> None:
    emulator.faults.status(500, times=None)
    for retries in (0, 1, 5):
        async with client_of(emulator, max_retries=retries) as hevo:
            with pytest.raises(errors.ServerError) as caught:
                await hevo.send(GET)
            assert caught.value.attempts == retries + 1


async def test_retry_after_is_honoured_up_to_a_cap(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, headers={"Retry-After": "40"})
    start = now()
    await hevo.send(GET)
    assert 40 <= now() - start <= 41

    emulator.faults.status(503, headers={"Retry-After": "Thu, 01 Jan 2026 00:01:30 GMT"})
    start = now()
    await hevo.send(GET)
    assert emulator.now >= 1_767_225_690
    assert now() > start

    emulator.faults.status(429, headers={"Retry-After": "121"})
    start = now()
    with pytest.raises(errors.RateLimited) as caught:
        await hevo.send(GET)
    assert caught.value.retry_after == 121
    assert now() == start


# -- 429 -------------------------------------------------------------------------------------------


async def test_a_429_pauses_the_whole_client(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(429, headers={"Retry-After": "30"}, on="sync_now")
    with pytest.raises(errors.RateLimited):
        await hevo.send(POST)
    start = now()
    await hevo.send(GET)
    assert now() - start == pytest.approx(30)


@pytest.mark.parametrize("limit", [RateLimit(), None])
@pytest.mark.parametrize(("headers", "pause"), [({"Retry-After": "30"}, 30), ({}, 10)])
async def test_reads_that_got_a_429_at_once_are_repeated_after_one_pause(
    emulator: HevoEmulator, limit: RateLimit | None, headers: dict[str, str], pause: float
) -> None:
    async with client_of(emulator, rate_limit=limit) as hevo:
        emulator.faults.status(429, headers=headers, times=10)
        start = emulator.now
        await asyncio.gather(*(hevo.send(GET) for _ in range(10)))
        statuses = [call.status for call in emulator.requests]
        times = [call.at - start for call in emulator.requests]
    assert statuses == [429] * 10 + [200] * 10
    assert max(times[:10]) < 1
    assert min(times[10:]) >= pause
    # A little jitter: other processes were told the same moment.
    assert times[10:] == sorted(times[10:])
    assert max(times[10:]) <= pause + 1
    assert len({round(at, 3) for at in times[10:]}) > 5


async def test_a_429_without_retry_after_pauses_for_longer_each_time(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, times=3)
    start = now()
    await hevo.send(GET)
    assert now() - start >= 10 + 20 + 40
    emulator.faults.status(429, times=1)
    start = now()
    await hevo.send(GET)
    assert 10 <= now() - start < 20


NO_WAIT = ("0", "-1", "0.0", "Wed, 31 Dec 2025 23:00:00 GMT")


@pytest.mark.parametrize("header", NO_WAIT)
async def test_a_retry_after_of_nothing_does_not_turn_backoff_off(
    emulator: HevoEmulator, hevo: HevoClient, header: str
) -> None:
    emulator.faults.status(429, headers={"Retry-After": header}, times=3)
    start = now()
    await hevo.send(GET)
    assert now() - start >= 10 + 20 + 40
    assert hevo._core.transport._limiter._throttle.budget_share(now()) >= 0.125


@pytest.mark.parametrize("header", [*NO_WAIT, "0.001"])
async def test_a_5xx_that_asks_for_no_wait_is_repeated_with_backoff(
    emulator: HevoEmulator, header: str
) -> None:
    async with client_of(emulator, max_retries=8, clock=Clock(seed=3)) as hevo:
        emulator.faults.status(503, headers={"Retry-After": header}, times=8)
        start = now()
        await hevo.send(GET)
        assert now() - start > 20, "on average, full jitter gives half a minute"


async def test_thousands_of_429s_in_a_row(emulator: HevoEmulator) -> None:
    async with client_of(emulator, max_retries=0) as hevo:
        emulator.faults.status(429, times=None)
        for _ in range(1100):
            with pytest.raises(errors.RateLimited):
                await hevo.send(POST)
        start = now()
        emulator.faults.clear()
        await hevo.send(POST)
        assert now() - start == pytest.approx(120, abs=1)


async def test_no_server_can_pause_the_client_for_ever(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, headers={"Retry-After": "1000000000"})
    with pytest.raises(errors.RateLimited):
        await hevo.send(GET)
    start = now()
    await hevo.send(GET)
    assert now() - start == pytest.approx(120, abs=1)
