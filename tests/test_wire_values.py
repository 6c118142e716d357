"""Numbers and times of replies: one reader each, the same on every interpreter, within bounds."""

from __future__ import annotations

import json
import math
from datetime import timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._text.reader import reader
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._wire_values import EPOCH, MAX_MS, count, epoch_milliseconds, same
from hevo_edge.models import JobData, JobObjectData, ObjectData, PipelineData, WireModel

MIDNIGHT = 1704067200000
"""2024-01-01 00:00:00 UTC."""
ABSURD: list[Any] = [True, -1, 10**400, -(10**400), math.nan, math.inf, "9" * 500, "", "x", {}, [1]]


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        ("2024-01-01T00:00:00.1Z", MIDNIGHT + 100),
        ("2024-01-01T00:00:00.12Z", MIDNIGHT + 120),
        ("2024-01-01T00:00:00.123456789Z", MIDNIGHT + 123),
        ("2024-01-01T00:00:00.9999Z", MIDNIGHT + 1000),
        ("2024-01-01T00:00:00,5Z", MIDNIGHT + 500),
        ("2024-01-01T00:00:00+0000", MIDNIGHT),
        ("2024-01-01T05:30:00+0530", MIDNIGHT),
        ("2023-12-31T20:30:00-03:30", MIDNIGHT),
        ("2024-01-01T02:00:00+02", MIDNIGHT),
        ("2024-01-01 00:00:00 UTC", MIDNIGHT),
        ("2024-01-01t00:00:00z", MIDNIGHT),
        ("20240101T000000Z", MIDNIGHT),
        ("2024-01-01T00:00", MIDNIGHT),
        ("2024-01-01", MIDNIGHT),
        (MIDNIGHT + 0.4, MIDNIGHT),
        (1.7040672e12, MIDNIGHT),
        ("1.7040672e12", MIDNIGHT),
        (" 1704067200000 ", MIDNIGHT),
        ("1704067200000.25", MIDNIGHT),
        ("2024-13-01T00:00:00Z", None),
        ("2024-01-01T25:00:00Z", None),
        ("1969-12-31T23:59:59Z", None),
        (MAX_MS, MAX_MS),
        (MAX_MS + 1, None),
        (1e18, None),
    ],
)
def test_a_time_in_any_form(sent: Any, milliseconds: int | None) -> None:
    body = json.dumps({"job_id": "a", "created_ts": sent, "updated_at": sent}).encode()
    job = reader(JobData)(body)
    assert (job.created_ts, job.updated_ts) == (milliseconds, milliseconds)
    assert JobData.model_validate_json(body) == job


@pytest.mark.parametrize("sent", ABSURD, ids=lambda value: repr(value)[:12])
def test_an_absurd_value_is_as_if_it_were_missing(sent: Any) -> None:
    numbers = [
        name
        for name in JobData.model_fields
        if name not in {"job_id", "type", "status", "created_ts", "updated_ts"}
    ]
    row = {"job_id": "a", **dict.fromkeys([*numbers, "created_ts", "updated_ts"], sent)}
    job = reader(JobData)(json.dumps(row).encode())
    assert job == JobData(job_id="a")
    assert (job.created, job.updated, job.duration_seconds, job.ended_ts) == (None,) * 4
    assert JobObjectData.model_validate({"rows_failed": sent}).rows_failed is None
    assert ObjectData.model_validate({"object_id": "o", "field_count": sent}).field_count is None
    pipeline = reader(PipelineData)(
        json.dumps({"id": 1, "schedule": {"frequency_minutes": sent}}).encode()
    )
    assert pipeline.schedule is not None
    assert pipeline.schedule.frequency_minutes is None
    assert ScheduleGrid.of(pipeline.schedule, []).every is None


@pytest.mark.parametrize(
    ("sent", "as_count", "as_duration"),
    [
        (5, 5, 5),
        (5.0, 5, 5),
        ("5", 5, 5),
        ("5e2", 500, 500),
        (1.6, None, 2),
        ("1.6", None, 2),
        (60000.5, None, 60000),
        (2**62, 2**62, None),
    ],
)
def test_a_number_in_any_form(sent: Any, as_count: int | None, as_duration: int | None) -> None:
    body = json.dumps({"job_id": "a", "events_loaded": sent, "duration": sent}).encode()
    job = reader(JobData)(body)
    assert (job.events_loaded, job.duration) == (as_count, as_duration)


@given(st.datetimes(timezones=st.just(timezone.utc)), st.integers(0, 6))
def test_a_time_is_read_as_it_was_written(moment: Any, digits: int) -> None:
    fraction = f".{moment.microsecond:06}"[: digits + 1] if digits else ""
    exact = int(f"{moment.microsecond:06}"[:digits] or 0) / 10**digits
    written = f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"
    seconds = (moment.replace(microsecond=0) - EPOCH).total_seconds()
    expected = round(seconds * 1000 + exact * 1000)
    assert epoch_milliseconds(written) == (expected if 0 <= expected <= MAX_MS else None)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary())
def test_no_value_is_a_crash(value: Any) -> None:
    for read in (count, epoch_milliseconds):
        found = read(value)
        assert found is None or 0 <= found < 2**63


NAN_BODY = (
    b'{"job_id": "a", "mean_latency": NaN, "extra": NaN, "deep": {"list": [1, NaN, {"x": NaN}]}}'
)


def test_snapshots_with_nan_are_equal() -> None:
    one, other = reader(JobData)(NAN_BODY), reader(JobData)(NAN_BODY)
    assert one.mean_latency is None
    assert one == other
    assert hash(one) == hash(other)
    changed = reader(JobData)(NAN_BODY.replace(b"[1,", b"[2,"))
    assert one != changed
    assert one != reader(JobData)(NAN_BODY.replace(b'"extra": NaN', b'"extra": 0.5'))
    assert one != WireModel()
    assert reader(PipelineData)(b'{"id": 1, "source": {"config": {"x": NaN}}}') == reader(
        PipelineData
    )(b'{"id": 1, "source": {"config": {"x": NaN}}}')


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_a_value_is_the_same_as_itself_read_again(value: Any) -> None:
    text = json.dumps(value)
    assert same(json.loads(text), json.loads(text))
    assert not same(value, [value])
