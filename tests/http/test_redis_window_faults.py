"""Redis goes wrong in every way: a bounded time, one warning, a part of the limit, and back."""

from __future__ import annotations

import asyncio
import copy
import pickle
import time
from collections.abc import Iterator

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http import redis_link, redis_script
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.local_share import _FIRST_PAUSE
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_url import RedisUrl
from hevo_edge._http.redis_window import RedisWindow
from hevo_edge._http.window import Slot

from .redis_servers import BINARY, MISSING, Proxy, RedisServer
from .support import everything_in, now, use

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(BINARY is None, reason=MISSING),
]
LOST, BACK = "is not shared through redis://127.0.0.1:", "is shared through redis://127.0.0.1:"
SLACK = 2.0
"""Real seconds that a busy machine may take longer."""
PASSWORD = "pass/w0rd-%41"
QUOTED = "pass%2Fw0rd-%2541"


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def window_of(url: str, share: float | None = None) -> RedisWindow:
    return RedisWindow(RedisUrl(url), "test", 60.1, share)


async def take_all(window: RedisWindow, at_most: int = 10) -> list[Slot]:
    slots = []
    while slot := await window.take(now(), at_most, Priority.POLL):
        slots.append(slot)
    return slots


async def until_it_is_back(window: RedisWindow) -> None:
    end = now() + 10
    while window._apart.is_on:
        assert now() < end
        await window.take(now(), 0)
        await asyncio.sleep(0.05)


# -- there is none ---------------------------------------------------------------------------------


