"""The windows of hevo_edge beside `limits`, the best kept library for rate limits with a Redis: 20 calls in any 2 s.

Run it: python -m tests.benchmarks.rate_limit_libraries [--seconds 10] [--processes 3]

Tasks that always want to call: twelve in each process; those of the window in memory are all in one process. A call
arrives up to 0.3 s after it was let through, and its reply takes as long again. "clocks apart": the clock of one
process is half a second ahead. `limits` counts by the client's clock, and a call when it is let through; it has no
means of waiting, so a task that is refused sleeps until the time that its window says.

Printed are the calls a second, the most arrivals in any 2 s, and in how many of the windows that end with an arrival
there are more than 20.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Protocol

from hevo_edge import RateLimit
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from tests.http.redis_servers import BINARY, MISSING, RedisServer

CALLS, PERIOD, TASKS, ON_THE_WAY, APART = 20, 2, 12, 0.3, 0.5


class Limiter(Protocol):
    def call(self) -> AbstractAsyncContextManager[None]:
        """Wait until a call is let through; it is over at the end of the block."""
        ...

    async def close(self) -> None: ...


class Ours:
    def __init__(self, shared: bool | str) -> None:
        limit = RateLimit(CALLS, PERIOD, margin=0.01, shared=shared)
        self._limiter = RateLimiter(limit, Clock(), "benchmark")

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        slot = await self._limiter.acquire(Priority.CANCEL)  # the one without a reserve
        assert slot is not None
        yield
        self._limiter.release(slot, sent=True)

    async def close(self) -> None:
        await self._limiter.close()


class Theirs:
    """`limits`, its exact strategy: a log of the calls in Redis."""

    def __init__(self, url: str) -> None:
        # Not by an import: it is there for the benchmarks only, and not where types are checked.
        theirs, aio = import_module("limits"), import_module("limits.aio")
        self._item = theirs.RateLimitItemPerSecond(CALLS, PERIOD)
        storage = aio.storage.RedisStorage(f"async+{url}", implementation="redispy")
        self._limiter = aio.strategies.MovingWindowRateLimiter(storage)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        while not await self._limiter.hit(self._item, "benchmark"):
            window = await self._limiter.get_window_stats(self._item, "benchmark")
            await asyncio.sleep(max(0.005, window.reset_time - time.time()))
        yield

    async def close(self) -> None:
        """Do nothing: it has no such method."""


def limiter(kind: str, place: str) -> Limiter:
    if kind == "limits, Redis":
        return Theirs(place)
    return Ours(place or False)


def work(kind: str, place: str, tasks: int, seconds: float, ahead: float) -> list[float]:
    """Call for so many seconds; return when the calls arrived."""
    wall = time.time
    time.time = lambda: wall() + ahead
    arrivals: list[float] = []

    async def again_and_again(limits: Limiter, until: float) -> None:
        while time.monotonic() < until:
            async with limits.call():
                await asyncio.sleep(random.random() * ON_THE_WAY)
                arrivals.append(time.monotonic())
                await asyncio.sleep(random.random() * ON_THE_WAY)

    async def all_tasks() -> None:
        limits, until = limiter(kind, place), time.monotonic() + seconds
        await asyncio.gather(*(again_and_again(limits, until) for _ in range(tasks)))
        await limits.close()

    asyncio.run(all_tasks())
    return arrivals


def show(kind: str, arrivals: list[float]) -> None:
    arrivals.sort()
    first, windows = 0, []
    for last, at in enumerate(arrivals):
        while arrivals[first] <= at - PERIOD:
            first += 1
        windows.append(last - first + 1)
    rate = len(arrivals) / (arrivals[-1] - arrivals[0])
    over = sum(each > CALLS for each in windows)
    print(
        f"  {kind:32} {rate:5.1f} calls/s   at most {max(windows):2} in {PERIOD} s   "
        f"more than {CALLS} in {over:3} of {len(windows)} windows",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=3)
    options = parser.parse_args()
    if BINARY is None:
        print(MISSING)
        return
    together, seconds = options.processes, options.seconds
    with (
        RedisServer() as server,
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(together) as pool,
    ):
        file = str(Path(folder, "calls"))
        print(
            f"{CALLS} calls in any {PERIOD} s, {together} processes with {TASKS} tasks each, {seconds:g} s"
        )
        for kind, place in {
            "hevo_edge, memory": "",
            "hevo_edge, file": file,
            "hevo_edge, Redis": server.url,
            "limits, Redis": server.url,
        }.items():
            processes = together if place else 1
            for ahead in (0.0, APART) if place == server.url else (0.0,):
                server.ask("FLUSHALL")
                each = (kind, place, TASKS * together // processes, seconds)
                jobs = [(*each, 0.0 if number else ahead) for number in range(processes)]
                found = pool.starmap(work, jobs, chunksize=1)
                title = f"{kind}, clocks apart" if ahead else kind
                show(title, [at for arrivals in found for at in arrivals])


if __name__ == "__main__":
    main()
