"""A month in one process: whether memory, tasks, timers and connections stay flat.

Run it: python -m tests.benchmarks.months [--days 30] [--pipelines 100] [--seed 1]

In virtual time, over real sockets, against the emulator: one `ClientPool`, as in a daemon, for a
hundred Pipelines, half of them on a schedule. Each day has triggers of all kinds, resyncs, tickets
that are prepared and fired later, again, or never, waits for one Job, for many, and for the next
one, lists, callbacks, and tasks that are cancelled; for an hour another process uses up a part of
the quota, so that there are 429s; and there is an outage, with connections refused, replies that
are lost, 503s, HTML, and time-outs. Keys are rotated on the fourth, the eighth and the twelfth day.

At the end of each day, when all that was begun has ended, it prints what the process holds:

* traced: memory by tracemalloc, the emulator's included, which keeps its latest requests and Jobs;
* resident: memory by the system's count, of all that Python and its libraries took;
* tasks, timers, sockets; records: tickets that the client remembers; entries: those of all
  containers that can be reached from the clients and the package's modules.

A line is fitted to the last seven days. It exits with 1 when traced memory rises by more than 24
KiB a day, or resident memory by more than 512 KiB a day, when there are more tasks, timers or
sockets at the end of a day than at that of the first, when a Job was awaited to another status than
the emulator's, or when a ticket started two runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import statistics
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch

import pydantic_core

from hevo_edge import HevoClient, IfRunning, Job, RateLimit, TriggerTicket, errors
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import run
from hevo_edge.orchestration import Account, ClientPool
from tests.benchmarks.holdings import Holdings, package_modules, take_stock

DAY = 86_400.0
START = 1_767_225_600.0
ROTATIONS = {4, 8, 12}
TRACED_GOAL, RESIDENT_GOAL = 24 * 1024, 512 * 1024
"""Bytes a day by which memory may rise in the last week."""
LAST_WEEK = 7
_QUIET = 3 * 3600.0
"""The last seconds of a day, in which nothing begins."""
_JOBS_KEPT, _REQUESTS_KEPT = 15, 2000
"""What the emulator keeps is small, so that it does not grow for long."""


class Rotating(Account):
    """An account whose clients have repeatable jitter, and share nothing with other processes."""

    def client(self, **overrides: Any) -> HevoClient:
        """Make a client."""
        return super().client(rate_limit=RateLimit(), clock=Clock(seed=1), **overrides)


class Lines(logging.Handler):
    """Counts the lines of a log from WARNING on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, _: logging.LogRecord) -> None:
        """Count one."""
        self.count += 1


@contextmanager
def warnings() -> Iterator[Lines]:
    """Count the client's warnings."""
    lines, logger = Lines(), logging.getLogger("hevo_edge")
    logger.addHandler(lines)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)