async def test_without_redis_a_process_has_half_of_the_limit(
    closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    window = window_of(f"redis://:{QUOTED}@127.0.0.1:{closed_port}")
    began = now()
    assert len(await take_all(window)) == 5
    assert now() - began < 1 + SLACK
    assert caplog.text.count(LOST) == 1
    assert "50 % of the limit" in caplog.text
    assert PASSWORD not in caplog.text
    assert QUOTED not in caplog.text
    assert window.state(now()).taken == 10, "none of it seems free"
    await window.close()


async def test_the_share_without_redis_can_be_chosen(closed_port: int) -> None:
    window = window_of(f"redis://127.0.0.1:{closed_port}", share=0.2)
    assert len(await take_all(window)) == 2
    await window.close()


async def test_a_server_that_never_answers_costs_a_bounded_time_once(full_port: int) -> None:
    window = window_of(f"redis://127.0.0.1:{full_port}")
    began = now()
    assert await window.take(now(), 10)
    first = now()
    assert first - began < redis_link.CONNECT_PATIENCE + SLACK
    for _ in range(4):
        assert await window.take(now(), 10)
    assert now() - first < 0.1 + SLACK / 4, "nobody waits while it is tried again"
    await window.close()


async def test_a_client_goes_on_without_redis(closed_port: int) -> None:
    limiter = RateLimiter(RateLimit(4, 0.5, shared=f"redis://127.0.0.1:{closed_port}"), Clock())
    times = []
    for _ in range(6):
        await use(limiter, Priority.CANCEL)
        times.append(now())
    assert times[2] - times[0] >= 0.5
    assert times[4] - times[2] >= 0.5
    await limiter.close()


# -- it is refused ---------------------------------------------------------------------------------


@pytest.fixture
def locked_server() -> Iterator[RedisServer]:
    with RedisServer("--requirepass", PASSWORD) as server:
        yield server


@pytest.mark.parametrize("login", ["", "wrong-password@", ":wrong-password@", "x:wrong-password@"])
async def test_a_wrong_password_is_an_error_of_the_first_call(
    locked_server: RedisServer, login: str
) -> None:
    url = locked_server.url.replace("://", f"://{login}")
    hevo = HevoClient("k", "s", region="us", rate_limit=RateLimit(shared=url))
    began = time.monotonic()
    async with hevo:
        for _ in range(2):
            with pytest.raises(errors.ConfigurationError, match="cannot be shared through") as got:
                await hevo.get_pipeline(123)
            assert locked_server.url in str(got.value)
            assert "wrong-password" not in everything_in(got.value)
    assert time.monotonic() - began < 10 * SLACK, "it does not try for ever"


async def test_a_password_that_is_changed_later_is_no_error(
    locked_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    window = window_of(locked_server.url.replace("://", f"://:{QUOTED}@"))
    assert await window.take(now(), 10)
    locked_server.ask("CONFIG", "SET", "requirepass", "another", password=PASSWORD)
    locked_server.ask("CLIENT", "KILL", "TYPE", "normal", password="another")
    assert len(await take_all(window)) == 4, "half of the limit, and one was taken"
    assert caplog.text.count(LOST) == 1
    assert "Authentication" in caplog.text
    locked_server.ask("CONFIG", "SET", "requirepass", PASSWORD, password="another")
    await until_it_is_back(window)
    assert caplog.text.count(BACK) == 1
    assert PASSWORD not in caplog.text
    await window.close()


async def test_a_missing_permission_is_an_error_of_the_first_call(
    own_server: RedisServer,
) -> None:
    own_server.ask("ACL", "SETUSER", "weak", "on", ">secret", "~other:*", "+@all")
    window = window_of(own_server.url.replace("://", "://weak:secret@"))
    with pytest.raises(errors.ConfigurationError, match="NOPERM|permission"):
        await window.take(now(), 10)
    await window.close()


# -- it passes -------------------------------------------------------------------------------------


async def test_redis_goes_and_comes_back_empty(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = window_of(own_server.url), window_of(own_server.url)
    mine = await one.take(now(), 10)
    assert mine
    assert await other.take(now(), 10)
    await asyncio.sleep(1.1)
    await one.holders(now())
    own_server.stop()
    assert len(await take_all(one)) == 4, "half of the limit for each of two"
    assert caplog.text.count(LOST) == 1
    assert await one.holders(now())
    own_server.start()
    await until_it_is_back(one)
    assert caplog.text.count(BACK) == 1
    assert own_server.ask("ZCARD", one._keys[0]) == 5, "its own calls are told again"
    assert await other.take(now(), 10), "it reconnects, and tells its own"
    assert own_server.ask("ZCARD", one._keys[0]) == 7
    assert caplog.text.count(LOST) == 1
    assert await take_all(other) != []
    assert own_server.ask("ZCARD", one._keys[0]) == 10
    for window in (one, other):
        await window.close()


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_what_redis_forgets_is_told_again_and_nobody_notices(
    redis_server: RedisServer, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    window = RedisWindow(redis_server.address, redis_server.name(), 60.1)
    slots = [await window.take(now(), 10) for _ in range(3)]
    assert all(slots)
    await window.holders(now())
    redis_server.ask(*command.split())
    assert await window.take(now(), 10)
    assert redis_server.ask("ZCARD", window._keys[0]) == 4
    assert len(await take_all(window)) == 6
    assert not caplog.records
    await window.close()


async def test_a_read_only_replica_is_no_place_for_a_window(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    window = window_of(own_server.url)
    assert await window.take(now(), 10)
    own_server.ask("REPLICAOF", "127.0.0.1", "1")
    assert await window.take(now(), 10)
    assert caplog.text.count(LOST) == 1
    assert "ReadOnly" in caplog.text or "READONLY" in caplog.text
    own_server.ask("REPLICAOF", "NO", "ONE")
    await until_it_is_back(window)
    assert own_server.ask("ZCARD", window._keys[0]) == 2
    await window.close()


# -- it is slow ------------------------------------------------------------------------------------


async def test_a_redis_that_becomes_slow(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "PATIENCE", 2.0)  # a busy machine is no outage
    with Proxy(own_server.port) as proxy:
        window = window_of(f"redis://127.0.0.1:{proxy.port}")
        assert await window.take(now(), 10)
        proxy.delay = 0.1
        assert await window.take(now(), 10), "slow is not away"
        assert not caplog.records
        proxy.delay = 5.0
        began = now()
        assert await window.take(now(), 10)
        assert now() - began < redis_link.PATIENCE + SLACK
        assert caplog.text.count(LOST) == 1
        assert "has not answered within" in caplog.text
        proxy.delay = 0.0
        await until_it_is_back(window)
        assert own_server.ask("ZCARD", window._keys[0]) == 3, "nothing of the late answers is left"
        await window.close()


async def test_a_cancelled_take_does_not_read_another_ones_reply(own_server: RedisServer) -> None:
    with Proxy(own_server.port) as proxy:
        window = window_of(f"redis://127.0.0.1:{proxy.port}")
        assert await window.take(now(), 10)
        proxy.delay = 0.05
        for moment in (0.0, 0.02, 0.07, 0.1):
            taking = [asyncio.create_task(window.take(now(), 10)) for _ in range(3)]
            await asyncio.sleep(moment)
            for task in taking:
                task.cancel()
            await asyncio.wait(taking)
            for task in taking:
                if not task.cancelled() and (slot := task.result()):
                    window.give_back(slot, now(), sent=False)
        await asyncio.sleep(0.5)
        assert await window.take(now(), 2), "none of them has kept a slot"
        assert await window.take(now(), 2) is None
        await window.close()


# -- one Redis that does not tell scripts the time -------------------------------------------------


async def test_where_a_script_may_not_ask_for_the_time_it_is_told(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = redis_script.SCRIPT.replace("redis.call('TIME')", "redis.call('MULTI')")
    monkeypatch.setattr(redis_link, "SCRIPT", refusing)
    monkeypatch.setattr(redis_link, "_DIGEST", redis_server.ask("SCRIPT", "LOAD", refusing))
    one, other = (RedisWindow(redis_server.address, redis_server.name(), 0.5) for _ in range(2))
    slot = await one.take(now(), 1)
    assert slot
    assert await other.take(now(), 1) is None
    one.give_back(slot, now(), sent=True)
    began = now()
    while await other.take(now(), 1) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert 0.45 < now() - began < 0.6 + SLACK
    assert not caplog.records
    for window in (one, other):
        await window.close()


# -- what is shown ---------------------------------------------------------------------------------


def test_no_password_is_shown_or_stored() -> None:
    limit = RateLimit(shared=f"rediss://user:{QUOTED}@example.com:6380/1?ssl_ca_certs=x")
    window = window_of(str(limit.shared))
    for shown in (repr(limit), str(limit), repr(RedisUrl(str(limit.shared))), repr(window)):
        assert PASSWORD not in shown
        assert QUOTED not in shown
        assert "example.com:6380" in shown
    with pytest.raises(TypeError, match="not picklable"):
        pickle.dumps(limit)
    assert copy.copy(limit) is copy.deepcopy(limit) is limit
    plain = RateLimit(50, 30.0, shared="redis://example.com", fallback_share=0.1)
    assert pickle.loads(pickle.dumps(plain)) == plain


def test_the_pauses_between_tries_begin_small() -> None:
    assert _FIRST_PAUSE <= 1
