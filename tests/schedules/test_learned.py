"""The learned schedule: what it guarantees for any history, and a part of what it gains."""

from __future__ import annotations

import math
import pickle
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import errors
from hevo_edge.job import Job
from hevo_edge.models import JobData
from hevo_edge.schedules import Fixed, fixed, from_history
from hevo_edge.schedules import _learned as learned
from hevo_edge.schedules._basic import as_schedule, next_gap
from tests.benchmarks import plots
from tests.benchmarks.learning import Durations, Scenario, measure

ANY_HISTORY = st.lists(st.floats(0, sys.float_info.max), max_size=50)
LIKELY_HISTORY = st.lists(st.floats(1, 5000), min_size=12, max_size=50)
ANY_AGE = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def tight(draw: st.DrawFn) -> list[float]:
    """Histories from which something is learnt, mostly."""
    middle = draw(st.floats(60, 20_000))
    logs = draw(st.lists(st.floats(-0.7, 0.7), min_size=12, max_size=50))
    return [middle * math.exp(each) for each in logs]


def typical_history(sigma: float = 0.3, jobs: int = 30, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [600 * math.exp(rng.gauss(0, sigma)) for _ in range(jobs)]


@given(
    ANY_HISTORY | LIKELY_HISTORY | tight(),
    st.floats(0.001, 3600),
    st.floats(1, 24),
    st.lists(ANY_AGE | st.floats(0, 10_000), min_size=1, max_size=8),
)
def test_gaps_are_positive_and_capped_at_any_age(
    history: list[float], interval: float, factor: float, ages: list[float]
) -> None:
    longest = interval * factor
    schedule = from_history(history, interval=interval, longest=longest)
    for age in ages:
        assert interval / 10 <= schedule.gap(age) <= longest


@given(tight(), st.floats(0, 1e5))
def test_the_same_history_gives_the_same_schedule(history: list[float], age: float) -> None:
    first, second = from_history(history), from_history(iter(tuple(history)))
    assert first == second
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert first.gap(age) == second.gap(age)


@given(tight(), st.floats(0, 5000), st.floats(0.01, 100))
def test_another_unit_of_time_changes_nothing(
    history: list[float], age: float, factor: float
) -> None:
    one = from_history(history, interval=15, longest=150)
    scaled = [each * factor for each in history]
    other = from_history(scaled, interval=15 * factor, longest=150 * factor)
    if isinstance(one, learned.Learned) and isinstance(other, learned.Learned):
        assert other.typical == pytest.approx(one.typical * factor)
        assert other.spread == pytest.approx(one.spread)
        outlived = one.typical * math.exp(learned.OUTLIVED * one.spread)
        leaps = (pytest.approx(7.5), pytest.approx(15), pytest.approx(outlived))
        if age not in leaps:  # where gaps leap
            assert other.gap(age * factor) == pytest.approx(one.gap(age) * factor, rel=1e-3)


@given(st.lists(st.floats(0, 1e6), max_size=11), st.floats(1, 100))
def test_few_jobs_are_no_history(history: list[float], interval: float) -> None:
    assert from_history(history, interval=interval) == fixed(interval)


@pytest.mark.parametrize(
    "history",
    [
        typical_history(sigma=1.5),
        [20.0] * 30,
        [0] * 30,
        [600.0] * 11 + [3.0] * 20,
        [5e-324] * 20,
        [None] * 40,
    ],
    ids=["wide", "short", "zero", "few that outlive the first poll", "tiny", "unknown"],
)
def test_where_it_would_not_pay_the_interval_is_plain(history: list[float]) -> None:
    schedule = from_history(history, interval=15)
    assert type(schedule) is Fixed
    assert schedule == fixed(15)


def test_polls_come_early_then_rarely_then_often_then_at_the_interval() -> None:
    schedule = from_history(typical_history())
    assert schedule.gap(0) == 15
    assert schedule.gap(14.9) == 1.5
    assert 150 < schedule.gap(15) <= 225
    assert schedule.gap(600) < 7.5
    assert schedule.gap(3000) == 15
    assert schedule.gap(math.nan) == schedule.gap(math.inf) == 15
    assert schedule.gap(-5) == schedule.gap(0)


def test_where_some_fail_at_once_there_are_two_early_polls() -> None:
    schedule = from_history([*typical_history(), 3.0, 4.0])
    assert isinstance(schedule, learned.Learned)
    assert schedule.early == pytest.approx(2 / 32)
    assert schedule.gap(0) == schedule.gap(7.5) == 7.5
    assert schedule.density(3) == 2 / 15
    assert schedule.gap(15) > 150
    assert schedule.expected_delay(0, 7.5) > schedule.price
    never = from_history(typical_history())
    assert isinstance(never, learned.Learned)
    assert never.expected_delay(0, 15) == pytest.approx(learned.DOUBT * 7.5, rel=0.01)


def test_a_learnt_schedule_is_small_and_its_repr_says_what_it_is() -> None:
    schedule = from_history(typical_history())
    assert isinstance(schedule, learned.Learned)
    assert repr(schedule) == (
        f"<learned schedule: typical job {schedule.typical:.0f} s, "
        f"spread {schedule.spread:.2f}, instead of every 15 s>"
    )
    assert as_schedule(schedule) is schedule
    assert next_gap(schedule, 0) == 15
    assert not hasattr(schedule, "__dict__")
    fields = [getattr(schedule, name) for name in schedule.__slots__]
    assert sys.getsizeof(schedule) + sum(map(sys.getsizeof, fields)) < 512
    assert schedule.density(0) == schedule.density(-1) == 1 / 15
    assert schedule.density(20) == 1 / 225
    assert 1 / 7.5 < schedule.density(600) < 1 / 5
    assert schedule.density(1e9) == 1 / 15


@st.composite
def learnt(draw: st.DrawFn) -> learned.Learned:
    typical = draw(st.floats(60, 20_000))
    spread = draw(st.floats(learned.NARROWEST, learned.WIDEST))
    early = draw(st.floats(0, 0.5))
    return learned.Learned(15, 225, typical, spread, early).paced()


@given(learnt(), st.floats(0, 3), st.floats(0, 2))
def test_expected_delay_is_the_integral_of_having_ended(
    schedule: learned.Learned, start: float, span: float
) -> None:
    since = start * schedule.typical
    width = span * schedule.typical

    def ended(age: float) -> float:
        before = schedule.hazard(since)[1] if since else 1.0
        return 1 - (schedule.hazard(age)[1] if age else 1.0) / before

    points = 1000
    numeric = sum(ended(since + (k + 0.5) * width / points) for k in range(points)) / points
    tolerance = 2e-3 * width + 1e-12 * schedule.typical  # of the sum, and rounding
    assert schedule.expected_delay(since, since + width) == pytest.approx(
        numeric * width, abs=tolerance
    )


@given(learnt(), st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_expected_delay_grows_from_nothing_and_never_faster_than_time(
    schedule: learned.Learned, since: float, one: float, other: float
) -> None:
    assert schedule.expected_delay(since, since) == 0
    sooner, later = since + min(one, other), since + max(one, other)
    assert 0 <= schedule.expected_delay(since, sooner) <= sooner - since
    rounding = 1e-9 * later
    grown = schedule.expected_delay(since, later) - schedule.expected_delay(since, sooner)
    assert -rounding <= grown <= later - sooner + rounding


@given(learnt(), st.floats(0.1, 2))
def test_a_gap_ends_when_the_price_is_reached(schedule: learned.Learned, share: float) -> None:
    age = max(share * schedule.typical, schedule.interval)
    gap, delay = schedule.gap(age), schedule.expected_delay
    outlived = schedule.typical * math.exp(learned.OUTLIVED * schedule.spread)
    if age >= outlived:
        assert gap == schedule.interval
    elif gap >= schedule.longest:
        assert delay(age, age + gap) <= schedule.price * 1.01
    elif gap <= schedule.interval * learned.SHORTEST:
        assert delay(age, age + gap) >= schedule.price * 0.99
    else:
        assert delay(age, age + gap) == pytest.approx(schedule.price, rel=0.02)


def test_jobs_and_their_data_will_do() -> None:
    seconds = [round(each, 3) for each in typical_history()]
    data = [
        JobData.model_validate({"job_id": f"{k}", "duration": round(each * 1000)})
        for k, each in enumerate(seconds)
    ]
    jobs = [Job(None, 1, each.job_id, data=each) for each in data]
    unknown = [None, SimpleNamespace(duration_seconds=None), Job(None, 1, "x", None)]
    learnt = from_history(seconds)
    assert isinstance(learnt, learned.Learned)
    assert from_history(data) == from_history(jobs) == learnt
    assert from_history([*unknown, *seconds]) == learnt


def test_the_newest_jobs_count_most_and_old_ones_not_at_all() -> None:
    recent = typical_history(jobs=learned.MOST)
    assert from_history(recent) == from_history([*recent, 1.0, 1e9])
    longer = from_history([2 * each for each in recent[:15]] + recent[15:])
    assert isinstance(longer, learned.Learned)
    assert longer.typical > 900


def test_one_outlier_is_just_one_job_and_two_alike_are_a_jump() -> None:
    logs = [math.log(each) for each in typical_history(sigma=0.1)]
    usual, narrow = learned.forecast(logs)
    one, _ = learned.forecast([logs[0] + 3, *logs[1:]])
    apart, wider = learned.forecast([logs[0] + 3, logs[1] - 3, *logs[2:]])
    assert one == pytest.approx(usual, abs=0.02)
    assert apart == pytest.approx(usual, abs=0.02)
    assert narrow < wider < 2 * narrow
    unlike, _ = learned.forecast([logs[0] + 3, logs[1] + 0.5, *logs[2:]])
    assert unlike < usual + 0.2  # on the same side, but not alike
    longer, wider = learned.forecast([logs[0] + 3, logs[1] + 3, *logs[2:]])
    assert longer == pytest.approx((logs[0] + logs[1]) / 2 + 3)
    assert narrow < wider < 2 * narrow


def test_the_level_is_nearly_the_mean_and_follows_a_drift_where_there_is_one() -> None:
    still, drifting = [], []
    for seed in range(50):
        rng = random.Random(seed)
        logs = [rng.gauss(6, 0.1) for _ in range(30)]
        still.append((learned.forecast(logs)[0] - 6) ** 2)
        falling = [each - 0.1 * ago for ago, each in enumerate(logs)]
        drifting.append((learned.forecast(falling)[0] - 6) ** 2)
    assert math.sqrt(sum(still) / 50) < 0.1 * math.sqrt(1 / 15)  # a mean of 30: sqrt(1 / 30)
    assert math.sqrt(sum(drifting) / 50) < 0.3  # a mean lags by 1.4


@pytest.mark.parametrize(
    ("durations", "options", "words"),
    [
        (5, {}, "iterable"),
        ("600", {}, "iterable"),
        (None, {}, "iterable"),
        ([-1.0], {}, "negative"),
        ([math.nan], {}, "finite"),
        ([math.inf], {}, "finite"),
        ([10**400], {}, "finite"),
        ([True], {}, "seconds, not True"),
        (["600"], {}, "seconds, not '600'"),
        ([SimpleNamespace(duration_seconds="1")], {}, "seconds, not '1'"),
        ([], {"interval": 0}, "interval must be positive"),
        ([], {"interval": "15"}, "interval must be a number"),
        ([], {"interval": 90_000}, "a day"),
        ([], {"longest": math.nan}, "longest must be positive"),
        ([], {"longest": 14}, "must not exceed longest"),
        ([], {"longest": 90_000}, "a day"),
    ],
)
def test_invalid_arguments(durations: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=words):
        from_history(durations, **options)


@pytest.mark.parametrize(
    ("scenario", "goal", "most_calls"),
    [
        (Scenario("", Durations(600, 0.3)), 0.56, 1.02),
        (Scenario("", Durations(600, 0.6)), 0.87, 1.02),
        (Scenario("", Durations(600, 1.0)), 1.02, 1.02),
        (Scenario("", Durations(600, 0.3, failing=0.05)), 0.62, 1.02),
        (Scenario("", Durations(600, 0.3), outlier=20), 0.6, 1.02),
        (Scenario("", Durations(600, 0.3), drift=0.03), 0.7, 1.25),
        (Scenario("", Durations(600, 0.3), jump=2), 1.03, 1.75),
        (Scenario("", Durations(600, 0.3), jump=0.5), 1.03, 0.5),
        (Scenario("", Durations(600, 0.1), drift=0.03), 0.35, 1.3),
        (Scenario("", Durations(600, 0.1), jump=2, since=5), 0.35, 1.02),
        (Scenario("", Durations(600, 0.1), jump=0.5, since=5), 0.35, 1.02),
    ],
    ids=[
        *("0.3", "0.6", "1.0", "some fail", "outlier", "drift", "twice as long", "half as long"),
        *("fast drift, tight", "twice as long, tight", "half as long, tight"),
    ],
)
def test_what_it_gains(scenario: Scenario, goal: float, most_calls: float) -> None:
    """A few histories; see tests/benchmarks/learning.py for all of it."""
    result = measure(scenario, 16)
    assert result.ratio <= goal
    assert result.calls <= most_calls * result.fixed_calls
    assert result.to_best > 0.99  # else the optimum is none


def test_plots_are_of_the_numbers_in_the_csv_and_reproducible(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows: list[plots.Row] = [
        {"who": "a", "calls": 1 / 3, "jobs": 2.0},
        {"who": "b", "calls": 4.0, "jobs": 1.0},
    ]
    for name in ("one", "two"):
        plots.draw(
            rows, tmp_path / name, x="who", y_label="y", title="t", bars=["calls"], shaded=["jobs"]
        )
    assert (tmp_path / "one.csv").read_text() == "who,calls,jobs\na,0.333333,2\nb,4,1\n"
    assert plots.read_csv(tmp_path / "one.csv")[0]["calls"] == 0.333333
    drawn = (tmp_path / "one.svg").read_bytes()
    assert drawn == (tmp_path / "two.svg").read_bytes()
    assert b"calls</text>" in drawn