@dataclass
class Month:
    """The callers, what became of their calls, and who watches them."""

    emulator: HevoEmulator
    pipelines: int
    chance: random.Random
    pool: ClientPool = field(default_factory=ClientPool)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    wrong: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    # -- a day ------------------------------------------------------------------------------------

    async def live(self, day: int) -> None:
        """Live through one day, until all that was begun has ended."""
        begins = asyncio.get_running_loop().time()
        emulator, chance = self.emulator, self.chance
        self.at(chance.uniform(0, 6) * 3600, self.outage)
        self.at(chance.uniform(8, 16) * 3600, self.crowd)
        if day in ROTATIONS:
            self.at(7.3 * 3600, self.rotate)
        scheduled = [p.id for p in emulator.service.pipelines.values() if p.every_minutes]
        on_demand = [p.id for p in emulator.service.pipelines.values() if not p.every_minutes]
        for pipeline_id in on_demand:
            self.some_time(self.run_once, pipeline_id)
        for pipeline_id in scheduled:
            self.some_time(self.next_job, pipeline_id)
        for use in (self.resync, self.prepare, self.browse, self.await_many, self.leave, self.look):
            for _ in range(max(1, self.pipelines // 20)):
                self.some_time(use, chance.choice(on_demand))
        await asyncio.sleep(begins + DAY - 1800 - asyncio.get_running_loop().time())
        for task in self.tasks:
            task.cancel()  # waits without a time limit of their own
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for task in self.tasks:
            if not task.cancelled() and task.exception() is not None:
                raise RuntimeError("a caller has failed") from task.exception()
        self.tasks.clear()
        await asyncio.sleep(begins + DAY - asyncio.get_running_loop().time())

    def at(self, seconds: float, use: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Do something so many seconds from now."""

        async def later() -> None:
            await asyncio.sleep(seconds)
            try:
                await use(*arguments)
            except errors.HevoError as error:
                self.outcomes[type(error).__name__] += 1
            else:
                self.outcomes["well"] += 1

        self.tasks.append(asyncio.create_task(later()))

    def some_time(self, use: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        """Do something today."""
        self.at(self.chance.uniform(0, DAY - _QUIET), use, *arguments)

    async def read(self, _: Any) -> Account:
        """Return the account as it is now."""
        return Rotating.parse(
            login=self.emulator.api_key,
            password=self.emulator.api_secret,
            host=self.emulator.base_url,
        )

    def count(self, _: object) -> None:
        """Count a call."""
        self.calls += 1

    def lease(self) -> AbstractAsyncContextManager[HevoClient, None]:
        """Lend the client."""
        return self.pool.lease("hevo", self.read)

    # -- what goes wrong --------------------------------------------------------------------------

    async def outage(self) -> None:
        """For twenty minutes Hevo answers badly, and for three of them not at all."""
        faults = self.emulator.faults
        faults.status(503, probability=0.3, times=None)
        faults.drop(probability=0.1, times=None, effect="after")
        faults.drop(probability=0.1, times=None)
        faults.html(probability=0.05, times=None)
        faults.delay(40.0, probability=0.03, times=None)
        await asyncio.sleep(600)
        await self.emulator.stop()
        await asyncio.sleep(180)
        await self.emulator.start()
        await asyncio.sleep(420)
        faults.clear()

    async def crowd(self) -> None:
        """For an hour another process uses up most of the quota."""
        self.emulator.rate_limit = 15
        await asyncio.sleep(3600)
        self.emulator.rate_limit = 100

    async def rotate(self) -> None:
        """Make new keys; the old ones are valid no more."""
        self.emulator.api_key += "'"
        self.emulator.api_secret += "'"

    # -- what callers do --------------------------------------------------------------------------

    async def run_once(self, pipeline_id: int) -> None:
        """Trigger and await, as a daily task does; and know what to do with a doubt."""
        async with self.lease() as hevo:
            policy = self.chance.choice([IfRunning.WAIT, IfRunning.JOIN, IfRunning.FAIL])
            pipeline = hevo.pipeline(pipeline_id)
            try:
                job: Job = await pipeline.trigger(if_running=policy, timeout=3600)
            except errors.TriggerOutcomeUnknown as error:
                self.outcomes["in doubt"] += 1
                if self.chance.random() < 0.3:
                    return  # somebody looks into it, or nobody does
                found = await hevo.reconcile(error.ticket)
                job = found or await hevo.fire(error.ticket)
            await self.ended(job, poll_interval=self.chance.choice([20.0, "auto"]))

    async def ended(self, job: Job, **wait: Any) -> None:
        """Await a Job, and compare how it ended with what the emulator knows."""
        seen: list[str] = []

        async def on_update(updated: Job) -> None:
            await asyncio.sleep(0)
            seen.append(str(updated.status))

        with suppress(errors.JobDidNotSucceed):
            await job.await_completion(timeout=7200, on_update=on_update, **wait)
        rows = self.emulator.pipeline(job.pipeline_id).jobs
        real = next((row for row in rows if row.job_id == job.id), None)
        if real is None or str(real.status) != job.status:
            self.wrong.append(f"{job.ref} is {real and real.status}, not {job.status}")

    async def next_job(self, pipeline_id: int) -> None:
        """Await what the schedule has run today, or, of a few Pipelines, what it will run."""
        now = datetime.fromtimestamp(self.emulator.now, timezone.utc)
        async with self.lease() as hevo:
            pipeline = hevo.pipeline(pipeline_id)
            if self.chance.random() < 0.1:
                await pipeline.await_completion(
                    started_since=now, poll_interval=300, timeout=4 * 3600
                )
            else:
                await pipeline.await_completion(
                    ended_since=now - timedelta(hours=12), timeout=3 * 3600
                )

    async def resync(self, pipeline_id: int) -> None:
        """Load everything again."""
        async with self.lease() as hevo:
            job = await hevo.pipeline(pipeline_id).resync(drop_and_load=True, if_running="wait")
            await self.ended(job)

    async def prepare(self, pipeline_id: int) -> None:
        """Prepare a ticket, and fire its text later, twice; or never."""
        async with self.lease() as hevo:
            ticket = await hevo.pipeline(pipeline_id).prepare_trigger(if_running="wait")
            if self.chance.random() < 0.5:
                return
            text = ticket.dumps()
            await asyncio.sleep(self.chance.choice([5.0, 1800.0]))
            before = self.runs_of(pipeline_id)
            job = await hevo.fire(TriggerTicket.loads(text))
            if job != await hevo.fire(ticket) or self.runs_of(pipeline_id) > before + 1:
                self.wrong.append(f"a ticket of Pipeline {pipeline_id} was fired twice")

    def runs_of(self, pipeline_id: int) -> int:
        """Return how many runs of the ticket's kind were started; others may come between."""
        calls = self.emulator.requests.of("sync_now")
        return sum(call.took_effect for call in calls if call.pipeline_id == pipeline_id)

    async def browse(self, pipeline_id: int) -> None:
        """Read what a dashboard shows."""
        async with self.lease() as hevo:
            pipeline = hevo.pipeline(pipeline_id)
            _ = [job async for job in pipeline.list_jobs(limit=20)]
            _ = [row async for row in pipeline.list_objects()]
            await pipeline.active_job()

    async def await_many(self, pipeline_id: int) -> None:
        """Trigger five, and await them together."""
        async with self.lease() as hevo:
            ids = [1 + (pipeline_id + each) % self.pipelines for each in range(5)]
            started = await asyncio.gather(
                *(hevo.pipeline(each).trigger(if_running="join") for each in ids),
                return_exceptions=True,
            )
            jobs = [each for each in started if isinstance(each, Job)]
            await hevo.await_all(jobs, on_failure="return", timeout=3600, poll_interval="auto")

    async def leave(self, pipeline_id: int) -> None:
        """Give up in the middle of a trigger or of a wait."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.run_once(pipeline_id), self.chance.uniform(0, 60))

    async def look(self, pipeline_id: int) -> None:
        """Watch a Job."""
        async with self.lease() as hevo:
            job = await hevo.pipeline(pipeline_id).trigger(if_running="join")
            async for _ in job.watch(poll_interval=20):
                pass

    # -- what is held -----------------------------------------------------------------------------

    def stock(self) -> tuple[Holdings, int]:
        """Return what the process holds, and how many tickets the client remembers."""
        shared = self.pool._of_loop[asyncio.get_running_loop()]["hevo"]
        assert shared._leased is not None
        return take_stock(self.pool, *package_modules()), len(
            shared._leased.hevo._core.triggers.registry
        )


@dataclass(frozen=True)
class Day:
    """What was held at the end of a day, and what there was in it."""

    number: int
    calls: int
    held: Holdings
    records: int
    lines: int
    seconds: float


HEADER = (
    f"{'day':>3}  {'calls':>6}  {'traced':>10}  {'resident':>9}  {'tasks':>5}  {'timers':>6}  "
    f"{'sockets':>7}  {'records':>7}  {'entries':>7}  {'warnings':>8}  {'took':>6}"
)


def row(day: Day) -> str:
    held = day.held
    return (
        f"{day.number:3}  {day.calls:6,}  {held.traced / 1024:6,.0f} KiB  "
        f"{held.resident / 2**20:5.1f} MiB  {held.tasks:5}  {held.timers:6}  {held.sockets:7}  "
        f"{day.records:7,}  {held.entries:7,}  {day.lines:8,}  {day.seconds:4.1f} s"
    )


async def live(
    days: int, pipelines: int, seed: int, show: Callable[[Day, Month], None]
) -> tuple[list[Day], Month]:
    """Live through so many days; shows each at its end."""
    emulator = HevoEmulator(seed=seed, start=START, journal_limit=_REQUESTS_KEPT)
    month = Month(emulator, pipelines, random.Random(seed))
    emulator.on_request = month.count
    for number in range(1, pipelines + 1):
        emulator.add_pipeline(
            number,
            every_minutes=None if number % 2 else 300 + number,
            duration=(30, 200),
            history=_JOBS_KEPT,
            job_limit=_JOBS_KEPT,
        )
    # aiohttp closes idle connections by its own clock, which is the real one.
    with patch("aiohttp.connector.monotonic", asyncio.get_running_loop().time), warnings() as lines:
        async with emulator:
            lived = []
            for number in range(1, days + 1):
                began, month.calls, before = time.perf_counter(), 0, lines.count
                await month.live(number)
                seconds = time.perf_counter() - began
                lived.append(
                    Day(number, month.calls, *month.stock(), lines.count - before, seconds)
                )
                show(lived[-1], month)
            async with month.lease() as hevo:
                await hevo.close()
    return lived, month


def fill_cache_of_strings() -> None:
    """Fill pydantic's cache of strings, 1.4 MB at most: else it grows for the first two months."""
    for thousand in range(200):
        pydantic_core.from_json(json.dumps([f"{thousand:018}{each:018}" for each in range(1000)]))


def slope(days: list[Day], value: Callable[[Holdings], int]) -> float:
    """Return by how much a value rises a day, by a line fitted to these days."""
    numbers = [float(day.number) for day in days]
    return statistics.linear_regression(numbers, [value(day.held) for day in days]).slope


def faults_of(days: list[Day], month: Month) -> list[str]:
    """Return what is not as it should be."""
    found = list(month.wrong)
    first, last_week = days[0].held, days[-LAST_WEEK:]
    for name in ("tasks", "timers", "sockets"):
        most = max(getattr(day.held, name) for day in last_week)
        if most > getattr(first, name):
            found.append(f"{name}: {most} in the last week, {getattr(first, name)} at first")
    if len(days) > LAST_WEEK:
        for name, goal in (("traced", TRACED_GOAL), ("resident", RESIDENT_GOAL)):
            rise = slope(last_week, lambda held, name=name: getattr(held, name))  # type: ignore[misc]
            print(f"{name} memory in the last week: {rise / 1024:+.1f} KiB a day")
            if rise > goal:
                found.append(f"{name} memory rises by more than {goal / 1024:.0f} KiB a day")
    return found


def main() -> int:
    """Print the table; return 1 when something rises."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--pipelines", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    print(HEADER)
    tracemalloc.start()
    fill_cache_of_strings()
    days, month = run(
        live(asked.days, asked.pipelines, asked.seed, lambda day, _: print(row(day), flush=True))
    )
    tracemalloc.stop()
    print("what became of the calls:", dict(month.outcomes.most_common()))
    found = faults_of(days, month)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    logging.getLogger("hevo_edge").propagate = False
    raise SystemExit(main())
