"""What ten thousand waits weigh: memory a wait, CPU a poll, registering and cancelling them all.

Run it: python -m tests.benchmarks.weight [--waits 10000] [--rounds 9] [--polls 2000]

Real sockets and real time, against a server in a process of its own on loopback. Only the client's
process is weighed. Each figure has its goal:

* memory a waiting Job, by tracemalloc: what there is more when all are waited for and each has been
  polled once than before its handle was made. So it holds the handle, the wait, and the last
  snapshot; at most 4 KiB by ``await_all``. Beside it the same by a task of ``await_completion()`` a
  Job; what a bare task with a future of its own takes of that is said apart. The peak is that of
  the moment in which all are polled for the first time. What is left is read after all waits
  were cancelled and the handles dropped;
* CPU a poll: process time for a poll of ``await_all`` at a few hundred Jobs with next to no pause
  in between, beside a bare aiohttp session's GET and ``json.loads`` with as many requests in
  flight as the polls had connections. Interleaved rounds, medians, at most 1.5. Every poll finds a
  change, which is the dearer kind;
* registering: from the call until the event loop's queue of ready callbacks is empty again, so that
  it would sleep. The handles bring snapshots that are recent enough, so no poll is due: asserted.
  Below 1 s by ``await_all``;
* cancelling: from the ``cancel()`` until the same moment; no task and no timer of hevo_edge left.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from hevo_edge import HevoClient, Job, RateLimit
from tests.benchmarks.client_overhead import JOB

LONG = 3600.0
SHORT = 0.001
AT_A_TIME = 300
"""Jobs that are polled all the time."""
HUGE = RateLimit(10**6, 60.0)
MEMORY_GOAL = 4096
CPU_GOAL = 1.5
REGISTERING_GOAL = 1.0

Start = Callable[[HevoClient, list[Job]], list["asyncio.Task[Any]"]]


# -- the server -----------------------------------------------------------------------------------


def serve() -> None:
    """Answer every GET of a Job with that Job, a bit further on each time; prints the port."""
    polls, connections, status = 0, set[int](), "IN_PROGRESS"

    async def job(request: web.Request) -> web.Response:
        nonlocal polls
        polls += 1
        connections.add(id(request.transport))
        shown = {**JOB, "job_id": request.match_info["job_id"], "status": status}
        shown.update(events_ingested=polls, updated_ts=1704067260000 + polls)
        return web.json_response(shown)

    async def control(request: web.Request) -> web.Response:
        nonlocal status
        status = request.query.get("status", status)
        seen = {"polls": polls, "connections": len(connections)}
        connections.clear()
        return web.json_response(seen)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/api/v1/pipelines/{pipeline_id}/jobs/{job_id}", job)
        app.router.add_get("/control", control)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()

    asyncio.run(main())


@contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own; yields its base URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.weight", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
            process.stdin.close()
        finally:
            process.terminate()


class Control:
    """Asks the server what it saw, and says in which status all Jobs are from now on."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.url = base_url + "/control"
        self.session = session

    async def __call__(self, status: str | None = None) -> dict[str, int]:
        query = {} if status is None else {"status": status}
        async with self.session.get(self.url, params=query) as response:
            seen: dict[str, int] = json.loads(await response.read())
            return seen


@asynccontextmanager
async def talking(
    base_url: str, limit: RateLimit | None = None
) -> AsyncIterator[tuple[HevoClient, Control]]:
    async with (
        aiohttp.ClientSession() as session,
        HevoClient("key", "secret", base_url=base_url, rate_limit=limit) as hevo,
    ):
        control = Control(base_url, session)
        await control("IN_PROGRESS")
        yield hevo, control


def handles(hevo: HevoClient, count: int) -> list[Job]:
    return [
        hevo.job(number, f"550e8400-e29b-41d4-a716-{number:012}") for number in range(1, count + 1)
    ]


# -- ways to wait ---------------------------------------------------------------------------------


def by_await_all(hevo: HevoClient, jobs: list[Job]) -> list[asyncio.Task[Any]]:
    return [asyncio.ensure_future(hevo.await_all(jobs, poll_interval=LONG))]


