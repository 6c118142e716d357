"""What a slot of the window costs that machines share through Redis, beside a bare EVALSHA.

Run it: python -m tests.benchmarks.redis_window [--calls 2000]

It needs a redis-server (apt-get install redis-server), which it starts itself, on this machine. In turns,
so that whatever else keeps the machine busy does so to all: a script that does nothing, by redis-py ("bare
EVALSHA"); how long a call waits for its slot while there are free ones; how long one that is refused;
and the same of the windows in memory and in a file. That a slot is given back nobody waits for: the
next message tells it. Printed are medians, their ratio to the bare EVALSHA, and how many messages
Redis got for each slot.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import redis.asyncio

from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_window import RedisWindow
from hevo_edge._http.shared_window import FileWindow
from hevo_edge._http.window import LocalWindow, SharedWindow
from tests.http.redis_servers import BINARY, MISSING, RedisServer

CALLS, TURN = 100, 50
OCCUPIED = 0.01
"""So short that some forty slots are taken at any time."""


async def slot(window: SharedWindow, at_most: int = CALLS) -> float:
    """Return how many seconds it took to take one."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    taken = await window.take(loop.time(), at_most, Priority.POLL)
    seconds = time.perf_counter() - began
    if at_most:
        assert taken is not None
        window.give_back(taken, loop.time(), sent=True)
    return seconds


async def measure(server: RedisServer, folder: Path, calls: int) -> None:
    client = redis.asyncio.Redis.from_url(server.url)
    digest = await client.script_load("return 1")
    ours = RedisWindow(server.address, "benchmark", OCCUPIED)
    memory, file = LocalWindow(OCCUPIED), FileWindow(folder / "calls", OCCUPIED)

    async def bare_call() -> float:
        began = time.perf_counter()
        await client.evalsha(digest, 0)
        return time.perf_counter() - began

    kinds: dict[str, Callable[[], Awaitable[float]]] = {
        "bare EVALSHA": bare_call,
        "Redis: taken": lambda: slot(ours),
        "Redis: refused": lambda: slot(ours, 0),
        "memory: taken": lambda: slot(memory),
        "file: taken": lambda: slot(file),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(calls // TURN):
        for kind, call in kinds.items():
            for _ in range(TURN):
                times[kind].append(await call())
    bare = statistics.median(times["bare EVALSHA"])
    for kind, each in times.items():
        median, slowest = statistics.median(each), statistics.quantiles(each, n=100)[98]
        print(
            f"  {kind:15} {median * 1e6:6.0f} us (99 %: {slowest * 1e6:6.0f} us)   "
            f"{median / bare:5.2f} x a bare EVALSHA"
        )
    server.ask("CONFIG", "RESETSTAT")
    for _ in range(calls):
        await slot(ours)
    told = server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
    print(f"  {told / calls:.2f} messages a slot, taken and given back one after another")
    await ours.close()
    await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    calls = parser.parse_args().calls
    if BINARY is None:
        print(MISSING)
        return
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(server, Path(folder), calls))


if __name__ == "__main__":
    main()
