"""What callers pass in is checked before any request."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from numbers import Integral
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import HevoClient, RateLimit, api, errors, schedules
from hevo_edge._common import validation
from hevo_edge.options import TriggerOptions, WaitOptions

HEVO = HevoClient("key", "secret", region="us")


@pytest.mark.parametrize(("given_id", "number"), [(1, 1), ("123", 123), (" 7 ", 7), ("007", 7)])
def test_a_pipeline_id(given_id: Any, number: int) -> None:
    assert HEVO.pipeline(given_id).id == number


@pytest.mark.parametrize(
    "wrong", [0, -1, "0", "-1", True, False, 1.0, "12a", "", None, "1.0", "١٢", [1], "9" * 19]
)
def test_what_is_no_pipeline_id(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="pipeline_id must be a positive integer"):
        HEVO.pipeline(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ".",
        "..",
        "...",
        "a/b",
        "../x",
        "a\\b",
        "a b",
        "a\nb",
        "a\x00",
        "a\u2028b",
        5,
        None,
        "x" * 201,
    ],
)
def test_what_is_no_job_id(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError):
        HEVO.pipeline(1).job(wrong)
    with pytest.raises(errors.ConfigurationError):
        HEVO.job(f"1:{wrong}" if isinstance(wrong, str) else wrong)


@pytest.mark.parametrize("wrong", ["", "123", ":", "1:", ":x", "x:y", "0:y", "-1:y", "1/2:y", 5])
def test_what_is_no_ref(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError):
        HEVO.job(wrong)


def test_a_ref_leads_back_to_the_job() -> None:
    job = HEVO.job(123, "550e8400-e29b:41d4")
    assert job.ref == "123:550e8400-e29b:41d4"
    assert HEVO.job(job.ref) == job
    assert HEVO.job("123", job.id) == job


@given(st.text())
def test_an_identifier_is_one_path_segment_or_refused(text: str) -> None:
    try:
        checked = validation.identifier(text, "job_id")
    except errors.ConfigurationError:
        return
    assert checked == text
    assert "/" not in checked
    assert checked.strip(".")
    assert checked.isprintable() or not checked.isascii()


@given(st.one_of(st.floats(), st.integers()))
def test_seconds_are_positive_and_finite_or_refused(value: float) -> None:
    try:
        checked = validation.seconds(value, "timeout")
    except errors.ConfigurationError:
        assert not 0 < value < float("inf")
    else:
        assert 0 < checked < float("inf")


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "15", None, True, 10**400])
async def test_intervals_and_time_outs_of_a_wait(wrong: Any) -> None:
    job = HEVO.job("1:x")
    with pytest.raises(errors.ConfigurationError, match="poll_interval"):
        await job.await_completion(poll_interval=wrong)
    if wrong is not None:
        if wrong != 0:
            with pytest.raises(errors.ConfigurationError, match="timeout"):
                await job.await_completion(timeout=wrong)
        with pytest.raises(errors.ConfigurationError, match="timeout"):
            await HEVO.pipeline(1).trigger(timeout=wrong)
        with pytest.raises(errors.ConfigurationError, match="discovery_timeout"):
            await HEVO.pipeline(1).trigger(discovery_timeout=wrong)


async def test_options_of_a_wait() -> None:
    job = HEVO.job("1:x")
    with pytest.raises(errors.ConfigurationError, match="'raise', 'return', 'cancel'"):
        await job.await_completion(on_timeout="ignore")  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="on_update must be callable"):
        await job.await_completion(on_update="print")  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="accept must be"):
        await job.await_completion(accept=[5])  # type: ignore[list-item]
    with pytest.raises(errors.ConfigurationError, match="accept must be a status or several"):
        await job.await_completion(accept=5)  # type: ignore[arg-type]


async def test_options_of_a_trigger() -> None:
    pipeline = HEVO.pipeline(1)
    with pytest.raises(errors.ConfigurationError, match="'fail', 'join', 'replace', 'wait'"):
        await pipeline.trigger(if_running="queue")  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="'SYNC_NOW', 'RESYNC'"):
        await pipeline.trigger("PAUSE")
    with pytest.raises(errors.ConfigurationError, match="drop_and_load goes with"):
        await pipeline.trigger(drop_and_load=True)
    with pytest.raises(errors.ConfigurationError, match="job_type must be a non-empty string"):
        await pipeline.trigger(job_type=" ")
    with pytest.raises(errors.ConfigurationError, match="RESYNC cannot come of SYNC_NOW"):
        await pipeline.trigger(job_type="resync")
    with pytest.raises(errors.ConfigurationError, match="must name at least one object"):
        await pipeline.resync_objects([])
    with pytest.raises(errors.ConfigurationError, match="at least one field"):
        await pipeline.update()


async def test_options_of_lists_and_groups() -> None:
    with pytest.raises(errors.ConfigurationError, match="limit must be an integer >= 1"):
        _ = [job async for job in HEVO.pipeline(1).list_jobs(limit=0)]
    with pytest.raises(errors.ConfigurationError, match="status must be a non-empty string"):
        _ = [job async for job in HEVO.pipeline(1).list_jobs(status="")]
    with pytest.raises(errors.ConfigurationError, match="'raise', 'return'"):
        await HEVO.await_all([], on_failure="ignore")  # type: ignore[call-overload]
    ignored: Any = "ignore"
    with pytest.raises(errors.ConfigurationError, match="'raise', 'return'"):
        _ = [job async for job in HEVO.as_completed([], on_failure=ignored)]
    with pytest.raises(errors.ConfigurationError, match="several Jobs"):
        await HEVO.await_all("1:x")
    with pytest.raises(errors.ConfigurationError, match="poll_interval"):
        await HEVO.await_all([], poll_interval=0)


@pytest.mark.parametrize("wrong", [0, "0", True, "12a", None])
async def test_every_way_to_a_pipeline_checks_its_id(wrong: Any) -> None:
    match = "pipeline_id must be a positive integer"
    with pytest.raises(errors.ConfigurationError, match=match):
        await HEVO.get_pipeline(wrong)
    with pytest.raises(errors.ConfigurationError, match=match):
        HEVO.job(wrong, "x")
    with pytest.raises(errors.ConfigurationError, match=match):
        api.get_pipeline(wrong)
    with pytest.raises(errors.ConfigurationError, match=match):
        api.get_job(wrong, "x")


# -- numbers of other libraries -------------------------------------------------------------------


class Int64:
    """As NumPy's: registered as an integer, but no ``int``."""

    data = memoryview(b"60")

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= other)

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < other)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= other)

    def __eq__(self, other: object) -> bool:
        return self.value == other

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"Int64({self.value})"


