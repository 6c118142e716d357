"""When to poll a Job, learnt from the durations of earlier ones: maths and standard library only.

The rule: poll when the expected detection delay (the seconds for which the Job is expected to have
ended undetected) reaches a price, the same at any age. For short gaps that is Keller's rule
("Optimum checking schedules for systems subject to random failure", Management Science 21(3), 1974,
256-260), the smooth form of Barlow, Hunter and Proschan's ("Optimum checking procedures", J. SIAM
11, 1963, 1078-1095): the density of polls is proportional to the square root of the hazard rate.
Where the hazard rate rises within a gap, it polls later than Keller: with the distribution known
and no guard rails but the first poll, a log-normal's delay is 2 to 3 % above the least there is,
nearly all of it that poll's, and Keller's 2.5 to 3.5 %. The budget sets the price: in expectation
as many polls as the fixed interval that it replaces, computed with the density, which overstates
them by up to one.

How long the next Job takes is forecast as log-normal. The history is replayed, oldest first: a
level forecasts each Job from those before it, and the spread is that of the forecasts' errors. So a
drift, a jump or a short history widens it by itself, without a formula for each. The level is
taken to drift as fast as made the forecasts best (a local level model; the gain is Kalman's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

FEWEST = 12
"""With fewer Jobs the spread is a guess, and a guess that is too low costs more than it gains."""
MOST = 40
"""Older Jobs hardly move the level, and the fit is to stay below a millisecond."""
DRIFTS = (0.0, 1 / 64, 1 / 4)
"""How fast the level may wander: variance a Job, over that of a Job about the level. Not at all (a
running mean); slowly, 1/8 of an error followed in the long run; or fast, 2/5 of it.
"""
RELUCTANCE = 2.0
"""How much better each faster one must fit, in twice the log likelihood: a parameter's, by AIC.
With 1, Jobs that do not drift are delayed by 0.4 % more; those soon after a jump by 4 % less.
"""
BURN_IN = 3
"""The level starts at the median of so many Jobs, the fewest among which one may be an outlier."""
UNCERTAIN = 0.5
"""Variance of such a level, over that of a Job about it: of a median of three, or a mean of two."""
CLIP = 3.0
"""Errors count up to so many robust standard deviations, so that one outlier is just one Job.
With 2.5, the spread of Jobs without outliers is underrated, and that costs 1 to 2 % of the delay.
"""
NARROWEST = 0.05
"""Smallest spread (of log durations): no history promises more than the next Job within 5 %."""
WIDEST = 0.8
"""With a larger spread the best possible schedule gains little, which an unlucky fit would lose."""
DOUBT = 0.01
"""Probability that the next Job is like none before: then it is as wide as the widest. As insurance
it costs 1 % of the delay of Jobs that are alike (0.02: 2 %), and makes polls of those that are not.
"""
OUTLIVED = 3.0
"""A Job so many spreads beyond the typical one has outlived its history: plain interval again."""
FEWEST_POLLS = 3
"""Typical durations below so many intervals leave nothing to place."""
SHORTEST = 1 / 10
"""Shortest gap, as a share of the interval: keeps a burst of polls within anyone's call budget."""
LONGEST = 15
"""Longest gap, in intervals, unless told: bounds the delay when the history misleads. With 10 the
delay of tight Jobs is 1.5 % more; with 20 it is hardly less, but more when they become shorter.
"""
TRUSTED = 4.5
"""Longest gap times spread, in intervals: of widely spread Jobs, the forecast knows the quick ones
least (Weibull ones of shape 2 are delayed by 2 % less so, log-normal ones by hardly more).
"""

_NODES = 64
"""Points of the integral over ages; with twice as many the number of polls moves by < 0.5 %."""
_NEWTON = 10
_CLOSE = 0.01
"""Steps to find a gap, at most, and the share of it that the last may change: four will mostly do,
and the next would change it by 1e-4.
"""
_HALVINGS = 20
_SQRT_HALF = math.sqrt(0.5)
_SQRT_TWO_OVER_PI = math.sqrt(2 / math.pi)
_LARGEST_LOG = 700.0
_NEGLIGIBLE = 1e-12
"""Below this probability to get so old, the forecast says nothing about a Job that has."""


