"""Ports at which no connection is made, and a Redis."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from hevo_edge._http.redis_link import RedisLink

from .patience import patiently
from .redis_servers import BINARY, MISSING, RedisServer


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, but does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that one more is never made."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def one_redis_server() -> Iterator[RedisServer]:
    if BINARY is None:
        pytest.skip(MISSING)
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(one_redis_server: RedisServer) -> RedisServer:
    """A Redis that tests share, each with a window of its own."""
    one_redis_server.next_test()
    return one_redis_server


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let virtual time stand still while Redis, another process, is asked."""
    monkeypatch.setattr(RedisLink, "_bounded", patiently(RedisLink._bounded))
