"""Schedules that are told their gaps, and the checks of any schedule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import errors, schedules
from hevo_edge.schedules._basic import as_schedule, next_gap


@given(st.floats(0, 1e7))
def test_fixed(age: float) -> None:
    assert schedules.fixed(15).gap(age) == 15


@given(st.floats(0, 1e7))
def test_geometric_gaps_are_a_share_of_the_age_within_bounds(age: float) -> None:
    schedule = schedules.geometric(share=0.1, shortest=5, longest=60)
    gap = schedule.gap(age)
    assert 5 <= gap <= 60
    if 50 <= age <= 600:
        assert gap == pytest.approx(age / 10)


@pytest.mark.parametrize(
    "options",
    [{"share": 0}, {"shortest": -1}, {"longest": float("inf")}, {"shortest": 9, "longest": 8}],
)
def test_invalid_bounds(options: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="geometric schedule"):
        schedules.geometric(**options)
    with pytest.raises(errors.ConfigurationError, match="poll_interval"):
        schedules.fixed(0)


class Odd:
    def __init__(self, gap: Any) -> None:
        self._gap = gap

    def gap(self, age: float) -> Any:
        return self._gap

    def __repr__(self) -> str:
        return "Odd()"


@pytest.mark.parametrize("gap", [0, -1, float("nan"), float("inf"), None, "5", 90_000])
def test_an_invalid_answer_names_the_schedule(gap: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"Odd\(\)"):
        next_gap(Odd(gap), 10)


def test_anything_with_a_gap_will_do() -> None:
    assert as_schedule(Odd(5)).gap(0) == 5
    assert as_schedule(7).gap(100) == 7
    for wrong in (Odd, "15", None, 0):
        with pytest.raises(errors.ConfigurationError):
            as_schedule(wrong)
