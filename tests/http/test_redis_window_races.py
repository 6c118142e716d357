"""What happens while a message to Redis is under way."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hevo_edge._http.redis_link import LinkBroken, RedisLink
from hevo_edge._http.redis_url import RedisUrl
from hevo_edge._http.redis_window import RedisWindow

from .redis_servers import BINARY, MISSING, Proxy, RedisServer
from .support import now

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(BINARY is None, reason=MISSING),
]


def window_of(url: str, name: str) -> RedisWindow:
    return RedisWindow(RedisUrl(url), name, 60.1)


async def test_a_429_that_comes_meanwhile_is_told_by_the_next(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        one = window_of(f"redis://127.0.0.1:{proxy.port}", redis_server.name())
        other = window_of(redis_server.url, redis_server.name())
        assert await one.take(now(), 10)
        proxy.delay = 0.2
        taking = asyncio.create_task(one.take(now(), 10))
        await asyncio.sleep(0.1)
        one.hold(now(), now() + 60)
        await taking
        await one.holders(now())
        assert await other.take(now(), 10) is None
        assert other.state(now()).held_until > now() + 50
        for window in (one, other):
            await window.close()


async def test_all_calls_are_told_after_a_message_that_was_cancelled(
    redis_server: RedisServer,
) -> None:
    with Proxy(redis_server.port) as proxy:
        window = window_of(f"redis://127.0.0.1:{proxy.port}", redis_server.name())
        assert await window.take(now(), 10)
        proxy.delay = 0.3
        window._must_tell_all = True
        taking = asyncio.create_task(window.take(now(), 0))
        await asyncio.sleep(0.1)
        taking.cancel()
        await asyncio.wait({taking})
        redis_server.ask("DEL", window._keys[0])
        proxy.delay = 0
        assert window._must_tell_all
        await window.holders(now())
        assert redis_server.ask("ZCARD", window._keys[0]) == 1
        await window.close()


async def test_a_connection_that_breaks_before_the_calls_are_listed(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = window_of(redis_server.url, redis_server.name())
    assert await window.take(now(), 10)
    listing = RedisLink.slots
    broken: list[RedisLink] = []

    async def breaks_once(self: RedisLink, *key_and_time: Any) -> list[str]:
        if not broken:
            broken.append(self)
            await self.close()
            raise LinkBroken
        return await listing(self, *key_and_time)

    monkeypatch.setattr(RedisLink, "slots", breaks_once)
    holder, slot = await asyncio.gather(window.holders(now()), window.take(now(), 10))
    assert slot
    assert [sum(each.taken.values()) for each in holder] == [2]
    assert redis_server.ask("ZCARD", window._keys[0]) == 2
    await window.close()


async def test_an_event_loop_that_was_held_up_is_no_outage(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The reply is there when the loop goes on, and so is the end of the patience."""
    window = window_of(redis_server.url, redis_server.name())
    assert await window.take(now(), 10)
    for _ in range(3):
        taking = asyncio.create_task(window.take(now(), 10))
        await asyncio.sleep(0)
        time.sleep(0.7)  # noqa: ASYNC251 -- what holds up the loop
        assert await taking
    assert not window._apart.is_on
    assert not caplog.records
    await window.close()
