"""What the Airflow adapter costs: a DAG file's imports, and a thousand waits in one triggerer.

Run it where Airflow is: python -m tests.benchmarks.airflow_adapter [--waits 1000] [--rounds 9]

Nothing of Airflow's database is needed. Each figure has its goal, and its baseline in the same run:

* import: milliseconds that the two imports of a DAG file take after Airflow's own operator base,
  which every DAG file pays anyway; at most 60 ms. Beside it ``import aiohttp, pydantic`` after the
  same base, the least that an adapter pays whose operator loads its client. Fresh interpreters in
  turn, medians, without the start of the interpreter;
* memory: what a deferred wait takes beyond a trigger of as many fields and its task, which only
  waits for an event; at most 4 KiB. Read when each Job has been polled, with all that is made
  only once made before. By tracemalloc, and by the process's resident set, which counts what the
  allocator does not give back as well. A process of its own for each, in turn, medians;
* blocks: how late a task that sleeps for 5 ms wakes up, at worst, while a thousand waits start,
  while they wait, and while all of their Jobs end; never over 100 ms. The goal is for the median of
  the rounds: a block of ours comes in each. Beside it the worst of all, and what of that the loop's
  thread has computed; for the rest of it the machine had other things to do. The same without what
  Python's garbage collector took: a full collection goes through all that Airflow has loaded,
  whoever's objects set it off, and what one takes is said. The baseline's triggers start and end
  in the same way.

The waits are those of an operator with a time-out, one for each of as many Pipelines, run as a
triggerer runs them, by a connection without a rate limit: so polls are as dense as they can be.
The emulator answers, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hevo_edge.emulator import HevoEmulator

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

CONNECTION = "hevo_airflow_conn_id"
BASES = {"2": "from airflow.models.baseoperator import BaseOperator"}
BASE = "from airflow.sdk import BaseOperator"
OURS = (
    "from hevo_edge import JobType, PipelineAction; "
    "from hevo_edge.integrations.airflow import HevoPipelineOperator"
)
PEER = "import aiohttp, pydantic"
HEAVY = ("aiohttp", "pydantic")

IMPORT_GOAL = 60.0
MEMORY_GOAL = 4096
BLOCK_GOAL = 100.0
KINDS = ("hevo", "bare")
PHASES = ("starting", "waiting", "ending")
BEAT = 0.005
WARM = 100
"""Waits that come before those that are measured; all connections are in use by them."""

Make = Callable[[int, str], "BaseTrigger"]


# -- the emulator ---------------------------------------------------------------------------------


def serve(waits: int) -> None:
    """Run Pipelines with endless Jobs. Answers lines: ``polls`` with their number, ``end``."""
    with HevoEmulator(rate_limit=None) as emulator:
        pipelines = [emulator.add_pipeline(1 + i, history=1) for i in range(waits)]
        past = [pipeline.jobs[0].job_id for pipeline in pipelines]
        for pipeline in pipelines:
            pipeline.plan(duration=None, appears_after=0)
        jobs = [pipeline.start_job(now=emulator.now) for pipeline in pipelines]
        print(json.dumps([emulator.base_url, past, [job.job_id for job in jobs]]), flush=True)
        for line in sys.stdin:
            if line.strip() == "end":
                for job in jobs:
                    job.end(emulator.now, "COMPLETED")
            print(len(emulator.requests), flush=True)


class Emulator:
    """The emulator's process, for the one that is measured."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.base_url, self.past, self.jobs = self._read()

    def tell(self, line: str) -> int:
        """Send a line; returns how many calls it has had."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        calls: int = self._read()
        return calls

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def emulating(waits: int) -> Iterator[Emulator]:
    """Run the emulator, and let the Airflow connection lead to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.airflow_adapter", "--serve", str(waits)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            emulator = Emulator(process)
            os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps(
                {
                    "conn_type": "hevo",
                    "host": emulator.base_url,
                    "login": "emulator-key",
                    "password": "emulator-secret",
                    "extra": {"rate_limit": None},
                }
            )
            yield emulator
        finally:
            process.terminate()


# -- the triggers, and the triggerer --------------------------------------------------------------


def hevo_trigger(pipeline_id: int, job_id: str) -> BaseTrigger:
    """Make what an operator with an ``execution_timeout`` defers to."""
    # Airflow reads AIRFLOW_HOME when it is imported, so that must be set by then; also below.
    from hevo_edge.integrations.airflow import HevoTrigger  # noqa: PLC0415

    return HevoTrigger(
        pipeline_id,
        job_id=job_id,
        deadline=time.time() + 24 * 3600,
        cancel_on_kill=True,
        certainty="certain",
    )


def bare_triggers(gate: asyncio.Event) -> Make:
    """Return what makes triggers of as many fields, which wait for a gate to open."""
    from airflow.triggers.base import BaseTrigger, TriggerEvent  # noqa: PLC0415

    class Bare(BaseTrigger):
        def __init__(self, fields: dict[str, Any]) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            for name, value in fields.items():
                setattr(self, name, value)

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "Bare", {}

        async def run(self) -> Any:
            await gate.wait()
            yield TriggerEvent({"status": "success"})  # type: ignore[no-untyped-call]

    return lambda pipeline_id, job_id: Bare(hevo_trigger(pipeline_id, job_id).serialize()[1])


