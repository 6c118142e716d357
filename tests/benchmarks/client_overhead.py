"""What the client costs beside a bare aiohttp session doing the same GET and json.loads.

Run it: python tests/benchmarks/client_overhead.py [--rounds 7] [--requests 2000]

Prints ratios, each the median over rounds in which both sides run in turn in one process, against
one server in a process of its own on loopback:

* requests a second at 1 and at 50 in flight, through the client (limiter off, validation on) and
  through the bare session; the goal is a ratio of at least 0.7;
* TCP connections for 200 requests one after another; the goal is one;
* `import hevo_edge` (and with its client resolved) beside `import aiohttp, pydantic`, medians over
  fresh interpreters; the goal is at most 1.2.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from hevo_edge import HevoClient, api

JOB_ID = "550e8400-e29b-41d4-a716-446655440001"
JOB = {
    "job_id": JOB_ID,
    "type": "INCREMENTAL",
    "status": "IN_PROGRESS",
    "created_ts": 1704067200000,
    "updated_ts": 1704067260000,
    "events_ingested": 1000,
    "events_loaded": 950,
    "events_failed": 50,
    "objects_success": 5,
    "objects_queued": 2,
    "objects_skipped": 0,
    "objects_failed": 0,
    "duration": 60000,
    "min_latency": 100,
    "max_latency": 5000,
    "mean_latency": 1500,
}
IN_FLIGHT = (1, 50)


def serve() -> None:
    """Answer every GET with a Job, and count connections; prints the port."""
    body = json.dumps(JOB).encode()
    connections: set[int] = set()

    async def job(request: web.Request) -> web.Response:
        connections.add(id(request.transport))
        return web.Response(body=body, content_type="application/json")

    async def count(_: web.Request) -> web.Response:
        seen = len(connections)
        connections.clear()
        return web.json_response(seen)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/connections", count)
        app.router.add_get("/{path:.*}", job)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()

    asyncio.run(main())


async def rate(get: Callable[[], Awaitable[object]], requests: int, in_flight: int) -> float:
    """Return requests a second."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await get()

    start = time.perf_counter()
    await asyncio.gather(*(worker(requests // in_flight) for _ in range(in_flight)))
    return requests // in_flight * in_flight / (time.perf_counter() - start)


async def compare(base_url: str, rounds: int, requests: int) -> None:
    request = api.get_job(1, JOB_ID)
    url = base_url + request.path
    async with (
        aiohttp.ClientSession() as session,
        HevoClient("key", "secret", base_url=base_url, rate_limit=None) as hevo,
    ):

        async def bare() -> object:
            async with session.get(url) as response:
                return json.loads(await response.read())

        async def ours() -> object:
            return await hevo.send(request)

        for in_flight in IN_FLIGHT:
            await rate(bare, 200, in_flight)
            await rate(ours, 200, in_flight)
            pairs = [
                (await rate(ours, requests, in_flight), await rate(bare, requests, in_flight))
                for _ in range(rounds)
            ]
            ratio = statistics.median(mine / plain for mine, plain in pairs)
            mine, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(
                f"{in_flight:3} in flight: client {mine:6.0f}/s, bare session {plain:6.0f}/s, "
                f"ratio {ratio:.2f} (goal: at least 0.70)"
            )
    async with aiohttp.ClientSession() as session:
        async with session.get(base_url + "/connections") as response:
            await response.read()
        async with HevoClient("key", "secret", base_url=base_url, rate_limit=None) as hevo:
            for _ in range(200):
                await hevo.send(request)
        async with session.get(base_url + "/connections") as response:
            print(f"TCP connections for 200 requests: {await response.json()} (goal: 1)")


def import_seconds(statement: str) -> float:
    code = (
        f"import time; start = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def compare_imports(rounds: int) -> None:
    times: dict[str, list[float]] = {
        "import aiohttp, pydantic": [],
        # pydantic loads most of itself only when a model is made, so this is what a user of both pays.
        "import aiohttp; from pydantic import BaseModel": [],
        "import hevo_edge": [],
        "from hevo_edge import JobType, PipelineAction": [],
        "from hevo_edge import HevoClient": [],
    }
    for _ in range(rounds):
        for statement, seconds in times.items():
            seconds.append(import_seconds(statement))
    base = statistics.median(times["import aiohttp, pydantic"])
    for statement, seconds in times.items():
        ratio = statistics.median(seconds) / base
        print(f"{statement}: {ratio:.2f} times aiohttp and pydantic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            port = int(server.stdout.readline())
            asyncio.run(compare(f"http://127.0.0.1:{port}", arguments.rounds, arguments.requests))
            server.stdin.close()
        finally:
            server.terminate()
    compare_imports(arguments.rounds)


if __name__ == "__main__":
    main()
