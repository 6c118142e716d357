"""What arguments mean."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._command_line import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("0.5h", 1800), ("0", 0)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert values.duration(text) == seconds
    assert values.duration(f" {text.upper()} ") == seconds


@given(st.text(max_size=12))
def test_any_text_is_a_value_or_a_usage_error(text: str) -> None:
    kinds: tuple[Callable[[str], object], ...] = (
        values.duration,
        values.positive_duration,
        values.poll_interval,
        values.moment,
        values.pipeline_id,
        values.job_ref,
        values.job_ref_or_pipeline_id,
        values.count,
        values.profile_name,
    )
    for kind in kinds:
        try:
            kind(text)
        except ArgumentTypeError as error:
            assert str(error)


@pytest.mark.parametrize("text", ["", "-1", "1w", "1h30m", "inf", "nan", "٣", "1e9", "0x10"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a duration such as"):
        values.duration(text)


def test_a_positive_duration_is_not_zero() -> None:
    assert values.positive_duration("0.1") == 0.1
    with pytest.raises(ArgumentTypeError, match="not more than 0"):
        values.positive_duration("0s")


def test_a_poll_interval_may_be_learned() -> None:
    assert values.poll_interval("AUTO") == "auto"
    assert values.poll_interval("1m") == 60


def test_a_moment_is_so_long_ago() -> None:
    moment = values.moment("2h")
    ago = datetime.now(timezone.utc) - moment
    assert timedelta(hours=2) <= ago < timedelta(hours=2, minutes=1)


def test_a_moment_is_a_date_with_a_zone_or_in_that_of_the_machine() -> None:
    assert values.moment("2026-11-25T06:00Z") == datetime(2026, 11, 25, 6, tzinfo=timezone.utc)
    assert values.moment("2026-11-25T08:00+02:00") == values.moment("2026-11-25T06:00Z")
    assert values.moment("2026-11-25T06:00") == datetime(2026, 11, 25, 6).astimezone()
    assert values.moment("2026-11-25").utcoffset() is not None


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "999999999d", "0001-01-01T00:00Z"])
def test_what_is_no_moment(text: str) -> None:
    try:
        moment = values.moment(text)
    except ArgumentTypeError as error:
        assert text in str(error)
    else:  # the first day of all, in a zone that can show it
        assert moment.utcoffset() is not None
