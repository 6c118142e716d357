"""What to poll next when more polls are due than the budget has: three orders compared.

Run it: python -m tests.benchmarks.sharing [--seconds 6000]

A simulation, without sockets: Jobs of known log-normal distributions, each followed by its like when
its end was seen, and 90 polls a minute, so that most of the time more polls are due than can be made.
The schedule of each is what ``schedules.from_history`` would make of its true distribution.

* in line: first come, first served, by when a poll became due;
* turns: ``hevo_edge._awaiting.queues.FairQueue``, the best of sixteen by worth, every fourth by the line;
* greedy: always the one worth most of all that are due, which nobody can afford for ten thousand.

Printed are mean and longest delays from a Job's end to the poll that sees it, by kind of Job.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from hevo_edge._awaiting.queues import DueQueue, FairQueue
from hevo_edge.schedules import Learned

POLLS_PER_SECOND = 1.5
WARM_UP = 0.2


@dataclass(eq=False)
class Watch:
    """A Job that runs, and when it is polled."""

    schedule: Learned
    began: float
    ends: float
    seen: float

    def worth(self, now: float) -> float:
        return self.schedule.expected_delay(self.seen - self.began, now - self.began)


Choose = Callable[[dict[Watch, None], float], Watch]


def in_line(due: dict[Watch, None], now: float) -> Watch:
    return next(iter(due))


def greedy(due: dict[Watch, None], now: float) -> Watch:
    return max(due, key=lambda watch: watch.worth(now))


def simulate(
    kinds: list[Learned], choose: Choose | None, seconds: float, seed: int
) -> dict[float, list[float]]:
    """Return the delays by the median duration; without ``choose``, by ``FairQueue``."""
    chance = random.Random(f"{seed}")
    agenda: DueQueue[Watch] = DueQueue()
    turns: FairQueue[Watch] = FairQueue(Watch.worth, chance)
    due: dict[Watch, None] = {}
    delays: dict[float, list[float]] = {kind.typical: [] for kind in kinds}

    def begin(kind: Learned, now: float, age: float = 0.0) -> None:
        duration = 0.0
        while duration <= age:
            duration = kind.typical * math.exp(chance.gauss(0, kind.spread))
        watch = Watch(kind, now - age, now - age + duration, now)
        agenda.set(watch, now + kind.gap(age))

    for kind in kinds:
        begin(kind, 0.0, chance.random() * 0.8 * kind.typical)
    for step in range(int(seconds * POLLS_PER_SECOND)):
        now = step / POLLS_PER_SECOND
        for watch in agenda.pop_due(now):
            due[watch] = None
            turns.add(watch)
        if not due:
            continue
        watch = turns.pop_next(now) if choose is None else choose(due, now)
        del due[watch]
        if watch.ends > now:
            watch.seen = now
            agenda.set(watch, now + watch.schedule.gap(now - watch.began))
            continue
        if now > WARM_UP * seconds:
            delays[watch.schedule.typical].append(now - watch.ends)
        begin(watch.schedule, now)
    return delays


def learned(median: float, sigma: float) -> Learned:
    return Learned(15.0, 225.0, median, sigma).paced()


LOADS = {
    "400 of 10 minutes": [learned(600, 0.3)] * 400,
    "100 of 10 minutes": [learned(600, 0.3)] * 100,
    "100 of 2 minutes, 300 of an hour": [learned(120, 0.3)] * 100 + [learned(3600, 0.3)] * 300,
}
ORDERS: dict[str, Choose | None] = {"in line": in_line, "turns": None, "greedy": greedy}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6000.0)
    options = parser.parse_args()
    for load, kinds in LOADS.items():
        print(f"{load} (log-normal, sigma 0.3), {60 * POLLS_PER_SECOND:.0f} polls a minute")
        for order, choose in ORDERS.items():
            delays = simulate(kinds, choose, options.seconds, 1)
            everything = [delay for found in delays.values() for delay in found]
            by_kind = ", ".join(
                f"{median:.0f} s: {statistics.fmean(found):.0f} (most {max(found):.0f})"
                for median, found in delays.items()
                if found
            )
            print(f"  {order:8} mean delay {statistics.fmean(everything):6.1f} s   {by_kind}")


if __name__ == "__main__":
    main()
