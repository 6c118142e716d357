"""When to look at a Job whose like has run before: maths only, the standard library only.

The rule is Keller's ("Optimum checking schedules for systems subject to random failure", Management
Science 21(3), 1974, 256-260), the smooth form of Barlow, Hunter and Proschan's ("Optimum checking
procedures", J. SIAM 11, 1963, 1078-1095): looks are densest where an ending is most likely, their
density is proportional to the square root of the hazard rate, and the next look comes where the
integral of the density since now reaches one. The budget, not a price, sets the proportion: in
expectation as many looks as the fixed interval that it replaces.

How long the next Job takes is forecast as log-normal. The history is replayed, oldest first: a
smoothed level forecasts each Job from those before it, and the spread is that of the forecasts'
errors. So a drift, a jump or a short history widens it by itself, without a formula for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

FEWEST = 12
"""With fewer Jobs the spread is a guess, and a guess that is too low costs more than it gains."""
MOST = 40
"""Older Jobs hardly move the level, and the fit is to stay below a millisecond."""
STEP = 1 / 8
"""Share of an error that the level follows: in effect the mean of the last 15 Jobs."""
BURN_IN = 3
"""The level starts at the median of so many Jobs, the fewest among which one may be an outlier."""
CLIP = 2.5
"""Errors count up to so many robust standard deviations, so that one outlier is just one Job."""
NARROWEST = 0.05
"""Smallest spread (of log durations): no history promises more than the next Job within 5 %."""
WIDEST = 0.8
"""With a larger spread the best possible schedule gains little, which an unlucky fit would lose."""
DOUBT = 0.02
"""Probability that the next Job is like none before: then it is as wide as the widest."""
OUTLIVED = 3.0
"""A Job so many spreads beyond the typical one has outlived its history: plain interval again."""
FEWEST_LOOKS = 3
"""Typical durations below so many intervals leave nothing to place."""
SHORTEST = 1 / 10
"""Shortest gap, as a share of the interval: keeps a burst of looks within anyone's call budget."""
LONGEST = 10
"""Longest gap, in intervals, unless told: bounds the delay when the history misleads."""

_NODES = 64
"""Points of the integral over ages; with twice as many the number of looks moves by < 0.5 %."""
_STRIDES = 16
"""Into how many strides the longest gap is cut to find where the integral reaches one."""
_HALVINGS = 20
_SQRT_HALF = math.sqrt(0.5)
_SQRT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_LARGEST_LOG = 700.0
_NOBODY = 1e-12
"""Below this probability to get so old, the forecast says nothing about a Job that has."""


