"""What it costs that a person, or a tool, sees what the client does.

Run it: python -m tests.benchmarks.progress [--jobs 1000] [--rounds 5] [--profile]

In virtual time, over real sockets, against the emulator in the same process: so many Jobs, one a
Pipeline, run for ten minutes and are awaited by ``await_all`` within the default call budget; once
with nothing, then with each way of seeing it. Every run must send the same number of requests.

CPU seconds are this process's, so they hold the emulator's work too. What that and a bare aiohttp
session cost for as many GETs is measured in the same run and taken off before the ratios are made:
they are to the client's own work. Each figure is of the cheapest round, as whatever else runs on a
machine only adds. Goal: less than 0.10 more.

On a machine that does other things these figures vary by more than the goal. ``--profile`` runs each
way once under cProfile, and prints the share of all time that was spent in what tells and shows,
the libraries included: that repeats to a hundredth or so.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import re
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, NamedTuple
from unittest import mock

import aiohttp
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hevo_edge import HevoClient
from hevo_edge._progress.notebook import NotebookView
from hevo_edge._progress.terminal import TerminalView
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import run
from hevo_edge.observing import Observer, OpenTelemetryObserver, PrometheusObserver

CHOICE = "hevo_edge._progress.display.choose_view"


class Cost(NamedTuple):
    """CPU seconds and requests of one run."""

    cpu: float
    requests: int


class Silent(Observer):
    """An observer that does nothing."""


class Output:
    """An output of a notebook that nobody sees."""

    def __call__(self, *_: Any, **__: Any) -> Output:
        return self

    update = __call__


@contextmanager
def live_terminal() -> Iterator[None]:
    def choose() -> TerminalView:
        console = Console(file=io.StringIO(), force_terminal=True, width=120)
        live = Live(console=console, auto_refresh=False, redirect_stdout=False)
        live.start()
        return TerminalView(live, Text)

    with (
        mock.patch(CHOICE, choose),
        mock.patch("hevo_edge._progress.terminal._terminal", mock.Mock()),
    ):
        yield


@contextmanager
def notebook() -> Iterator[None]:
    def choose() -> NotebookView:
        return NotebookView(Output())

    with mock.patch(CHOICE, choose):
        yield


@contextmanager
def lines() -> Iterator[None]:
    with redirect_stderr(io.StringIO()):
        yield


@contextmanager
def nothing() -> Iterator[None]:
    yield


class Way(NamedTuple):
    """A way of seeing what the client does."""

    view: Callable[[], Any] = nothing
    progress: bool = False
    observer: Observer | None = None


async def awaited(jobs: int, *, progress: bool, observer: Observer | None) -> Cost:
    """Await so many Jobs, and return what that has cost."""
    async with HevoEmulator(seed=1) as emulator:
        started = [
            emulator.add_pipeline(number, duration=600.0, appears_after=0.0).start_job(
                now=emulator.now
            )
            for number in range(1, jobs + 1)
        ]
        refs = [f"{number}:{job.job_id}" for number, job in enumerate(started, 1)]
        async with HevoClient(
            emulator.api_key, emulator.api_secret, base_url=emulator.base_url, observer=observer
        ) as hevo:
            began = time.process_time()
            await hevo.await_all(refs, progress=progress)
            return Cost(time.process_time() - began, len(emulator.requests))


async def bare(requests: int) -> float:
    """Return the CPU seconds of so many GETs of a bare session, and of their answers."""
    async with HevoEmulator(rate_limit=None) as emulator:
        job = emulator.add_pipeline(1, duration=1e6, appears_after=0.0).start_job(now=emulator.now)
        url = f"{emulator.base_url}/api/v1/pipelines/1/jobs/{job.job_id}"
        token = b64encode(f"{emulator.api_key}:{emulator.api_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            began = time.process_time()
            for _ in range(requests):
                async with session.get(url) as response:
                    await response.json()
            return time.process_time() - began


TELLING = re.compile(
    r"/_progress/|/(wait|watch|call)_report\.py|/observing/|/_text/(tables|html)\.py"
    r"|/(rich|prometheus_client|opentelemetry)/"
)


def profiled(way: Way, jobs: int) -> float:
    """Return the share of the time of one run that was spent in telling and showing."""
    profile = cProfile.Profile()
    with way.view():
        profile.enable()
        run(awaited(jobs, progress=way.progress, observer=way.observer))
        profile.disable()
    stats = pstats.Stats(profile)
    own: dict[tuple[str, int, str], Any] = stats.stats  # type: ignore[attr-defined]
    telling = sum(each[2] for place, each in own.items() if TELLING.search(place[0]))
    return float(telling / sum(each[2] for each in own.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    metrics = MeterProvider(metric_readers=[InMemoryMetricReader()])
    ways = {
        "nothing": Way(),
        "progress, lines": Way(lines, progress=True),
        "progress, live terminal": Way(live_terminal, progress=True),
        "progress, notebook": Way(notebook, progress=True),
        "an observer that does nothing": Way(observer=Silent()),
        "Prometheus": Way(observer=PrometheusObserver(CollectorRegistry())),
        "OpenTelemetry": Way(observer=OpenTelemetryObserver(meter_provider=metrics)),
    }
    if arguments.profile:
        for name, way in ways.items():
            print(f"{name:30} {profiled(way, arguments.jobs):.3f} of all time")
        return
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    floors = []
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            with way.view():
                cost = run(awaited(arguments.jobs, progress=way.progress, observer=way.observer))
            costs[name].append(cost)
        floors.append(run(bare(costs["nothing"][-1].requests)))
    requests = {cost.requests for each in costs.values() for cost in each}
    plain = min(cost.cpu for cost in costs["nothing"])
    own = plain - min(floors)
    print(f"{arguments.jobs} waits, requests in each run: {sorted(requests)}")
    print(f"the client's own work: {own:.2f} CPU s, beside {min(floors):.2f} s")
    for name, each in costs.items():
        more = min(cost.cpu for cost in each) - plain
        print(f"{name:30} {more / own:+.2f} of it")
    if len(requests) > 1:
        sys.exit("the runs have sent different numbers of requests")


if __name__ == "__main__":
    main()
