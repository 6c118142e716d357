"""How late the end of a Job is noticed when many are awaited within one call budget.

Run it: python -m tests.benchmarks.waiting [--jobs 1,10,25,100,1000,10000] [--peers] [--plots DIR]

In virtual time, over real sockets, against the emulator with its limit of 100 calls in any 60 s:
so many Jobs, one a Pipeline, run for log-normal durations; one client with the default RateLimit
waits for all of them by ``as_completed``. Every figure is counted or in virtual seconds; only the
last column is this machine's.

* delay: from the moment a Job ended (the emulator knows) to the moment ``as_completed`` yielded it;
* bound: N/(2R), the mean delay of a round robin over N Jobs at R = 90 polls in 60.1 s, what the
  default RateLimit leaves for polls. Where the budget would allow more than the interval asks for,
  half the interval. It takes all N to run on all the while, so it is loose: as Jobs end, the rounds
  become shorter;
* even: what an ideal round robin at that R, with the same interval, gives for these very Jobs. This
  is the sharper measure.

Goals: every Job yielded, no 429; the mean at most 1.1 times the bound for a plain interval of 15 s,
and below the bound with ``poll_interval="auto"``; at most 1.1 times even for both. Where all Jobs
begin at once and are more than the budget, all are due all the time, and learning cannot gain
anything; try ``--start spread``. With ``poll_interval="eager"``, which spends half of what is free,
the mean delay of one Job is at most 1.2 s, and of ten 3.5 s.

``--peers`` adds what independent pollers do, a loop a Job, every 15 s, in the same setting. One
gives up on any status but 200: that is what the vendor's Airflow provider does (a 429 "fails at
once", and one failed poll ends the wait with an error event). The other sleeps for what a 429 says
in Retry-After. Pollers start at random moments within their first interval, as independent ones do.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import heapq
import json
import math
import random
import statistics
import time
from base64 import b64encode
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import run
from hevo_edge.enums import is_terminal
from hevo_edge.errors import ConfigurationError, HevoError
from tests.benchmarks import plots

INTERVAL = 15.0
POLLS_PER_SECOND = 90 / 60.1
MEDIAN = 600.0
HISTORY = 30
PLAIN_GOAL, AUTO_GOAL = 1.1, 1.0
EAGER_GOALS = {1: 1.2, 10: 3.5}
"""Of the mean delay in seconds, by the number of Jobs."""
SAMPLE, MOST_RUNS = 200, 50
"""Few Jobs are waited for several times over, until so many are in the mean, but not so often."""
RETRYING_PEER_UP_TO = 1000
SCHEDULES: dict[str, Any] = {"plain": INTERVAL, "auto": "auto", "eager": "eager"}
PEERS = {"peer, gives up": False, "peer, retries": True}


class Run(NamedTuple):
    """A Job when the wait begins, and how long those before it took; all in seconds."""

    history: list[float]
    age: float
    duration: float


@dataclass(frozen=True)
class Setting:
    """What is awaited; the same seed, the same durations."""

    jobs: int
    sigma: float
    spread: bool
    seed: int

    def draw(self) -> Iterator[Run]:
        """Yield the Jobs."""
        chance = random.Random(f"{self.seed}:{self.jobs}")
        mu = math.log(MEDIAN)
        for _ in range(self.jobs):
            history = [chance.lognormvariate(mu, self.sigma) for _ in range(HISTORY)]
            duration, age = chance.lognormvariate(mu, self.sigma), 0.0
            if self.spread:
                # Of what runs at some moment, the long ones are more: the same law, shifted.
                duration = chance.lognormvariate(mu + self.sigma**2, self.sigma)
                age = chance.random() * duration
            yield Run(history, age, duration)

    def arrange(self, emulator: HevoEmulator) -> dict[str, float]:
        """Let the Jobs run, and return when each will end, by its ref."""
        now, ends = emulator.now, {}
        for pipeline_id, job in enumerate(self.draw(), start=1):
            pipeline = emulator.add_pipeline(pipeline_id, appears_after=0.0)
            began = now - job.age
            created = began - sum(job.history) - 60.0 * len(job.history)
            for duration in job.history:
                pipeline.add_history(created=created, duration=duration)
                created += duration + 60.0
            pipeline.plan(duration=job.duration)
            job_id = pipeline.start_job(now=began).job_id
            ends[f"{pipeline_id}:{job_id}"] = began + job.duration
        return ends

    @property
    def bound(self) -> float:
        return max(self.jobs / (2 * POLLS_PER_SECOND), INTERVAL / 2)


@dataclass
class Outcome:
    """What was seen, summed up over several settings."""

    name: str
    jobs: int
    bound: float
    runs: int = 0
    calls: int = 0
    refused: int = 0
    failed: int = 0
    delays: list[float] = field(default_factory=list)
    seconds: float = 0.0
    even: float = math.nan

    @property
    def mean(self) -> float:
        return statistics.fmean(self.delays) if self.delays else math.nan

    @property
    def p95(self) -> float:
        return sorted(self.delays)[int(0.95 * len(self.delays))] if self.delays else math.nan

    @property
    def ratios(self) -> tuple[float, float]:
        return self.mean / self.bound, self.mean / self.even

    @property
    def is_whole(self) -> bool:
        return len(self.delays) == self.jobs * self.runs and self.refused == 0


# -- one wait -------------------------------------------------------------------------------------


async def ours(setting: Setting, outcome: Outcome) -> None:
    """Wait for all by ``as_completed``."""
    async with HevoEmulator(seed=setting.seed) as emulator:
        ends = setting.arrange(emulator)
        gc.freeze()  # ten thousand histories are no concern of the collector
        async with HevoClient(
            emulator.api_key, emulator.api_secret, base_url=emulator.base_url
        ) as hevo:
            jobs = [hevo.job(ref) for ref in ends]
            async for job in hevo.as_completed(
                jobs, on_failure="return", poll_interval=SCHEDULES[outcome.name]
            ):
                if isinstance(job, HevoError):
                    outcome.failed += 1
                else:
                    outcome.delays.append(emulator.now - ends[job.ref])
        _count(emulator, outcome)


async def peers(setting: Setting, outcome: Outcome) -> None:
    """Wait for all by independent loops."""
    chance = random.Random(setting.seed)
    async with HevoEmulator(seed=setting.seed) as emulator:
        ends = setting.arrange(emulator)
        gc.freeze()
        key = f"{emulator.api_key}:{emulator.api_secret}"
        async with aiohttp.ClientSession(
            emulator.base_url,
            headers={"Authorization": f"Basic {b64encode(key.encode()).decode()}"},
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:

            async def wait(ref: str) -> None:
                retries = PEERS[outcome.name]
                if await poll(session, ref, chance.random() * INTERVAL, retries=retries):
                    outcome.delays.append(emulator.now - ends[ref])
                else:
                    outcome.failed += 1

            await asyncio.gather(*map(wait, ends))
        _count(emulator, outcome)


async def poll(session: aiohttp.ClientSession, ref: str, first: float, *, retries: bool) -> bool:
    """Look every 15 s; False for a wait that failed before the Job had ended."""
    pipeline_id, _, job_id = ref.partition(":")
    path = f"/api/v1/pipelines/{pipeline_id}/jobs/{job_id}"
    pause = first
    while True:
        await asyncio.sleep(pause)
        async with session.get(path) as response:
            pause = INTERVAL
            if response.status == 429 and retries:
                pause = float(response.headers.get("Retry-After", INTERVAL))
            elif response.status != 200:
                return False
            elif is_terminal(json.loads(await response.read())["status"]):
                return True


def _count(emulator: HevoEmulator, outcome: Outcome) -> None:
    outcome.calls += len(emulator.requests)
    outcome.refused += sum(call.status == 429 for call in emulator.requests)


def even_round_robin(setting: Setting) -> list[float]:
    """Return the delays of an ideal round robin at R polls a second, by simulation."""
    ends = [job.duration - job.age for job in setting.draw()]
    queue = [(0.0, at) for at in range(len(ends))]
    free, delays = 0.0, []
    while queue:
        due, at = heapq.heappop(queue)
        now = max(free, due)
        free = now + 1 / POLLS_PER_SECOND
        if ends[at] <= now:
            delays.append(now - ends[at])
        else:
            heapq.heappush(queue, (now + INTERVAL, at))
    return delays


# -- all of them ----------------------------------------------------------------------------------


def settings(options: argparse.Namespace, jobs: int) -> list[Setting]:
    spread = options.start == "spread"
    runs = min(MOST_RUNS, max(1, SAMPLE // jobs))
    return [Setting(jobs, options.sigma, spread, options.seed + run) for run in range(runs)]


def measure(name: str, given: list[Setting]) -> Outcome:
    """Wait in each setting, and sum up."""
    outcome = Outcome(name, given[0].jobs, given[0].bound)
    start = time.perf_counter()
    for setting in given:
        waiting: Coroutine[Any, Any, None]
        waiting = (peers if name in PEERS else ours)(setting, outcome)
        try:
            run(waiting)
        finally:
            gc.unfreeze()
            gc.collect()
        outcome.runs += 1
    outcome.seconds = time.perf_counter() - start
    return outcome


def rows(options: argparse.Namespace) -> Iterator[Outcome | str]:
    """Yield what was measured; a text for what was not."""
    for jobs in options.jobs:
        given = settings(options, jobs)
        even = statistics.fmean(delay for each in given for delay in even_round_robin(each))
        for name in (*options.schedules, *(PEERS if options.peers else ())):
            if PEERS.get(name) and jobs > RETRYING_PEER_UP_TO:
                yield f"{name}, {jobs} Jobs: not run, its 429s alone would take minutes"
                continue
            try:
                outcome = measure(name, given)
            except ConfigurationError as error:
                yield f"{name}, {jobs} Jobs: not to be had: {error}"
                continue
            outcome.even = even
            yield outcome


def judged(outcome: Outcome) -> list[object]:
    """Return the ratios, each with its goal and whether it is met."""
    shown: list[object] = []
    for at, ratio in enumerate(outcome.ratios):  # of the bound, and of even
        if outcome.name in PEERS:
            shown += [f"{ratio:.2f}", "-", "-"]
            continue
        if outcome.name == "eager":
            goal, met = "-", True
            if at == 0 and (seconds := EAGER_GOALS.get(outcome.jobs)) is not None:
                goal, met = f"{seconds} s", outcome.mean <= seconds
        elif outcome.name == "plain" or at == 1:
            goal, met = f"<= {PLAIN_GOAL:.2f}", ratio <= PLAIN_GOAL
        else:
            goal, met = f"< {AUTO_GOAL:.2f}", ratio < AUTO_GOAL
        shown += [f"{ratio:.2f}", goal, "yes" if met and outcome.is_whole else "NO"]
    return shown


HEAD = (
    *("Jobs", "waits", "runs", "calls", "429s", "yielded", "failed", "mean s", "p95 s"),
    *("bound s", "even s", "of bound", "goal", "met", "of even", "goal", "met", "real s"),
)
WIDTHS = (6, 14, 4, 6, 6, 7, 6, 7, 7, 7, 7, 8, 7, 3, 7, 7, 3, 6)


def line(cells: Iterable[object]) -> str:
    return "  ".join(f"{cell!s:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def cells(outcome: Outcome) -> list[object]:
    shown: list[object] = [outcome.jobs, outcome.name, outcome.runs, outcome.calls]
    shown += [outcome.refused, len(outcome.delays), outcome.failed]
    seconds = (outcome.mean, outcome.p95, outcome.bound, outcome.even)
    shown += [f"{each:.1f}" for each in seconds]
    return [*shown, *judged(outcome), f"{outcome.seconds:.1f}"]


def report(options: argparse.Namespace) -> list[Outcome]:
    """Measure and print, a line as soon as it is known."""
    start = "all at once" if options.start == "at-once" else "at random ages"
    print(f"log-normal durations, median {MEDIAN:g} s, sigma {options.sigma:g}; started {start}")
    print(line(HEAD))
    measured: list[Outcome] = []
    for outcome in rows(options):
        if isinstance(outcome, str):
            print(outcome, flush=True)
            continue
        measured.append(outcome)
        print(line(cells(outcome)), flush=True)
    return measured


def plot(measured: list[Outcome], options: argparse.Namespace) -> None:
    """Draw the mean delays over the number of Jobs."""
    names = list(dict.fromkeys(outcome.name for outcome in measured))
    drawn: list[dict[str, float | str]] = []
    for jobs in options.jobs:
        of = {outcome.name: outcome for outcome in measured if outcome.jobs == jobs}
        if of:
            some = next(iter(of.values()))
            means = {name: of[name].mean if name in of else math.nan for name in names}
            bounds = {"bound N/(2R)": some.bound, "even round robin": some.even}
            lost = {
                f"{name}, waits that failed": float(of[name].failed) / of[name].runs
                if name in of
                else math.nan
                for name in names
            }
            drawn.append({"Jobs": jobs, **means, **bounds, **lost})
    # A single point is no line; it is in the CSV, as are the waits that failed.
    delays = [*names, "bound N/(2R)", "even round robin"]
    lines = [name for name in delays if sum(row[name] == row[name] for row in drawn) > 1]
    options.plots.mkdir(parents=True, exist_ok=True)
    plots.draw(
        drawn,
        options.plots / "delays",
        x="Jobs",
        x_label="Jobs awaited at once",
        y_label="mean delay, s",
        title="How late a Job's end is noticed, at 100 calls a minute",
        lines=lines,
        log_x=True,
        log_y=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--jobs", type=_numbers, default="1,10,25,100,1000,10000", help="how many at a time")
    add(
        "--schedules", type=_names, default="plain,auto,eager", help="what to pass as poll_interval"
    )
    add("--sigma", type=float, default=0.6, help="of the logarithm of the durations; or 0.3")
    add("--start", choices=("at-once", "spread"), default="at-once", help="of the Jobs")
    add("--seed", type=int, default=1, help="the same seed, the same durations")
    add("--peers", action="store_true", help="independent pollers as well")
    add("--plots", type=Path, metavar="DIR", help="write delays.svg and .csv; needs matplotlib")
    options = parser.parse_args()
    measured = report(options)
    if options.plots and measured:
        plot(measured, options)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - SCHEDULES.keys():
        raise argparse.ArgumentTypeError(f"{sorted(unknown)} are none of {sorted(SCHEDULES)}")
    return names


if __name__ == "__main__":
    main()