class Triggerer:
    """Runs triggers as Airflow's does."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.events: list[Any] = []

    async def start(self, make: Make, job_ids: list[str]) -> None:
        for place, job_id in enumerate(job_ids):
            trigger = make(1 + place, job_id)
            self.tasks.append(asyncio.create_task(self._run(trigger), name=f"ID {place}"))
            await asyncio.sleep(0)

    async def end(self) -> None:
        await asyncio.gather(*self.tasks)
        assert len(self.events) == len(self.tasks)
        assert all(event.payload["status"] == "success" for event in self.events)
        self.tasks.clear()
        self.events.clear()

    async def _run(self, trigger: BaseTrigger) -> None:
        async for event in trigger.run():
            self.events.append(event)


class Scene:
    """One kind of triggers in one event loop, warmed up: the client and its connections are there."""

    def __init__(self, kind: str, emulator: Emulator) -> None:
        self.is_hevo = kind == "hevo"
        self.emulator = emulator
        self.triggerer = Triggerer()
        self.gate = asyncio.Event()
        self.make = hevo_trigger if self.is_hevo else bare_triggers(self.gate)
        self._polls = 0

    async def warm_up(self) -> None:
        self.gate.set()
        await self.triggerer.start(self.make, self.emulator.past[:WARM])
        await self.triggerer.end()
        self.gate.clear()
        self._polls = await self._tell("polls")

    async def start(self) -> None:
        """Start all waits; returns when each Job has been polled."""
        jobs = self.emulator.jobs
        await self.triggerer.start(self.make, jobs)
        polled = self._polls + len(jobs) if self.is_hevo else 0
        while await self._tell("polls") < polled:  # noqa: ASYNC110 -- the emulator only answers
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        assert not self.triggerer.events, self.triggerer.events[0]

    async def end(self) -> None:
        """Let all Jobs end; returns when all waits have."""
        await self._tell("end")
        self.gate.set()
        await self.triggerer.end()

    async def _tell(self, line: str) -> int:
        return await asyncio.to_thread(self.emulator.tell, line)


# -- what is measured, each in a process of its own -----------------------------------------------


async def traced(scene: Scene) -> float:
    """Return the bytes a wait, by tracemalloc."""
    await scene.warm_up()
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    await scene.start()
    gc.collect()
    return (tracemalloc.get_traced_memory()[0] - before) / len(scene.emulator.jobs)


async def resident(scene: Scene) -> float:
    """Return the bytes a wait, by what the process has in memory."""
    import psutil  # noqa: PLC0415 -- Airflow brings it

    rss = psutil.Process().memory_info
    await scene.warm_up()
    gc.collect()
    before = rss().rss
    await scene.start()
    gc.collect()
    return float((rss().rss - before) / len(scene.emulator.jobs))


async def blocks(scene: Scene, seconds: float) -> dict[str, list[float]]:
    """Return the ms of the worst block of each phase, as Heart says, and of a full collection."""
    await scene.warm_up()
    heart = Heart()
    await scene.start()
    heart.phase = "waiting"
    await asyncio.sleep(seconds)
    heart.phase = "ending"
    await scene.end()
    await asyncio.sleep(2 * BEAT)
    heart.stop()
    # Not before: what has piled up by then is part of the game.
    began = time.perf_counter()
    gc.collect()
    full = (time.perf_counter() - began) * 1e3
    return {**heart.worst, **heart.worst_uncollected, "full": [full]}


class Heart:
    """Beats in the event loop, and keeps each phase's worst beat.

    A beat is how late it was, and what of that the loop's thread has computed, in ms.
    """

    def __init__(self) -> None:
        self.phase = PHASES[0]
        self.worst = {phase: [0.0, 0.0] for phase in PHASES}
        self.worst_uncollected = {f"{phase}, uncollected": [0.0, 0.0] for phase in PHASES}
        self._collected = 0.0
        self._collecting_since = 0.0
        gc.callbacks.append(self._note_collection)
        self._beating = asyncio.create_task(self._beat())

    def stop(self) -> None:
        gc.callbacks.remove(self._note_collection)
        self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            began, computing, self._collected = time.perf_counter(), time.thread_time(), 0.0
            await asyncio.sleep(BEAT)
            late = (time.perf_counter() - began - BEAT) * 1e3
            computed, collected = (time.thread_time() - computing) * 1e3, self._collected * 1e3
            self._keep(self.worst, self.phase, late, computed)
            name = f"{self.phase}, uncollected"
            self._keep(self.worst_uncollected, name, late - collected, computed - collected)

    @staticmethod
    def _keep(worst: dict[str, list[float]], name: str, late: float, computed: float) -> None:
        worst[name] = max(worst[name], [max(0.0, late), max(0.0, computed)])

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self._collected += time.perf_counter() - self._collecting_since


def measure(what: str, kind: str, waits: int, seconds: float) -> Any:
    async def main() -> Any:
        scene = Scene(kind, emulator)
        if what == "blocks":
            return await blocks(scene, seconds)
        return await (traced if what == "traced" else resident)(scene)

    with emulating(waits) as emulator:
        return asyncio.run(main())


def import_time(base: str, statement: str) -> tuple[float, list[str]]:
    """Return the ms that a statement takes after the base, and what of HEAVY it has loaded."""
    code = (
        f"{base}\nimport json, sys, time\nbefore = set(sys.modules)\nstart = time.perf_counter()\n"
        f"{statement}\ntook = time.perf_counter() - start\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules.keys() - before]\n"
        "print(json.dumps([took * 1e3, loaded]))"
    )
    took, loaded = run("-c", code)
    return took, loaded


def run(*arguments: str) -> Any:
    """Run an interpreter; returns what it prints last."""
    done = subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


# -- the report -----------------------------------------------------------------------------------


def say(what: str, figure: str, goal: str = "-", met: bool | None = None) -> None:
    print(f"{what:<52} {figure:>34}  {goal:>9}  { {None: '-', True: 'yes', False: 'NO'}[met] }")


def report_imports(rounds: int) -> None:
    base = BASES.get(version("apache-airflow").partition(".")[0], BASE)
    times: dict[str, list[float]] = {OURS: [], PEER: []}
    loads: dict[str, list[str]] = {}
    for _ in range(rounds):
        for statement, taken in times.items():
            took, loads[statement] = import_time(base, statement)
            taken.append(took)
    ours, peer = (statistics.median(taken) for taken in times.values())
    worst = f"{ours:.1f} ms, at most {max(times[OURS]):.1f}"
    say(f"after `{base.partition(' import')[0]}`:", "")
    say("  import of the operator", worst, f"<= {IMPORT_GOAL:.0f} ms", ours <= IMPORT_GOAL)
    say("    it loaded", " and ".join(loads[OURS]) or "neither aiohttp nor pydantic")
    say(f"  {PEER}", f"{peer:.1f} ms")
    say("    it loaded", " and ".join(loads[PEER]) or "neither aiohttp nor pydantic")
    say("  ratio", f"{ours / peer:.2f}")


def report_memory(waits: int, rounds: int) -> None:
    for what, name in (("traced", "tracemalloc"), ("resident", "resident set")):
        weighed: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind, figures in weighed.items():
                figures.append(run(*again(what, kind, waits)))
        hevo, bare = (statistics.median(figures) for figures in weighed.values())
        met = hevo - bare <= MEMORY_GOAL
        say(f"memory a bare trigger and its task, {name}", f"{bare:.0f} B")
        say(
            f"memory a wait beyond that, {name}", f"{hevo - bare:.0f} B", f"<= {MEMORY_GOAL} B", met
        )


def report_blocks(waits: int, rounds: int, seconds: float) -> None:
    beats: dict[str, list[dict[str, list[float]]]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, figures in beats.items():
            figures.append(run(*again("blocks", kind, waits, seconds)))
    full = statistics.median(figure["full"][0] for figure in beats["bare"])
    say("a full collection of garbage, bare triggers", f"{full:.0f} ms")
    for phase in PHASES:
        for what, kind, name in (
            (f"longest block, {waits} {phase}", "hevo", phase),
            ("  without the garbage collector", "hevo", f"{phase}, uncollected"),
            ("  bare triggers", "bare", phase),
        ):
            late, computed = max(figure[name] for figure in beats[kind])
            typical = statistics.median(figure[name][0] for figure in beats[kind])
            figure = f"{typical:.0f} ms; worst {late:.0f}, {computed:.0f} computed"
            if kind == "hevo":
                say(what, figure, f"<= {BLOCK_GOAL:.0f} ms", typical <= BLOCK_GOAL)
            else:
                say(what, figure)


def again(what: str, kind: str, waits: int, seconds: float = 0.0) -> list[str]:
    measured = ["--measure", what, "--kind", kind, "--waits", str(waits), "--seconds", str(seconds)]
    return ["-m", "tests.benchmarks.airflow_adapter", *measured]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--waits", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9, help="of the imports; a third of the rest")
    parser.add_argument("--seconds", type=float, default=20.0, help="of waiting, for its blocks")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    elif options.measure:
        print(json.dumps(measure(options.measure, options.kind, options.waits, options.seconds)))
    else:
        with tempfile.TemporaryDirectory() as home:
            os.environ["AIRFLOW_HOME"] = home
            os.environ.setdefault("PYTHONWARNINGS", "ignore")  # Airflow's own, a page of them
            print(f"Airflow {version('apache-airflow')}, Python {sys.version.partition(' ')[0]}")
            print(f"{'what':<52} {'figure':>34}  {'goal':>9}  met")
            report_imports(options.rounds)
            report_memory(options.waits, max(1, options.rounds // 3))
            report_blocks(options.waits, max(1, options.rounds // 3), options.seconds)


if __name__ == "__main__":
    main()
