"""The blocks of docs/many-machines.md, in processes of their own, on a real Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.redis_servers import BINARY, MISSING, RedisServer
from tests.pages import stage
from tests.pages.blocks import block

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(BINARY is None, reason=MISSING),
]
PAGE = "docs/many-machines.md"
REF = r"123:[0-9a-f-]{36}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer("--requirepass", "geheim") as server:
        yield server


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("rediss://user:password", ""),
        ("Celery(", "print(start_sync.apply([123]).get())"),
    ],
)
def test_it_runs(words: str, then: str, server: RedisServer, tmp_path: Path) -> None:
    url = server.url.replace("://", "://:geheim@")
    with stage.fast_emulator() as emulator:
        environment = {**emulator.environment, "REDIS_URL": url}
        process = stage.start(f"{block(PAGE, words)}\n{then}", environment, tmp_path)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    assert re.fullmatch(REF, printed), printed
    (calls,) = server.ask("KEYS", "*:calls", password="geheim")
    assert calls.startswith("{hevo_edge:")
    assert server.ask("ZCARD", calls, password="geheim") >= 3
    server.ask("FLUSHALL", password="geheim")
