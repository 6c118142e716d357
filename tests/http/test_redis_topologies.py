"""A socket, a cluster, sentinels: where a window may be, and how its URL says so."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hevo_edge import RateLimit, errors
from hevo_edge._http.redis_script import SCRIPT
from hevo_edge._http.redis_url import RedisUrl
from hevo_edge._http.redis_window import RedisWindow

from .redis_servers import (
    BINARY,
    MISSING,
    TLS,
    TLS_OPTIONS,
    RedisServer,
    free_port,
    knows_tls,
)
from .support import now

PAGE = Path(__file__).parents[2] / "docs/many-machines.md"
needs_redis = [pytest.mark.real_time, pytest.mark.skipif(BINARY is None, reason=MISSING)]


async def takes_two_of_two(*urls: str) -> list[bool]:
    """Take three of two slots, by as many members as there are URLs."""
    windows = [RedisWindow(RedisUrl(url), "topology", 60.1) for url in urls]
    taken = []
    for window in windows:
        taken.append(await window.take(now(), 2) is not None)
        assert not window._apart.is_on
    for window in windows:
        await window.close()
    return taken


class TestServers:
    pytestmark = needs_redis

    async def test_a_socket_and_a_port_are_one_window(self, redis_server: RedisServer) -> None:
        urls = (redis_server.url, f"unix://{redis_server.socket}", f"{redis_server.url}/0")
        redis_server.ask("FLUSHALL")
        assert await takes_two_of_two(*urls) == [True, True, False]

    async def test_another_database_is_another_window(self, redis_server: RedisServer) -> None:
        redis_server.ask("FLUSHALL")
        urls = [f"{redis_server.url}/{number}" for number in (1, 2, 1, 2, 1, 2)]
        assert await takes_two_of_two(*urls) == [True, True, True, True, False, False]
        redis_server.ask("FLUSHALL")

    async def test_an_option_of_the_url_does_not_make_it_wait(self, full_port: int) -> None:
        url = f"redis://127.0.0.1:{full_port}?socket_connect_timeout=60&socket_timeout=60"
        window = RedisWindow(RedisUrl(url), "topology", 60.1)
        began = now()
        assert await window.take(now(), 2)
        assert now() - began < 20, "of 60"
        await window.close()


@pytest.fixture
def cluster() -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port")
        buses = [free_port() for _ in range(2)]
        nodes = [stack.enter_context(RedisServer(*options, str(bus))) for bus in buses]
        nodes[0].ask("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        nodes[1].ask("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", nodes[1].port, buses[1])
        end = time.monotonic() + 20
        while any("cluster_state:ok" not in str(node.ask("CLUSTER", "INFO")) for node in nodes):
            assert time.monotonic() < end
            time.sleep(0.05)
        yield nodes


class TestCluster:
    pytestmark = needs_redis

    async def test_any_node_of_a_cluster_leads_to_the_one_window(
        self, cluster: list[RedisServer], caplog: pytest.LogCaptureFixture
    ) -> None:
        urls = [cluster[number].url for number in (0, 1, 0)]
        assert await takes_two_of_two(*urls) == [True, True, False]
        assert not caplog.records

    async def test_a_slot_that_moves(self, cluster: list[RedisServer]) -> None:
        """MOVED in the middle; the keys are elsewhere then, and told again."""
        window = RedisWindow(cluster[0].address, "topology", 60.1)
        assert await window.take(now(), 3)
        place = cluster[0].ask("CLUSTER", "KEYSLOT", window._keys[0])
        one, other = cluster if place < 8192 else reversed(cluster)
        ids = [node.ask("CLUSTER", "MYID") for node in (one, other)]
        one.ask("FLUSHALL")
        for node in (other, one):
            node.ask("CLUSTER", "SETSLOT", place, "NODE", ids[1])
        assert await window.take(now(), 3)
        end = now() + 20
        while window._apart.is_on:
            assert now() < end
            await window.take(now(), 0)
            await asyncio.sleep(0.05)
        assert other.ask("ZCARD", window._keys[0]) == 2
        await window.close()


@pytest.fixture
def watched() -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    with ExitStack() as stack:
        master = stack.enter_context(RedisServer("--repl-diskless-sync-delay", "0"))
        replica = stack.enter_context(RedisServer("--replicaof", f"127.0.0.1 {master.port}"))
        watch = f"sentinel monitor main 127.0.0.1 {master.port} 1\n"
        watch += "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000"
        sentinel = stack.enter_context(RedisServer(sentinel=watch))
        end = time.monotonic() + 30
        while not str(sentinel.ask("SENTINEL", "REPLICAS", "main")).count(f"{replica.port}"):
            assert time.monotonic() < end
            time.sleep(0.1)
        while replica.ask("INFO", "replication")["master_link_status"] != "up":
            assert time.monotonic() < end
            time.sleep(0.1)
        yield master, replica, sentinel


class TestSentinel:
    pytestmark = needs_redis

    async def test_after_a_failover_the_window_is_where_sentinels_say(
        self, watched: tuple[RedisServer, RedisServer, RedisServer]
    ) -> None:
        master, replica, sentinel = watched
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0"
        window = RedisWindow(RedisUrl(url), "topology", 60.1)
        assert await window.take(now(), 5)
        assert master.ask("ZCARD", window._keys[0]) == 1
        master.stop()
        assert await window.take(now(), 5), "half of the limit meanwhile"
        assert window._apart.is_on
        end = now() + 30
        while window._apart.is_on:
            assert now() < end
            await window.take(now(), 0)
            await asyncio.sleep(0.1)
        assert replica.ask("ZCARD", window._keys[0]) == 2
        await window.close()


@pytest.fixture
def tls_port() -> Iterator[int]:
    if not knows_tls():
        pytest.skip(f"{BINARY} was built without TLS")
    port = free_port()
    options = (each for option in TLS_OPTIONS.items() for each in option)
    with RedisServer("--tls-port", str(port), *options):
        yield port


class TestTls:
    pytestmark = needs_redis

    async def test_a_certificate_that_the_url_trusts(self, tls_port: int) -> None:
        url = f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={TLS}"
        assert await takes_two_of_two(url, url, url) == [True, True, False]

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_one_that_is_not_trusted_is_an_error_of_the_first_call(
        self, tls_port: int, host: str
    ) -> None:
        trusted = "" if host == "127.0.0.1" else f"?ssl_ca_certs={TLS}"
        window = RedisWindow(RedisUrl(f"rediss://:geheim@{host}:{tls_port}{trusted}"), "x", 60.1)
        with pytest.raises(errors.ConfigurationError, match="certificate verify failed") as raised:
            await window.take(now(), 2)
        assert "geheim" not in str(raised.value)
        await window.close()

    async def test_sentinels_have_the_same_certificates(self, tls_port: int) -> None:
        port = free_port()
        watch = f"sentinel monitor main 127.0.0.1 {tls_port} 1\n"
        watch += f"tls-port {port}\ntls-replication yes\n"
        watch += "\n".join(f"{name[2:]} {value}" for name, value in TLS_OPTIONS.items())
        with RedisServer(sentinel=watch):
            url = f"rediss+sentinel://127.0.0.1:{port}/main/0?ssl_ca_certs={TLS}"
            assert await takes_two_of_two(url, url, url) == [True, True, False]


# -- the least that the user of Redis may do -------------------------------------------------------


@pytest.mark.real_time
async def test_the_permissions_that_the_page_names_are_enough(redis_server: RedisServer) -> None:
    """They are all that the script and its client send."""
    (named,) = re.findall(r"needs these commands.*?\n\n", PAGE.read_text(), re.DOTALL)
    commands = re.findall(r"`([A-Z]+)`", named)
    sent = {"EVAL", "EVALSHA", "TIME", "ZRANGEBYSCORE", *re.findall(r"call\('(\w+)'", SCRIPT)}
    assert set(commands) == sent
    allowed = [f"+{name.lower()}" for name in commands]
    login = ("ACL", "SETUSER", "least", "reset", "on", ">pass", "~{least}:*", *allowed)
    redis_server.ask(*login)
    url = redis_server.url.replace("://", "://least:pass@")
    window = RedisWindow(RedisUrl(url), "least", 60.1)
    assert await window.take(now(), 1, wanted=2)
    assert await window.take(now(), 1, wanted=2) is None
    window.hold(now(), now() + 1)
    assert len(await window.holders(now())) == 1
    assert not window._apart.is_on
    await window.close()
    redis_server.ask("ACL", "DELUSER", "least")


# -- URLs ------------------------------------------------------------------------------------------

WRONG = [
    ("http://user:geheim@example.com", "not with http://"),
    ("postgres://user:geheim@example.com", "not with postgres://"),
    ("redis://", "must be like redis://host"),
    ("redis://user:geheim@", "must be like redis://host"),
    ("redis://user:geheim@example.com:port", "its host or port is wrong"),
    ("redis://user:geheim@example.com:99999", "its host or port is wrong"),
    ("redis://user:geheim@example.com/name", "must be like redis://host"),
    ("redis://user:geheim#1@example.com", "has to be written as %23"),
    ("redis://user:geheim/1@example.com", "is wrong"),
    ("unix://", "needs the socket's path"),
    ("redis+sentinel://user:geheim@example.com:26379", "mymaster"),
    ("redis+sentinel://user:geheim@example.com:x/main", "is wrong"),
]


@pytest.mark.parametrize(("url", "says"), WRONG)
def test_a_wrong_url_is_an_error_that_shows_no_password(url: str, says: str) -> None:
    with pytest.raises(errors.ConfigurationError) as raised:
        RateLimit(shared=url)
    assert says in str(raised.value)
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_what_a_sentinel_url_says() -> None:
    url = RedisUrl("rediss+sentinel://user:p%40ss@one:26379,two,[::1]:5/main/3?sentinel_password=x")
    assert url.sentinels == [("one", 26379), ("two", 26379), ("::1", 5)]
    assert url.service == "main"
    assert url.server_url == "rediss://user:p%40ss@sentinel/3?sentinel_password=x"
    assert url.shown == "rediss+sentinel://one:26379,two,[::1]:5/main/3"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shared_name": "a b"}, "shared_name must be"),
        ({"shared_name": ""}, "shared_name must be"),
        ({"fallback_share": 0}, "above 0"),
        ({"fallback_share": 1.1}, "above 0"),
        ({"fallback_share": True}, "above 0"),
        ({"shared": True, "shared_name": "x"}, "need the URL of a Redis"),
        ({"shared": False, "fallback_share": 0.5}, "need the URL of a Redis"),
    ],
)
def test_wrong_options(wrong: dict[str, object], says: str) -> None:
    options: dict[str, object] = {"shared": "redis://example.com", **wrong}
    with pytest.raises(errors.ConfigurationError, match=says):
        RateLimit(**options)  # type: ignore[arg-type]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install 'hevo-edge\[redis\]'"):
        RedisWindow(RedisUrl("redis://example.com"), "name", 60.1)
