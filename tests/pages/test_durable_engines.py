"""The block of docs/durable-engines.md for any queue, in processes that are killed, on a real Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.journal import RecordedCall
from tests.http.redis_servers import BINARY, MISSING, RedisServer
from tests.pages import stage
from tests.pages.blocks import block

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(BINARY is None, reason=MISSING),
]
A_QUEUE = """
import time

from hevo_edge.orchestration import run as run_blocking

while (outcome := run_blocking(sync_step("task", 123))) is None:
    print("delivered", flush=True)
    time.sleep(0.2)
print(outcome.kind, outcome.job_id, flush=True)
"""


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    # At the wall's pace: a ticket that another process has stored has an age.
    with HevoEmulator() as emulator:
        emulator.add_pipeline(123, duration=None, appears_after=0.5)
        yield emulator


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def test_the_step_for_any_queue(
    emulator: HevoEmulator, server: RedisServer, tmp_path: Path
) -> None:
    """Killed right after the POST, and in the wait; and delivered again when all is over."""
    code = block("docs/durable-engines.md", "sync_step")
    environment = {**emulator.environment, "REDIS_URL": server.url}

    def worker() -> subprocess.Popen[str]:
        return stage.start(f"{code}\n{A_QUEUE}", environment, tmp_path)

    def kill(call: RecordedCall) -> None:
        if call.endpoint == "sync_now":
            victim.kill()

    emulator.on_request = kill
    victim = worker()
    assert victim.communicate(timeout=60)[0] == ""
    emulator.on_request = None
    second = worker()
    assert second.stdout is not None
    assert second.stdout.readline() == "delivered\n"
    second.kill()
    second.communicate(timeout=60)
    third = worker()
    assert third.stdout is not None
    assert third.stdout.readline() == "delivered\n"
    job = emulator.pipeline(123).jobs[-1]
    job.end(emulator.now, "COMPLETED")
    assert third.communicate(timeout=60)[0].endswith(f"success {job.job_id}\n")
    assert worker().communicate(timeout=60)[0] == f"success {job.job_id}\n"
    assert len(emulator.requests.of("sync_now")) == 1