@dataclass(frozen=True, slots=True, repr=False)
class Learned:
    """A schedule learnt from a history; see ``hevo_edge.schedules.from_history``.

    Attributes:
        interval: The fixed interval that it replaces, in seconds.
        longest: The longest gap, in seconds.
        typical: The median duration that it expects, in seconds.
        spread: The standard deviation of the log duration that it expects.
        early: The share of Jobs that end, evenly, within the first interval.
        price: The expected detection delay, in seconds, at which a poll is worth its call.
    """

    interval: float
    longest: float
    typical: float
    spread: float
    early: float = DOUBT
    price: float = 1.0

    def __repr__(self) -> str:
        return (
            f"<learned schedule: typical job {self.typical:.0f} s, spread {self.spread:.2f}, "
            f"instead of every {self.interval:g} s>"
        )

    def gap(self, age: float) -> float:
        """Return the seconds until the next poll of a Job of this age (seconds).

        Positive, and at most the longest gap, at any age: also for a negative age and for NaN.
        """
        shortest = SHORTEST * self.interval
        if age < self.interval:  # early polls, because what fails at once fails early
            half = self.interval / 2
            end = half if self._early_polls() > 1 and age < half else self.interval
            return max(end - max(age, 0.0), shortest)
        if not age < self._outlived():
            return self.interval
        return max(self._until_price(age), shortest)

    def density(self, age: float) -> float:
        """Return the polls a second at an age, within the shortest and longest gap.

        The early polls before; when the history is outlived, those of the plain interval.
        """
        if age < self.interval:
            return self._early_polls() / self.interval
        if not age < self._outlived():
            return 1 / self.interval
        polls = math.sqrt(self.hazard(age)[0] / (2 * self.price))
        return min(max(polls, 1 / self.longest), 1 / (SHORTEST * self.interval))

    def hazard(self, age: float) -> tuple[float, float]:
        """Return the hazard rate at an age above zero, and the probability to get that old."""
        distance = math.log(age) - math.log(self.typical)  # a quotient may underflow
        near, far = distance / self.spread, distance / WIDEST
        alive = (
            (1 - DOUBT) * math.erfc(near * _SQRT_HALF) + DOUBT * math.erfc(far * _SQRT_HALF)
        ) / 2
        ending = (1 - DOUBT) / self.spread * math.exp(-near * near / 2)
        ending += DOUBT / WIDEST * math.exp(-far * far / 2)
        ending *= _SQRT_TWO_OVER_PI / (2 * age)
        if age < self.interval:
            alive = (1 - self.early) * alive + self.early * (1 - age / self.interval)
            ending = (1 - self.early) * ending + self.early / self.interval
        else:
            alive, ending = (1 - self.early) * alive, (1 - self.early) * ending
        return ending / alive, alive

    def expected_delay(self, since: float, age: float) -> float:
        """Return the expected detection delay at an age of a Job that was running at ``since``.

        The integral, over the ages since then, of the probability that it has ended by them.
        """
        since, age = max(since, 0.0), max(age, 0.0)
        alive = self.hazard(since)[1] if since > 0 else 1.0
        if age <= since or alive < _NEGLIGIBLE:
            return max(age - since, 0.0)
        running = (self._left(since) - self._left(age)) / alive
        return min(max(age - since - running, 0.0), age - since)  # rounding aside

    def _left(self, age: float) -> float:
        """Return the seconds that it runs beyond an age, zero if it ends before, in expectation."""
        left = (1 - DOUBT) * self._left_if(self.spread, age) + DOUBT * self._left_if(WIDEST, age)
        early = max(self.interval - age, 0.0) ** 2 / (2 * self.interval)
        return (1 - self.early) * left + self.early * early

    def _left_if(self, spread: float, age: float) -> float:
        mean = self.typical * math.exp(spread * spread / 2)
        if age <= 0:
            return mean
        distance = (math.log(age) - math.log(self.typical)) / spread
        beyond = math.erfc((distance - spread) * _SQRT_HALF)
        return (mean * beyond - age * math.erfc(distance * _SQRT_HALF)) / 2

    def paced(self) -> Learned:
        """Return it at the price that spends as many polls as the interval, in expectation.

        Only ages between the first interval and an outlived history count: the others cost the
        same, or a poll more.
        """
        width = (self._outlived() - self.interval) / _NODES
        nodes = [self.hazard(self.interval + (k + 0.5) * width) for k in range(_NODES)]
        rates = [(math.sqrt(rate), alive) for rate, alive in nodes]
        budget = sum(alive for _, alive in rates) / self.interval
        fewest, most = 1 / self.longest, 1 / (SHORTEST * self.interval)
        free = budget / sum(root * alive for root, alive in rates)  # the pace, were gaps unbounded
        pace, low, high = free, math.log(free / 100), math.log(free * 100)
        for _ in range(_HALVINGS):
            pace = math.exp((low + high) / 2)
            polls = sum(min(max(pace * root, fewest), most) * alive for root, alive in rates)
            low, high = (low, math.log(pace)) if polls > budget else (math.log(pace), high)
        return replace(self, price=1 / (2 * pace * pace))

    def _early_polls(self) -> int:
        """Return 2 if the second, which saves a quarter of the interval, is worth its price."""
        return 2 if self.early * self.interval / 4 > self.price else 1

    def _outlived(self) -> float:
        return self.typical * math.exp(OUTLIVED * self.spread)

    def _until_price(self, age: float) -> float:
        """Return the gap after which the expected detection delay reaches the price."""
        (rate, alive), left, gap = self.hazard(age), self._left(age), self.longest
        if rate * gap * gap > 2 * self.price:
            gap = math.sqrt(2 * self.price / rate)  # exact for a constant hazard rate
        for _ in range(_NEWTON):  # convex: after at most one step it comes down to the root
            excess = gap - (left - self._left(age + gap)) / alive - self.price
            ended = 1 - self.hazard(age + gap)[1] / alive
            if ended <= 0 or (excess <= 0 and gap >= self.longest):
                return gap
            step = excess / ended
            gap = min(gap - step, self.longest)
            if abs(step) < _CLOSE * gap:
                break
        return gap