@dataclass(frozen=True, slots=True, repr=False)
class Learned:
    """A schedule learnt from a history; see ``hevo_edge.schedules.from_history``.

    Attributes:
        interval: The fixed interval that it replaces, in seconds.
        longest: The longest gap, in seconds.
        typical: The median duration that it expects, in seconds.
        spread: The standard deviation of the log duration that it expects.
        pace: Looks a second, over the square root of the hazard rate.
    """

    interval: float
    longest: float
    typical: float
    spread: float
    pace: float = 1.0

    def __repr__(self) -> str:
        return (
            f"<learned schedule: typical job {self.typical:.0f} s, spread {self.spread:.2f}, "
            f"instead of every {self.interval:g} s>"
        )

    def gap(self, age: float) -> float:
        """Return the seconds until the next look at a Job of this age (seconds).

        Positive, and at most the longest gap, at any age: also before the start and at no number.
        """
        shortest = SHORTEST * self.interval
        if age < self.interval:  # one early look, because what fails at once fails early
            return max(self.interval - max(age, 0.0), shortest)
        if not age < self._outlived():
            return self.interval
        return max(self._until_one_look(age), shortest)

    def density(self, age: float) -> float:
        """Return the looks a second at an age: Keller's, within the shortest and longest gap.

        Before the first look, and when the history is outlived, those of the plain interval.
        """
        if not self.interval <= age < self._outlived():
            return 1 / self.interval
        looks = self.pace * math.sqrt(self.hazard(age)[0])
        return min(max(looks, 1 / self.longest), 1 / (SHORTEST * self.interval))

    def hazard(self, age: float) -> tuple[float, float]:
        """Return the hazard rate at an age above zero, and the probability to get that old."""
        distance = math.log(age) - math.log(self.typical)  # a quotient may underflow
        near, far = distance / self.spread, distance / WIDEST
        alive = (
            (1 - DOUBT) * math.erfc(near * _SQRT_HALF) + DOUBT * math.erfc(far * _SQRT_HALF)
        ) / 2
        ending = (1 - DOUBT) / self.spread * math.exp(-near * near / 2)
        ending += DOUBT / WIDEST * math.exp(-far * far / 2)
        return ending * _SQRT_TWO_OVER_PI / (2 * age * alive), alive

    def unseen(self, since: float, age: float) -> float:
        """Return the seconds for which a Job, seen running at ``since``, is expected to have ended.

        The integral, over the ages since then, of the probability that it has ended by them.
        """
        since, age = max(since, 0.0), max(age, 0.0)
        alive = self.hazard(since)[1] if since > 0 else 1.0
        if age <= since or alive < _NOBODY:
            return max(age - since, 0.0)
        alive_time = (1 - DOUBT) * self._alive_time(since, age, self.spread)
        alive_time += DOUBT * self._alive_time(since, age, WIDEST)
        return max(0.0, age - since - alive_time / alive)

    def _alive_time(self, since: float, age: float, spread: float) -> float:
        """Return the integral of a log-normal's survival function between two ages."""
        mean = self.typical * math.exp(spread * spread / 2)

        def until(end: float) -> float:
            if end <= 0:
                return mean
            distance = math.log(end / self.typical) / spread
            ended = math.erfc((distance - spread) * _SQRT_HALF)
            return (mean * ended - end * math.erfc(distance * _SQRT_HALF)) / 2

        return until(since) - until(age)

    def paced(self) -> Learned:
        """Return it at the pace that spends as many looks as the interval, in expectation.

        Only ages between the first look and an outlived history count: the others cost the same.
        """
        width = (self._outlived() - self.interval) / _NODES
        nodes = [self.hazard(self.interval + (k + 0.5) * width) for k in range(_NODES)]
        rates = [(math.sqrt(rate), alive) for rate, alive in nodes]
        budget = sum(alive for _, alive in rates) / self.interval
        fewest, most = 1 / self.longest, 1 / (SHORTEST * self.interval)
        free = budget / sum(root * alive for root, alive in rates)  # the pace, were gaps unbounded
        low, high = math.log(free / 100), math.log(free * 100)
        for _ in range(_HALVINGS):
            pace = math.exp((low + high) / 2)
            looks = sum(min(max(pace * root, fewest), most) * alive for root, alive in rates)
            low, high = (low, math.log(pace)) if looks > budget else (math.log(pace), high)
        return Learned(self.interval, self.longest, self.typical, self.spread, pace)

    def _outlived(self) -> float:
        return self.typical * math.exp(OUTLIVED * self.spread)

    def _until_one_look(self, age: float) -> float:
        """Return the gap over which the density adds up to one look, or the longest."""
        stride = self.longest / _STRIDES
        missing, here = 1.0, self.density(age)
        for k in range(_STRIDES):
            there = self.density(age + (k + 1) * stride)
            looks = stride * (here + there) / 2
            if looks >= missing:
                # the density is taken for linear within the stride
                slope = (there - here) / stride
                root = math.sqrt(max(here * here + 2 * slope * missing, 0.0))
                return min(k * stride + 2 * missing / (here + root), self.longest)
            missing -= looks
            here = there
        return self.longest


def forecast(logs: Sequence[float]) -> tuple[float, float]:
    """Return level and spread of the next log duration, from at least 12, newest first."""
    middle = median(logs)
    usual = 1.4826 * median([abs(value - middle) for value in logs])  # robust standard deviation
    bound = CLIP * max(usual, NARROWEST)
    oldest_first = logs[::-1]
    level, squares = median(oldest_first[:BURN_IN]), 0.0
    for value in oldest_first[BURN_IN:]:
        error = min(max(value - level, -bound), bound)
        squares += error * error
        level += STEP * error
    return level, max(math.sqrt(squares / (len(logs) - BURN_IN - 1)), NARROWEST)


def learn(durations: Sequence[float], interval: float, longest: float) -> Learned | None:
    """Return a schedule learnt from durations (seconds, newest first); None when it would not pay.

    Jobs that ended within the first interval are left out: the first look sees the like of them,
    whatever is learnt, and what remains is what looks after the first one are about.

    Args:
        durations: Of finished Jobs; not negative.
        interval: The fixed interval to replace, in seconds.
        longest: The longest gap, in seconds, not below the interval.
    """
    logs = [math.log(each) for each in durations[:MOST] if each > interval]
    if len(logs) < FEWEST:
        return None
    level, spread = forecast(logs)
    typical = math.exp(min(level, _LARGEST_LOG))
    if spread > WIDEST or typical < FEWEST_LOOKS * interval:
        return None
    return Learned(interval, longest, typical, spread).paced()
