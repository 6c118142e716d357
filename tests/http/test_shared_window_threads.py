"""Many event loops of one process, each in a thread, share the file: the interpreter is scarce."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

import pytest

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no shared window"),
]
CALLS, PERIOD, THREADS = 20, 1.0, 100
ENOUGH = 3 * CALLS
PATIENCE = 120.0
"""Seconds after which slots do not come free any more, however busy the machine is."""


def test_many_loops_of_a_process_keep_to_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began: list[float] = []
    ready = threading.Barrier(THREADS)

    async def calls() -> None:
        ready.wait()
        give_up = time.monotonic() + PATIENCE
        limit = RateLimit(CALLS, PERIOD, shared=tmp_path / "shared.calls")
        limiter = RateLimiter(limit, Clock())
        while len(began) < ENOUGH and time.monotonic() < give_up:
            slot = await limiter.acquire(Priority.TRIGGER, deadline=time.monotonic() + PERIOD)
            if slot is None:
                continue
            began.append(time.monotonic())
            await asyncio.sleep(0.01)
            limiter.release(slot, sent=True)

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    began.sort()
    most = max(sum(at <= other < at + PERIOD for other in began) for at in began)
    assert most <= CALLS
    assert len(began) >= ENOUGH, "and slots come free again"
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("hevo_edge")]
    assert ours == []
