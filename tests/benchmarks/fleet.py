"""Many processes await Jobs in one call budget, through a real Redis; they are killed, and so is it.

Run it: python -m tests.benchmarks.fleet [--processes 50] [--jobs 10000] [--calls 100] [--period 3]

Each process has its part of the Jobs, and writes down each end that it hears of. Now and then one is
killed (SIGKILL), and another takes over what it had not written down yet; in the midst Redis is killed,
and comes back empty. A minute of Hevo takes ``--period`` seconds, by the emulator's speed; lease and margin
are scaled alike. ``--period 60 --calls 2500`` is without scaling.

It is judged by the emulator's journal: in no window are there more calls than the limit, but around the kill
of Redis, with which the calls of processes that were killed just before are forgotten; every end was written
down once, and right; and how much was made of what the reserve for triggers and cancels leaves (while more
polls are due than can be made: until nine tenths of the ends are known).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hevo_edge import RateLimit
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.call_window import WINDOW
from tests.http.redis_servers import BINARY, MISSING, RedisServer

_BACK_AFTER = 30.0
"""Seconds after which all share again at the latest: the longest pause of those who try, twice."""


@dataclass
class Options:
    processes: int = 50
    jobs: int = 10_000
    calls: int = 100
    period: float = 3.0
    kills: int = 20
    restarts: int = 1
    patience: float = 0.5
    seed: int = 1

    @property
    def polls(self) -> int:
        """How many polls a window has room for."""
        return RateLimit(self.calls).ceiling(Priority.POLL)

    @property
    def expected(self) -> float:
        """Seconds that it takes at least."""
        return self.jobs / self.polls * self.period


@dataclass
class Worker:
    """One of the processes, and those that took over from it."""

    folder: Path
    refs: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def ends(self) -> Path:
        return self.folder / "ends"

    @property
    def is_ready(self) -> bool:
        return (self.folder / "ready").exists()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def reported(self) -> list[tuple[str, str]]:
        if not self.ends.exists():
            return []
        lines = self.ends.read_text().splitlines()
        return [(ref, status) for ref, _, status in (line.partition(" ") for line in lines)]

    def begin(self) -> None:
        """Let it await what nobody has reported yet."""
        known = {ref for ref, _ in self.reported()}
        text = "\n".join(ref for ref in self.refs if ref not in known)
        (self.folder / "new").write_text(text)
        (self.folder / "new").rename(self.folder / "refs")

    def start(self, url: str, environment: dict[str, str], options: Options) -> None:
        """Start a process, which awaits what is in ``refs`` once it is there."""
        command = [sys.executable, "-m", "tests.benchmarks.fleet_worker", url, self.folder]
        command += [options.calls, options.period, options.patience]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(each) for each in command], env={**os.environ, **environment}, stderr=log
            )
        self.starts += 1

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)


@dataclass
class Report:
    """What became of it; moments are seconds since all processes began."""

    options: Options
    arrivals: list[float] = field(default_factory=list)
    statuses: Counter[int | None] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    nearly_done: float = 0.0
    done: float = 0.0
    kills: list[float] = field(default_factory=list)
    restarts: list[tuple[float, float]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def worst(self, *, near_restarts: bool) -> int:
        """Return the most calls in any window, near a restart or elsewhere."""
        period, first, most = self.options.period, 0, 0
        for last, at in enumerate(self.arrivals):
            while self.arrivals[first] <= at - period:
                first += 1
            if near_restarts == self.is_near_restart(at, at - period):
                most = max(most, last - first + 1)
        return most

    def is_near_restart(self, end: float, begin: float) -> bool:
        """Tell whether a window has to do with a Redis that has lost its data."""
        return any(end >= down and begin <= up + _BACK_AFTER for down, up in self.restarts)

    def spent(self, begin: float, end: float) -> float:
        """Return which part was used of what the reserve leaves."""
        made = sum(begin < at <= end for at in self.arrivals)
        return made / (self.options.polls * (end - begin) / self.options.period)

    def spent_undisturbed(self) -> float:
        """Return the same without the time in which processes kept to themselves."""
        pieces, begin = [], 0.0
        for down, up in [*self.restarts, (self.nearly_done, 0.0)]:
            pieces.append((begin, min(down, self.nearly_done)))
            begin = up + _BACK_AFTER
        pieces = [piece for piece in pieces if piece[1] > piece[0] + self.options.period]
        made = sum(any(begin < at <= end for begin, end in pieces) for at in self.arrivals)
        seconds = sum(end - begin for begin, end in pieces)
        return made / (self.options.polls * seconds / self.options.period) if seconds else 0.0


class Fleet:
    """The processes, Redis, and the emulator."""

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self._chance = random.Random(options.seed)
        self._folder = folder
        self._emulator = HevoEmulator(
            speed=WINDOW / options.period, rate_limit=options.calls, seed=options.seed
        )
        self.report = Report(options)

    def run(self, server: RedisServer) -> Report:
        with self._emulator as emulator, self._started(server) as workers:
            outcomes = self._add_jobs()
            refs = list(outcomes)
            self._chance.shuffle(refs)
            self._began, self._emulator_began = time.monotonic(), emulator.now
            for number, worker in enumerate(workers):
                worker.refs = refs[number :: self.options.processes]
                worker.begin()
            self._disturb_until_done(workers, server)
            self._judge(workers, outcomes)
        return self.report

    def _add_jobs(self) -> dict[str, str]:
        """Add Jobs that end by and by, many of them before they are polled; return how they end."""
        outcomes = {}
        longest = 0.6 * self.options.expected * self._emulator.speed
        for number in range(1, self.options.jobs + 1):
            outcome = "FAILED" if number % 20 == 0 else "COMPLETED"
            pipeline = self._emulator.add_pipeline(number, objects=("users",))
            duration = self._chance.uniform(0, longest)
            pipeline.plan(duration=duration, outcome=outcome, appears_after=0)
            job = pipeline.start_job(now=self._emulator.now)
            outcomes[f"{number}:{job.job_id}"] = outcome
        return outcomes

    @contextmanager
    def _started(self, server: RedisServer) -> Iterator[list[Worker]]:
        """Start the processes, two at a time: that costs more than all that follows."""
        workers: list[Worker] = []
        try:
            for number in range(self.options.processes):
                folder = self._folder / f"{number}"
                folder.mkdir()
                workers.append(Worker(folder))
                workers[-1].start(server.url, self._emulator.environment, self.options)
                _wait_for(workers[:-1])
            _wait_for(workers)
            yield workers
        finally:
            for worker in workers:
                worker.kill()

    def _disturb_until_done(self, workers: list[Worker], server: RedisServer) -> None:
        """Kill processes evenly, and Redis amid."""
        options = self.options
        kill_at = [options.jobs * (n + 1) // (options.kills + 2) for n in range(options.kills)]
        restart_at = [
            options.jobs * (n + 1) // (options.restarts + 1) for n in range(options.restarts)
        ]
        deadline = self._now() + 5 * options.expected + 300
        while any(worker.is_running for worker in workers):
            assert self._now() < deadline, "it does not end"
            reported = sum(len(worker.reported()) for worker in workers)
            if not self.report.nearly_done and reported >= 0.9 * options.jobs:
                self.report.nearly_done = self._now()
            if kill_at and reported >= kill_at[0]:
                kill_at.pop(0)
                self._replace_one(workers, server)
            if restart_at and reported >= restart_at[0]:
                restart_at.pop(0)
                self._restart(server)
            time.sleep(0.1)
        self.report.done = self._now()

    def _replace_one(self, workers: list[Worker], server: RedisServer) -> None:
        if running := [worker for worker in workers if worker.is_running]:
            worker = self._chance.choice(running)
            worker.kill()
            self.report.kills.append(self._now())
            worker.begin()
            worker.start(server.url, self._emulator.environment, self.options)

    def _restart(self, server: RedisServer) -> None:
        server.stop()
        down = self._now()
        time.sleep(1)
        server.start()
        self.report.restarts.append((down, self._now()))

    def _judge(self, workers: list[Worker], outcomes: dict[str, str]) -> None:
        report, emulator = self.report, self._emulator
        calls = list(emulator.requests)
        report.arrivals = [(call.at - self._emulator_began) / emulator.speed for call in calls]
        report.statuses = Counter(call.status for call in calls)
        reported = [line for worker in workers for line in worker.reported()]
        counts = Counter(ref for ref, _ in reported)
        report.lost = len(outcomes.keys() - counts.keys())
        report.twice = sum(count - 1 for count in counts.values())
        report.wrong = sum(outcomes.get(ref) != status for ref, status in reported)
        for worker in workers:
            report.logged += (worker.folder / "log").read_text().splitlines()

    def _now(self) -> float:
        return time.monotonic() - self._began


def _wait_for(workers: list[Worker]) -> None:
    end = time.monotonic() + 120
    while not all(worker.is_ready for worker in workers):
        assert time.monotonic() < end, "a process does not start"
        time.sleep(0.02)


def show(report: Report) -> None:
    options = report.options
    lines = [
        (
            f"{options.processes} processes, {options.jobs} Jobs, "
            f"{options.calls} calls in any {options.period:g} s"
        ),
        (f"done after {report.done:.0f} s ({options.expected:.0f} s at least)"),
        f"killed: {len(report.kills)} processes, Redis {len(report.restarts)} times",
        f"ends that were lost: {report.lost}, told twice: {report.twice}, wrong: {report.wrong}",
        f"replies: {dict(report.statuses)}",
        (
            f"most calls in a window: {report.worst(near_restarts=False)}; "
            f"while Redis was away, and {_BACK_AFTER:g} s after: {report.worst(near_restarts=True)}"
        ),
        (
            f"used of what the reserve leaves: {report.spent(0.0, report.nearly_done):.1%}; "
            f"but for the time around the kill of Redis {report.spent_undisturbed():.1%}"
        ),
        f"warnings: {len(report.logged)}",
    ]
    print(*(f"  {line}" for line in lines), sep="\n")
    for text, count in Counter(map(_kind, report.logged)).most_common(5):
        print(f"    {count} x {text[:120]}")


def _kind(line: str) -> str:
    """Return a line of a log without what differs."""
    return re.sub(r"[0-9a-f-]*\d[0-9a-f-]*", "#", line.partition(" the ")[2] or line)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in vars(Options()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = Options(**vars(parser.parse_args()))
    if BINARY is None:
        print(MISSING)
        return
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        show(Fleet(options, Path(folder)).run(server))


if __name__ == "__main__":
    main()