def by_tasks(hevo: HevoClient, jobs: list[Job]) -> list[asyncio.Task[Any]]:
    return [asyncio.ensure_future(job.await_completion(poll_interval=LONG)) for job in jobs]


WAYS: dict[str, Start] = {"await_all": by_await_all, "await_completion tasks": by_tasks}


async def idle() -> None:
    """Wait until the running loop has nothing more to run."""
    loop: Any = asyncio.get_running_loop()
    await asyncio.sleep(0)
    while loop._ready:  # noqa: ASYNC110 -- nothing tells of it
        await asyncio.sleep(0)


async def end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await idle()


async def looked_at(jobs: list[Job]) -> None:
    """Wait until each has a snapshot."""
    for job in jobs:
        while job.data is None:  # noqa: ASYNC110 -- as a user may, without a callback
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)


def timers() -> int:
    """Count the running loop's timers that are hevo_edge's and not cancelled."""
    loop: Any = asyncio.get_running_loop()
    callbacks = [timer._callback for timer in loop._scheduled if not timer.cancelled()]
    return sum("hevo_edge" in f"{getattr(call, '__module__', call)!r}" for call in callbacks)


# -- what is measured -----------------------------------------------------------------------------


async def memory(base_url: str, start: Start, waits: int) -> tuple[float, float, float]:
    """Return the bytes a wait: waiting, at the peak, and left when all is over."""
    async with talking(base_url) as (hevo, _):
        tracemalloc.start()
        try:
            await warm_up(hevo)
            before = traced()
            jobs = handles(hevo, waits)
            tasks = start(hevo, jobs)
            await looked_at(jobs)
            peak, waiting = tracemalloc.get_traced_memory()[1], traced()
            assert not any(task.done() for task in tasks)
            await end(tasks)
            del jobs, tasks
            left = traced()
        finally:
            tracemalloc.stop()
    return (waiting - before) / waits, (peak - before) / waits, (left - before) / waits


async def bare_task_memory(waits: int) -> float:
    """Return the bytes of a task that waits for a future of its own."""

    async def sit() -> None:
        await asyncio.get_running_loop().create_future()

    tracemalloc.start()
    before = traced()
    tasks = [asyncio.ensure_future(sit()) for _ in range(waits)]
    await idle()
    taken = traced() - before
    tracemalloc.stop()
    await end(tasks)
    return taken / waits


def traced() -> int:
    gc.collect()
    tracemalloc.reset_peak()
    return tracemalloc.get_traced_memory()[0]


async def warm_up(hevo: HevoClient) -> None:
    """Fill the pool of connections, and all that is made only once."""
    await asyncio.gather(*(job.refresh() for job in handles(hevo, AT_A_TIME)))
    await asyncio.sleep(0.1)  # for the last connections to go back into the pool


async def cpu_of_polls(base_url: str, limit: RateLimit | None, polls: int) -> tuple[float, int]:
    """Return the CPU seconds of a poll, and how many connections polls had."""
    async with talking(base_url, limit) as (hevo, control):
        task = asyncio.ensure_future(hevo.await_all(handles(hevo, AT_A_TIME), poll_interval=SHORT))
        await asyncio.sleep(0.5)
        cpu, first = time.process_time(), (await control())["polls"]
        seen = 0
        while seen < polls:
            await asyncio.sleep(0.2)
            stand = await control()
            seen = stand["polls"] - first
        cpu = time.process_time() - cpu
        await control("COMPLETED")
        await task
        return cpu / seen, stand["connections"]


