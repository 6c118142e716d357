"""What an orchestrator's connection says of a store: its clients share their calls through it."""

from __future__ import annotations

import asyncio
import sys

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import Account
from tests.http.redis_servers import RedisServer

pytestmark = pytest.mark.real_time


def account(emulator: HevoEmulator, url: str, name: str) -> Account:
    return Account.parse(
        login=emulator.api_key,
        password=emulator.api_secret,
        host=emulator.base_url,
        extra={"rate_limit": "50", "rate_limit_store": url, "rate_limit_name": name},
        name="connection 'hevo'",
    )


async def test_the_clients_of_two_tasks_have_one_window(
    emulator: HevoEmulator, redis_server: RedisServer
) -> None:
    of_worker = account(emulator, redis_server.url, redis_server.name())
    of_triggerer = account(emulator, redis_server.url, redis_server.name())
    async with of_worker.client() as one, of_triggerer.client() as other:
        for hevo in (one, other, one):
            await hevo.get_pipeline(123)
        window = other._core.transport._limiter._window
        holders = await window.holders(asyncio.get_running_loop().time())
    assert sorted(sum(each.taken.values()) for each in holders) == [1, 2]


async def test_what_a_closed_client_has_sent_counts_on(
    emulator: HevoEmulator, redis_server: RedisServer
) -> None:
    """Each task of a worker has a client of its own."""
    task = account(emulator, redis_server.url, redis_server.name())
    for _ in range(3):
        async with task.client() as hevo:
            await hevo.get_pipeline(123)
    async with task.client() as hevo:
        await hevo.get_pipeline(123)
        window = hevo._core.transport._limiter._window
        holders = await window.holders(asyncio.get_running_loop().time())
    assert sum(sum(each.taken.values()) for each in holders) == 4


def test_a_store_without_its_package_is_named_with_the_connection(
    emulator: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"connection 'hevo': .*hevo-edge\[redis\]"):
        account(emulator, "redis://127.0.0.1:1", "hevo")
