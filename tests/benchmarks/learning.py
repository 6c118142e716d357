"""What a schedule learnt from 30 Jobs is worth, beside a fixed interval and the exact optimum.

Run it: python -m tests.benchmarks.learning [--histories 200] [--first 0] [--only TEXT]
    [--plots DIR]

Each scenario says how the next Job's duration is distributed, and how the history before it came
about. Histories are drawn (fixed seeds); for each, the expected number of calls and the expected
delay from the Job's end to the poll that notices it follow exactly from the distribution, and both
are averaged. Then, AT EQUAL CALLS:

* ratio: our delay, over that of the fixed interval that makes as many calls; below 1 is a gain;
* to best: our delay, over that of the best schedule there is for that very distribution (known
  exactly, no guard rails), found by dynamic programming on a grid, with the price of a poll tuned.

The constants of the schedule were chosen with other histories (from number 500 000 on) than those
that it is judged by.

"calls" is our number over that of the fixed 15 s that it replaces, "plain" the share of histories
from which nothing was learnt. The numbers need the standard library only; --plots needs matplotlib.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hevo_edge import schedules
from hevo_edge.schedules import _learned as learned
from tests.benchmarks import plots

INTERVAL = 15.0
JOBS = 30
NEGLIGIBLE = 1e-7
"""Probability to outlive an age beyond which nothing is counted."""
NEAR_BEST = 1.08
HARMLESS = 1.03


@dataclass(frozen=True)
class Durations:
    """Weibull or log-normal; with ``failing``, that share ends evenly within ten seconds instead."""

    median: float
    sigma: float = 0.0
    shape: float = 0.0
    failing: float = 0.0

    def alive(self, age: float) -> float:
        """Return the probability to outlive an age."""
        early = max(0.0, 1 - age / 10)
        return self.failing * early + (1 - self.failing) * self._alive(age)

    def _alive(self, age: float) -> float:
        if age <= 0:
            return 1.0
        if self.shape:
            return math.exp(-math.log(2) * (age / self.median) ** self.shape)
        return math.erfc(math.log(age / self.median) / self.sigma * math.sqrt(0.5)) / 2

    @property
    def mean(self) -> float:
        if self.shape:
            scale = self.median / math.pow(math.log(2), 1 / self.shape)
            mean = scale * math.gamma(1 + 1 / self.shape)
        else:
            mean = self.median * math.exp(self.sigma * self.sigma / 2)
        return self.failing * 5 + (1 - self.failing) * mean

    @property
    def end(self) -> float:
        """Return an age that a negligible share outlives."""
        if self.shape:
            return self.median * math.pow(-math.log2(NEGLIGIBLE), 1 / self.shape)
        return self.median * math.exp(5.2 * self.sigma)

    def draw(self, rng: random.Random) -> float:
        if rng.random() < self.failing:
            return rng.uniform(0, 10)
        if self.shape:
            return float(self.median * math.pow(-math.log2(1 - rng.random()), 1 / self.shape))
        return self.median * math.exp(rng.gauss(0, self.sigma))


@dataclass(frozen=True)
class Scenario:
    """A true distribution, and how the history differs from it.

    ``drift``: the median grows by that share a Job. ``jump``: ``since`` Jobs ago all became so many
    times longer; 0 is the Job that is waited for. ``outlier``: one Job took so many times longer.
    """

    name: str
    truth: Durations
    goal: float | None = HARMLESS
    jobs: int = JOBS
    drift: float = 0.0
    jump: float = 1.0
    since: int = 0
    outlier: float = 1.0
    near_best: bool = False

    @property
    def best_goal(self) -> float | None:
        return NEAR_BEST if self.near_best else None

    def history(self, seed: int) -> list[float]:
        """Return durations, newest first."""
        rng = random.Random(f"{seed}")
        found = [
            self.truth.draw(rng)
            / (1 + self.drift) ** (ago + 1)
            / (self.jump if ago >= self.since else 1)
            for ago in range(self.jobs)
        ]
        if found:
            found[rng.randrange(len(found))] *= self.outlier
        return found


TIGHT, WIDE, WIDEST = Durations(600, 0.3), Durations(600, 0.6), Durations(600, 1.0)


def like_before() -> Iterator[Scenario]:
    """The next Job is like those before it: here the best schedule is something to come near to."""
    yield Scenario("sigma 0.3", TIGHT, 0.55, near_best=True)
    yield Scenario("sigma 0.6", WIDE, 0.85, near_best=True)
    yield Scenario("sigma 1.0", WIDEST, near_best=True)
    for truth in (TIGHT, WIDE):
        bimodal = replace(truth, failing=0.05)
        yield Scenario(f"sigma {truth.sigma}, 5 % fail in 10 s", bimodal, near_best=True)


def misled(truth: Durations) -> Iterator[Scenario]:
    """The history misleads."""
    for percent in (1, 2, 3, -1, -2, -3):
        name = f"sigma {truth.sigma}, drift {percent:+} % a job"
        yield Scenario(name, truth, drift=percent / 100)
    for jump in (2, 0.5):
        for since in (0, 1, 5, 10):
            name = f"sigma {truth.sigma}, jump to {jump}x {since} ago"
            yield Scenario(name, truth, jump=jump, since=since)
    yield Scenario(f"sigma {truth.sigma}, an outlier of 20x", truth, outlier=20)


def few(jobs: int) -> Iterator[Scenario]:
    """There is little history."""
    for truth in (TIGHT, WIDE, WIDEST):
        yield Scenario(f"sigma {truth.sigma}, {jobs} jobs", truth, jobs=jobs)


def others() -> Iterator[Scenario]:
    """How far it carries."""
    for sigma in (0.01, 0.1):
        yield Scenario(f"sigma {sigma}", Durations(600, sigma))
    for median in (20, 60, 7200):
        yield Scenario(f"sigma 0.3, median {median} s", Durations(median, 0.3))
    for shape in (2, 1):
        yield Scenario(f"Weibull shape {shape}", Durations(600, shape=shape))
    for scenario in misled(Durations(600, 0.1)):
        # the first Job of a jump is foreseen by nobody, and the second not told from an outlier
        unforeseen = scenario.jump > 1 and scenario.since < 2
        yield replace(scenario, goal=None if unforeseen else HARMLESS)


def scenarios() -> Iterator[Scenario]:
    yield from like_before()
    yield from misled(TIGHT)
    yield from misled(WIDE)
    yield Scenario("sigma 1.0, an outlier of 20x", WIDEST, outlier=20)
    for jobs in (0, 1, 3, 12, 20):
        yield from few(jobs)
    yield from others()


def expected(gap: Callable[[float], float], truth: Durations) -> tuple[float, float]:
    """Return expected calls and delay: a poll is made, and its gap waited for, if the Job still runs."""
    age = calls = noticed = 0.0
    alive = truth.alive(0)
    while age < truth.end and alive > NEGLIGIBLE:
        wait = gap(age)
        calls += alive
        noticed += wait * alive
        age += wait
        alive = truth.alive(age)
    return calls, noticed - truth.mean


@cache
def every(interval: float, truth: Durations) -> tuple[float, float]:
    return expected(lambda _: interval, truth)


def fixed_delay(calls: float, truth: Durations) -> float:
    """Return the delay of the fixed interval that makes so many calls."""
    interval = INTERVAL
    for _ in range(12):  # calls fall about as 1 / interval
        made, delay = every(interval, truth)
        if abs(made - calls) < 1e-4 * calls:
            break
        interval *= max(made - 0.5, 0.1) / max(calls - 0.5, 0.1)
    return delay * made / calls


class Optimum:
    """The best schedule for a distribution: polls on a grid, by dynamic programming.

    With price p of a poll and F the distribution, the cost-to-go from a poll at t_i is
    V_i = p (1 - F_i) + min over j > i of [V_j + integral from t_i to t_j of (t_j - t) dF]. For given
    j that is a line in F_i, so the minimum is read off the lower hull of lines, in linear time.
    """

    def __init__(self, truth: Durations, cells: int) -> None:
        self.truth = truth
        self.times = [truth.end * (k / cells) ** 1.5 for k in range(cells + 1)]
        self.ended = [1 - truth.alive(t) for t in self.times]

    def polls(self, price: float) -> list[int]:
        """Return the grid points of the best polls this price."""
        times, ended = self.times, self.ended
        last = len(times) - 1
        # noticing at t_j costs t_j (F_j - F_i); the ends themselves cost the same whatever is done
        value, following = 0.0, [0] * last
        hull = [(times[last], value + times[last] * ended[last], last)]
        front = 0
        for i in range(last - 1, -1, -1):
            here = ended[i]
            while front + 1 < len(hull) and (
                hull[front + 1][1] - hull[front + 1][0] * here
                <= hull[front][1] - hull[front][0] * here
            ):
                front += 1
            slope, offset, following[i] = hull[front]
            value = price * (1 - here) + offset - slope * here
            line = (times[i], value + times[i] * here, i)
            while len(hull) - front >= 2:
                (t_a, b_a, _), (t_b, b_b, _) = hull[-2], hull[-1]
                if (line[1] - b_a) * (t_a - t_b) > (b_b - b_a) * (t_a - times[i]):
                    break
                hull.pop()
            hull.append(line)
        found, i = [], 0
        while i < last:
            i = following[i]
            found.append(i)
        return found

    def score(self, polls: list[int]) -> tuple[float, float]:
        calls = noticed = 0.0
        for i, j in zip([0, *polls], polls, strict=False):
            calls += 1 - self.ended[i]
            noticed += (self.times[j] - self.times[i]) * (1 - self.ended[i])
        return calls, noticed - self.truth.mean

    def delay(self, calls: float) -> float:
        """Return the least delay at so many calls."""
        low, high = math.log(1e-4), math.log(1e6)
        for _ in range(26):
            middle = (low + high) / 2
            made, delay = self.score(self.polls(math.exp(middle)))
            low, high = (middle, high) if made > calls else (low, middle)
            if abs(made - calls) < 0.002 * calls:
                break
        return delay * made / calls  # the rest of the difference, to first order


@cache
def optimum(truth: Durations, cells: int) -> Optimum:
    return Optimum(truth, cells)


@dataclass(frozen=True)
class Result:
    scenario: Scenario
    calls: float
    fixed_calls: float
    delay: float
    ratio: float
    to_best: float
    plain: float


def measure(scenario: Scenario, histories: int, first: int = 0, cells: int = 6000) -> Result:
    truth = scenario.truth
    learnt = [schedules.from_history(scenario.history(k)) for k in range(first, first + histories)]
    plain = schedules.fixed(INTERVAL)
    scores = [
        every(INTERVAL, truth) if schedule == plain else expected(schedule.gap, truth)
        for schedule in learnt
    ]
    calls = statistics.fmean(made for made, _ in scores)
    delay = statistics.fmean(delay for _, delay in scores)
    # a grid cell is to be small beside a gap: with more cells the best moves by less than 0.5 %
    cells = max(cells, int(2 * truth.mean), int(truth.end / 5))
    return Result(
        scenario,
        calls,
        every(INTERVAL, truth)[0],
        delay,
        delay / fixed_delay(calls, truth),
        delay / optimum(truth, cells).delay(calls),
        learnt.count(plain) / histories,
    )


def verdict(value: float, goal: float | None) -> str:
    return "" if goal is None else f"<= {goal:.2f} {'met' if value <= goal else 'NOT MET'}"


def show(result: Result) -> None:
    scenario = result.scenario
    print(
        f"{scenario.name:30} {result.calls:6.1f} {result.fixed_calls:6.1f} "
        f"{result.calls / result.fixed_calls:6.2f} {result.delay:6.1f} s {result.plain:5.0%} "
        f"{result.ratio:6.3f} {verdict(result.ratio, scenario.goal):16} "
        f"{result.to_best:6.3f} {verdict(result.to_best, scenario.best_goal)}".rstrip(),
        flush=True,
    )


def show_costs() -> None:
    """Print what making a schedule and asking it costs."""
    history = Scenario("", Durations(600, 0.3), jobs=40).history(1)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        schedule = schedules.from_history(history)
        times.append(time.perf_counter() - start)
    asked = []
    for age in range(0, 1500, 3):
        start = time.perf_counter()
        schedule.gap(age)
        asked.append(time.perf_counter() - start)
    print(
        f"making one: {statistics.median(times) * 1e6:.0f} us (goal: 1000); a gap: median "
        f"{statistics.median(asked) * 1e6:.0f}, 99 % within {sorted(asked)[-5] * 1e6:.0f} us (goal: 50)"
    )


def placement_rows(schedule: learned.Learned, truth: Durations) -> list[plots.Row]:
    """Return polls a minute and endings a minute, by age."""
    step = 10.0
    return [
        {
            "age (s)": age,
            "learned": 60 * schedule.density(age),
            "fixed 15 s": 60 / INTERVAL,
            "endings": 100
            * 60
            / step
            * (truth.alive(age - step / 2) - truth.alive(age + step / 2)),
        }
        for age in (step * k for k in range(1, 186))
    ]


def sigma_rows(histories: int) -> list[plots.Row]:
    """Return the delay ratios by the spread of durations."""
    rows: list[plots.Row] = []
    for sigma in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2):
        result = measure(Scenario("", Durations(600, sigma)), histories)
        rows.append(
            {
                "sigma": sigma,
                "learned from 30 jobs": result.ratio,
                "best possible": result.ratio / result.to_best,
                "fixed interval": 1.0,
                "calls over fixed": result.calls / result.fixed_calls,
            }
        )
    return rows


def draw(directory: Path, histories: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    truth = Durations(600, 0.3)
    schedule = schedules.from_history(Scenario("", truth).history(0))
    assert isinstance(schedule, learned.Learned)
    plots.draw(
        placement_rows(schedule, truth),
        directory / "learning-placement",
        x="age (s)",
        lines=["learned", "fixed 15 s"],
        shaded=["endings"],
        y_label="polls a minute",
        shaded_label="endings, % of jobs a minute",
        title="Where the polls go: median 600 s, sigma 0.3",
    )
    plots.draw(
        sigma_rows(histories),
        directory / "learning-delay",
        x="sigma",
        lines=["learned from 30 jobs", "best possible", "fixed interval"],
        y_label="delay over that of a fixed interval",
        x_label="sigma of log durations",
        title="Mean detection delay at equal calls, median 600 s",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the number of the first history")
    parser.add_argument("--only", default="", help="run the scenarios with this text in their name")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write SVG and CSV files there")
    arguments = parser.parse_args()
    print(
        f"{'scenario':30} {'calls':>6} {'fixed':>6} {'ratio':>6} {'delay':>8} {'plain':>5} "
        f"{'delay ratio, goal':23} to best, goal"
    )
    verdicts = []
    for scenario in scenarios():
        if arguments.only in scenario.name:
            result = measure(scenario, arguments.histories, arguments.first)
            show(result)
            verdicts.append(verdict(result.ratio, scenario.goal))
            verdicts.append(verdict(result.to_best, scenario.best_goal))
    aimed = [each for each in verdicts if each]
    print(f"{sum('NOT' not in each for each in aimed)} of {len(aimed)} goals met")
    show_costs()
    if arguments.plots is not None:
        draw(arguments.plots, arguments.histories)


if __name__ == "__main__":
    main()
