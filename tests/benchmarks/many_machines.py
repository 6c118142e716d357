"""Up to a thousand machines that share one window through Redis: exact, fair, how long calls wait, what Redis does.

Run it: python -m tests.benchmarks.many_machines [--machines 10 100 1000] [--minutes 30] [--seed 1]

A simulation in virtual time of all but the network: each machine is a real ``RateLimiter`` with a connection of its
own to a real Redis, which runs the very script, and is told the virtual time. A call arrives 20 to 150 ms after
it is sent, and its reply takes as long again. There are 100 calls in any 60 s, of which polls may use 90. In the
first half of the table polls ask for 70 % of that, at random machines; in the second half every machine has
two polls waiting at any time. Three triggers and one cancel a minute go out at random machines.

Printed are the most arrivals in any 60 s; the calls made in a minute; how evenly the machines' polls were
served (Jain's index: 1 is evenly; pure chance would make what stands beside it); how long a poll, a trigger, a
cancel waited for its slot (median, 99 %, longest); and what Redis did.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from hevo_edge import RateLimit
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_link import RedisLink
from hevo_edge._http.redis_window import RedisWindow
from tests.conftest import PatientLoop
from tests.http.patience import patiently
from tests.http.redis_servers import BINARY, MISSING, RedisServer

CALLS, PERIOD, MARGIN = 100, 60.0, 0.1
POLLS = RateLimit(CALLS).ceiling(Priority.POLL)
PER_MINUTE = {Priority.TRIGGER: 3.0, Priority.CANCEL: 1.0}
WARM_UP = 120.0
"""Seconds after which one begins to count: the window fills, and all have asked once."""


@dataclass
class Fleet:
    """So many machines, and what they did."""

    machines: list[RateLimiter]
    chance: random.Random
    arrivals: list[float] = field(default_factory=list)
    waits: dict[Priority, list[float]] = field(
        default_factory=lambda: {priority: [] for priority in Priority}
    )
    polls: Counter[int] = field(default_factory=Counter)
    counts_from: float = 0.0

    async def call(self, machine: int, priority: Priority) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        limiter = self.machines[machine]
        slot = await limiter.acquire(priority)
        assert slot is not None
        if loop.time() >= self.counts_from:
            self.waits[priority].append(loop.time() - began)
            self.polls[machine] += priority is Priority.POLL
        await asyncio.sleep(self.chance.uniform(0.02, 0.15))
        self.arrivals.append(loop.time())
        await asyncio.sleep(self.chance.uniform(0.02, 0.15))
        limiter.release(slot, sent=True)

    async def always(self, machine: int) -> None:
        await asyncio.sleep(self.chance.uniform(0, 10))
        while True:
            await self.call(machine, Priority.POLL)

    async def now_and_then(self, priority: Priority, a_minute: float) -> None:
        calls: set[asyncio.Task[None]] = set()
        try:
            while True:
                await asyncio.sleep(self.chance.expovariate(a_minute / 60))
                machine = self.chance.randrange(len(self.machines))
                call = asyncio.ensure_future(self.call(machine, priority))
                calls.add(call)
                call.add_done_callback(calls.discard)
        finally:
            for call in calls:
                call.cancel()

    def worst(self) -> int:
        """Return the most arrivals in any period."""
        first, most = 0, 0
        for last, at in enumerate(self.arrivals):
            while self.arrivals[first] <= at - PERIOD:
                first += 1
            most = max(most, last - first + 1)
        return most

    def evenness(self) -> float:
        served = [self.polls[machine] for machine in range(len(self.machines))]
        return sum(served) ** 2 / (len(served) * sum(each * each for each in served))


@asynccontextmanager
async def fleet_of(server: RedisServer, machines: int, seed: int) -> AsyncIterator[Fleet]:
    limit = RateLimit(CALLS, PERIOD, MARGIN, shared=server.url, shared_name="fleet")
    fleet = Fleet([RateLimiter(limit, Clock()) for _ in range(machines)], random.Random(seed))
    for limiter in fleet.machines:
        window: Any = limiter._window
        assert isinstance(window, RedisWindow)
        window._offset, window._offset_at = 1e9, math.inf  # it is told the virtual time
    try:
        yield fleet
    finally:
        for limiter in fleet.machines:
            await limiter.close()


async def live(
    server: RedisServer, machines: int, seed: int, minutes: float, demand: float | None
) -> str:
    """Return a line of the table; without ``demand``, in polls a minute, all wait for polls always."""
    loop = asyncio.get_running_loop()
    async with fleet_of(server, machines, seed) as fleet:
        work = [fleet.now_and_then(*each) for each in PER_MINUTE.items()]
        if demand is None:
            work += [fleet.always(machine) for machine in range(machines) for _ in range(2)]
        else:
            work.append(fleet.now_and_then(Priority.POLL, demand))
        tasks = [asyncio.ensure_future(each) for each in work]
        fleet.counts_from = loop.time() + WARM_UP
        await asyncio.sleep(WARM_UP)
        server.ask("CONFIG", "RESETSTAT")
        await asyncio.sleep(60 * minutes)
        stats = server.ask("INFO", "commandstats")["cmdstat_evalsha"]
        made = sum(at >= fleet.counts_from for at in fleet.arrivals)
        keys = server.ask("KEYS", "*")
        memory = sum(server.ask("MEMORY", "USAGE", key) for key in keys)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    server.ask("FLUSHALL")
    by_chance = 1 / (1 + len(fleet.machines) / max(1, fleet.polls.total()))
    waits = "  ".join(
        _waits(fleet.waits[each]) for each in (Priority.POLL, Priority.TRIGGER, Priority.CANCEL)
    )
    return (
        f"{machines:8}  {'all' if demand is None else f'{demand:.0f}':>6}  {fleet.worst():5}  "
        f"{made / minutes:5.1f}  {fleet.evenness():.2f} ({by_chance:.2f})  "
        f"{waits}  {stats['calls'] / minutes / 60:6.1f}  {stats['usec_per_call'] / 1e3:5.2f}  {memory / 1024:5.0f}"
    )


HEADER = (
    f"machines  polls/min  most  calls/min  evenness  {'poll waits s':^22}  {'trigger waits s':^22}  {'cancel waits s':^22}  "
    "messages/s  ms in Redis  KiB"
)


def _waits(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return f"{'-':>22}"
    hundredth = statistics.quantiles(seconds, n=100)[98]
    return f"{statistics.median(seconds):6.1f} {hundredth:7.1f} {max(seconds):7.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--machines", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if BINARY is None:
        print(MISSING)
        return
    print(HEADER)
    with (
        RedisServer("--maxclients", "10000") as server,
        mock.patch.object(RedisLink, "_bounded", patiently(RedisLink._bounded)),
    ):
        for demand in (0.7 * POLLS, None):
            for machines in options.machines:
                loop = PatientLoop()
                run = live(server, machines, options.seed, options.minutes, demand)
                line = loop.run_until_complete(run)
                loop.close()
                print(line, flush=True)


if __name__ == "__main__":
    main()
