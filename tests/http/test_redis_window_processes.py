"""Real processes share one window through a real Redis: exact, whoever is killed, even Redis."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time

import pytest

from hevo_edge._common.clock import Clock
from hevo_edge._http import redis_window
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge.emulator import HevoEmulator
from tests.http import processes

from .redis_servers import BINARY, MISSING, RedisServer

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(BINARY is None, reason=MISSING),
]
SLACK = 8.0
"""Real seconds that a busy machine may take longer."""
HEAD = """
import asyncio, logging, random, sys, time
from hevo_edge import HevoClient, RateLimit
from hevo_edge._common.clock import Clock
from hevo_edge._http import redis_link, redis_window
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority

logging.basicConfig(level="WARNING", format="LOG %(message)s", stream=sys.stdout)
url, name = sys.argv[1:3]
"""
CALLS, PERIOD = 20, 1.0


def python(
    code: str, *arguments: object
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return processes.python(HEAD + code, *arguments, seconds=100)


def worst(times: list[float]) -> float:
    """Return the shortest time in which one call more than the limit arrived."""
    times = sorted(times)
    return min(after - at for at, after in zip(times, times[CALLS:], strict=False))


# -- exact -----------------------------------------------------------------------------------------

HUNGRY = """
skew, seconds, calls, period = map(float, sys.argv[3:])
redis_link.PATIENCE = 30.0  # a busy machine is no outage

class SkewedLoop(asyncio.SelectorEventLoop):
    def time(self):
        return super().time() + skew

wall = time.time
time.time = lambda: wall() + skew
limit = RateLimit(int(calls), period, margin=0.01, shared=url, shared_name=name)

async def call_again_and_again(shared, end):
    while slot := await shared.acquire(random.choice(list(Priority)), end):
        await asyncio.sleep(random.random() * 0.15)
        sent = random.random() < 0.9
        if sent:
            print(time.monotonic(), flush=True)  # it arrives
        await asyncio.sleep(random.random() * 0.15)
        shared.release(slot, sent=sent)

async def main():
    shared = RateLimiter(limit, Clock())
    end = Clock().now() + seconds
    await asyncio.gather(*(call_again_and_again(shared, end) for _ in range(12)))
    await shared.close()

class Policy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = SkewedLoop

asyncio.set_event_loop_policy(Policy())
asyncio.run(main())
"""


def test_in_no_period_do_all_processes_make_more_calls_than_the_limit(
    redis_server: RedisServer,
) -> None:
    """With jitter on the way, and clocks that disagree by minutes."""
    with contextlib.ExitStack() as stack:
        arguments = (redis_server.url, redis_server.name())
        running = [
            stack.enter_context(python(HUNGRY, *arguments, skew, 3, CALLS, PERIOD))
            for skew in (0, 200, -300)
        ]
        printed = [each.communicate(timeout=100)[0].split() for each in running]
        assert [each.returncode for each in running] == [0] * 3
    times = [float(at) for each in printed for at in each]
    assert len(times) > 1.5 * CALLS
    assert worst(times) >= PERIOD


CLIENT = """
async def main():
    limit = RateLimit(40, 60.0 / 20, shared=url, shared_name=name)
    async with HevoClient.from_env(rate_limit=limit, max_retries=0) as hevo:
        await asyncio.gather(*(hevo.get_pipeline(123) for _ in range(15)))

redis_link.PATIENCE = 30.0
asyncio.run(main())
"""


def test_four_processes_at_once_never_earn_a_429(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HevoEmulator(speed=20.0, rate_limit=40) as emulator, contextlib.ExitStack() as stack:
        emulator.add_pipeline(123)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        running = [
            stack.enter_context(python(CLIENT, redis_server.url, redis_server.name()))
            for _ in range(4)
        ]
        assert [process.wait(60) for process in running] == [0] * 4
        assert [call.status for call in emulator.requests] == [200] * 60


# -- killed ----------------------------------------------------------------------------------------

TAKES_ALL = """
redis_window.LEASE = 1.5
limit = RateLimit(5, 1.0, margin=0, shared=url, shared_name=name)

async def main():
    shared = RateLimiter(limit, Clock())
    while await shared.acquire(Priority.CANCEL, Clock().now() + 0.2):
        pass
    print("all are taken", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_slots_of_a_killed_process_are_free_when_their_lease_ends_and_not_before(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_window, "LEASE", 1.5)
    limit = RateLimit(5, 1.0, margin=0, shared=redis_server.url, shared_name=redis_server.name())

    async def next_slot(seconds: float) -> bool:
        shared = RateLimiter(limit, Clock())
        slot = await shared.acquire(Priority.CANCEL, Clock().now() + seconds)
        await shared.close()
        return slot is not None

    with python(TAKES_ALL, redis_server.url, redis_server.name()) as running:
        assert processes.line(running) == "all are taken"
        assert not asyncio.run(next_slot(3.5)), "its lease is renewed while it lives"
        running.kill()
        killed = time.monotonic()
        assert asyncio.run(next_slot(30))
        assert 1.0 < time.monotonic() - killed < 1.0 + 1.5 + 1.0 + SLACK


# -- Redis is killed -------------------------------------------------------------------------------


def test_redis_is_killed_and_comes_back_empty() -> None:
    """At most one window may have a few calls too many: of those who were not there yet again."""
    with RedisServer() as server, contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(python(HUNGRY, server.url, "killed", 0, 9, CALLS, PERIOD))
            for _ in range(3)
        ]
        first = [processes.line(each) for each in running]
        time.sleep(1.5)
        server.stop()
        down = time.monotonic()
        time.sleep(2)
        server.start()
        up = time.monotonic()
        printed = [each.communicate(timeout=100)[0].splitlines() for each in running]
        assert [each.returncode for each in running] == [0] * 3
    logged = [[text for text in each if text.startswith("LOG")] for each in printed]
    for each in logged:
        assert "is not shared through redis://127.0.0.1" in each[0]
        assert len(each) <= 2, "one warning a change"
        assert all("is shared through" in text for text in each[1:])
    assert any(len(each) == 2 for each in logged)
    times = [float(at) for at in first]
    times += [float(text) for each in printed for text in each if not text.startswith("LOG")]
    assert worst(times) >= PERIOD, "those who count their own calls keep to it meanwhile"
    meanwhile = [at for at in times if down + PERIOD < at < up]
    assert len(meanwhile) >= 3, "it is no standstill"