def forecast(logs: Sequence[float]) -> tuple[float, float]:
    """Return level and spread of the next log duration, from at least 12, newest first."""
    # the robust standard deviation, of differences: a jump or a drift is in few of them, or little
    usual = 1.4826 * _SQRT_HALF * median([abs(a - b) for a, b in pairwise(logs)])
    bound = CLIP * max(usual, NARROWEST)
    replays = [_replay(logs[::-1], drift, bound) for drift in DRIFTS]
    misfits = [misfit + RELUCTANCE * k for k, (misfit, _, _) in enumerate(replays)]
    _, level, spread = replays[misfits.index(min(misfits))]
    return level, max(spread, NARROWEST)


def _replay(logs: Sequence[float], drift: float, bound: float) -> tuple[float, float, float]:
    """Return the misfit of a drift to a history, oldest first, and its forecast: level and spread.

    Variances are over that of a Job about the level. The misfit is minus twice the log likelihood.
    """
    level, uncertain = median(logs[:BURN_IN]), UNCERTAIN
    squares = logarithms = before = 0.0
    for k in range(BURN_IN, len(logs)):
        width = math.sqrt(1 + uncertain)
        surprise = (logs[k] - level) / width
        error = min(max(surprise, -bound), bound)
        squares += error * error
        logarithms += 2 * math.log(width)
        beyond = error if error != surprise else 0.0
        if beyond and beyond == before and abs(logs[k] - logs[k - 1]) <= bound:
            # two outliers on the same side, and alike, are a jump: start again
            level, uncertain, before = (logs[k] + logs[k - 1]) / 2, UNCERTAIN, 0.0
            continue
        gain = uncertain / (1 + uncertain)
        level += gain * width * error
        uncertain, before = gain + drift, beyond
    errors = len(logs) - BURN_IN
    misfit = errors * math.log(max(squares, NARROWEST * NARROWEST)) + logarithms
    return misfit, level, math.sqrt(squares / (errors - 1) * (1 + uncertain))


def learn(durations: Sequence[float], interval: float, longest: float) -> Learned | None:
    """Return a schedule learnt from durations (seconds, newest first); None when it would not pay.

    Jobs that ended within the first interval say how many polls that is worth, one or two. The
    others say where the polls after it go.

    Args:
        durations: Of finished Jobs; not negative.
        interval: The fixed interval to replace, in seconds.
        longest: The longest gap, in seconds, not below the interval.
    """
    newest = durations[:MOST]
    logs = [math.log(each) for each in newest if each > interval]
    if len(logs) < FEWEST:
        return None
    level, spread = forecast(logs)
    typical = math.exp(min(level, _LARGEST_LOG))
    if spread > WIDEST or typical < FEWEST_POLLS * interval:
        return None
    longest = max(min(longest, TRUSTED * interval / spread), interval)
    early = max(1 - len(logs) / len(newest), DOUBT)
    return Learned(interval, longest, typical, spread, early).paced()