async def cpu_of_bare(base_url: str, in_flight: int, polls: int) -> float:
    """Return the CPU seconds of a bare GET and json.loads."""
    url = f"{base_url}/api/v1/pipelines/1/jobs/{JOB['job_id']}"

    async def worker(count: int) -> None:
        for _ in range(count):
            async with session.get(url) as response:
                json.loads(await response.read())

    async def all_workers(count: int) -> None:
        await asyncio.gather(*(worker(count) for _ in range(in_flight)))

    async with aiohttp.ClientSession() as session:
        await all_workers(5)
        cpu, each = time.process_time(), max(1, polls // in_flight)
        await all_workers(each)
        return (time.process_time() - cpu) / (each * in_flight)


async def registering(
    base_url: str, start: Start, waits: int
) -> tuple[float, float, tuple[int, int]]:
    """Return the seconds to register and to cancel, and the tasks and timers left."""
    async with talking(base_url) as (hevo, control):
        jobs = handles(hevo, waits)
        await asyncio.gather(*(job.refresh() for job in jobs))
        polls = (await control())["polls"]
        await idle()
        gc.collect()
        tasks_before, timers_before = len(asyncio.all_tasks()), timers()
        began = time.perf_counter()
        tasks = start(hevo, jobs)
        await idle()
        registered = time.perf_counter() - began
        assert (await control())["polls"] == polls, "a poll was taken, which none was meant to be"
        assert not any(task.done() for task in tasks)
        began = time.perf_counter()
        await end(tasks)
        cancelled = time.perf_counter() - began
        left = (len(asyncio.all_tasks()) - tasks_before, timers() - timers_before)
    return registered, cancelled, left


# -- the report -----------------------------------------------------------------------------------


def say(what: str, figure: str, goal: str = "-", met: bool | None = None) -> None:
    print(f"{what:<58} {figure:>28}  {goal:>9}  { {None: '-', True: 'yes', False: 'NO'}[met] }")


def report_memory(base_url: str, waits: int) -> None:
    bare = asyncio.run(bare_task_memory(waits))
    say("memory, a bare task and its future", f"{bare:.0f} B")
    for name, start in WAYS.items():
        waiting, peak, left = asyncio.run(memory(base_url, start, waits))
        goal, met = "-", None
        if start is by_await_all:
            goal, met = f"<= {MEMORY_GOAL} B", waiting <= MEMORY_GOAL
        say(f"memory a wait, {name}", f"{waiting:.0f} B", goal, met)
        if start is by_tasks:
            say("  without a bare task's own", f"{waiting - bare:.0f} B")
        say("  peak while all are polled; left when all is over", f"{peak:.0f} B; {left:.0f} B")


def report_cpu(base_url: str, rounds: int, polls: int) -> None:
    limits: dict[str, RateLimit | None] = {"no limit": None, "a huge limit": HUGE}
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in limits}
    in_flight = 0
    for _ in range(rounds):
        for name, limit in limits.items():
            mine, in_flight = asyncio.run(cpu_of_polls(base_url, limit, polls))
            bare = asyncio.run(cpu_of_bare(base_url, in_flight, polls))
            pairs[name].append((mine, bare))
    bare = statistics.median(bare for side in pairs.values() for _, bare in side)
    say(f"CPU of a bare GET, {in_flight} in flight", f"{bare * 1e6:.0f} us")
    for name, side in pairs.items():
        mine = statistics.median(mine for mine, _ in side)
        ratio = statistics.median(mine / bare for mine, bare in side)
        goal, met = (f"<= {CPU_GOAL}", ratio <= CPU_GOAL) if limits[name] is None else ("-", None)
        say(
            f"CPU a poll of await_all, {name}", f"{mine * 1e6:.0f} us, ratio {ratio:.2f}", goal, met
        )


def report_registering(base_url: str, waits: int) -> None:
    for name, start in WAYS.items():
        registered, cancelled, (tasks, timed) = asyncio.run(registering(base_url, start, waits))
        goal, met = "-", None
        if start is by_await_all:
            goal, met = f"< {REGISTERING_GOAL:g} s", registered < REGISTERING_GOAL
        say(f"registering {waits} waits, {name}", f"{registered:.2f} s", goal, met)
        left = f"{tasks} tasks, {timed} timers"
        say(f"cancelling {waits} waits, {name}", f"{cancelled:.2f} s")
        say("  left behind", left, "none", (tasks, timed) == (0, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--waits", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--polls", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    print(f"{'what':<58} {'figure':>28}  {'goal':>9}  met")
    with server() as base_url:
        report_cpu(base_url, options.rounds, options.polls)
        report_registering(base_url, options.waits)
        report_memory(base_url, options.waits)


if __name__ == "__main__":
    main()