Integral.register(Int64)


class NotATime(datetime):
    """As pandas' NaT: a datetime that is equal to nothing."""

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def test_integers_of_other_libraries_are_integers() -> None:
    pipeline = HEVO.pipeline(Int64(7))  # type: ignore[arg-type]
    assert type(pipeline.id) is int
    assert pipeline.id == 7
    limit = RateLimit(Int64(5), Int64(60))  # type: ignore[arg-type]
    assert (type(limit.calls), type(limit.period)) == (int, float)
    with pytest.raises(errors.ConfigurationError):
        HEVO.pipeline(Int64(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "minute", [60, 60.0, Int64(60), Fraction(60), timedelta(minutes=1)], ids=repr
)
def test_a_duration_is_a_number_of_any_kind_or_a_timedelta(minute: Any) -> None:
    values = [
        WaitOptions.check(timeout=minute).timeout,
        TriggerOptions.check(timeout=minute).timeout,
        TriggerOptions.check(discovery_timeout=minute).discovery_timeout,
        RateLimit(5, minute).period,
        WaitOptions.check(poll_interval=minute).schedule.gap(0),
        schedules.fixed(minute).gap(0),
        schedules.auto(interval=minute).gap(0),
        schedules.geometric(shortest=minute, longest=minute).gap(0),
        schedules.from_history([minute], interval=minute, longest=minute).gap(0),
    ]
    assert values == [60.0] * len(values)
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize("zero", [0, 0.0, Int64(0), timedelta(0)], ids=repr)
def test_no_time_at_all(zero: Any) -> None:
    assert WaitOptions.check(timeout=zero).timeout == 0.0
    with pytest.raises(errors.ConfigurationError):
        TriggerOptions.check(timeout=zero)


@pytest.mark.parametrize(
    "wrong", [timedelta(-1), timedelta(0), 10**400, 1j, "60", True, None, math.nan]
)
def test_what_is_no_duration(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError):
        schedules.fixed(wrong)


def test_a_moment_that_is_none() -> None:
    with pytest.raises(errors.ConfigurationError, match="datetime with a time zone"):
        validation.parse_timestamp(NotATime(2026, 1, 1, tzinfo=timezone.utc), "ended_since")
