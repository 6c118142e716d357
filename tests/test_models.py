"""Models take what any generation of the API sends, and never crash on a word."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hevo_edge import JobStatus, JobType, PipelineStatus, models
from hevo_edge._text.reader import reader
from hevo_edge.models import (
    ConnectorData,
    JobData,
    JobObjectData,
    ObjectData,
    Page,
    PipelineData,
)

JOB = {
    "job_id": "550e8400-e29b-41d4-a716-446655440001",
    "type": "INCREMENTAL",
    "status": "IN_PROGRESS",
    "created_ts": 1704067200000,
    "updated_ts": 1704067260000,
    "events_ingested": 1000,
    "events_loaded": 950,
    "events_failed": 50,
    "objects_success": 5,
    "objects_queued": 2,
    "objects_skipped": 0,
    "objects_failed": 0,
    "duration": 60000,
    "min_latency": 100,
    "max_latency": 5000,
    "mean_latency": 1500,
}
UTC, MS = timezone.utc, timedelta(milliseconds=1)
TIMES = st.none() | st.integers(0, 253_402_300_799_999)
COUNTERS = [name for name in JOB if name not in {"job_id", "type", "status"}]


def test_a_job_as_the_vendor_fixture_has_it() -> None:
    job = JobData.model_validate_json(json.dumps(JOB))
    assert job.status is JobStatus.IN_PROGRESS
    assert job.type is JobType.INCREMENTAL
    assert job.created_ts == 1704067200000
    assert job.created == datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert job.updated == datetime(2024, 1, 1, 0, 1, tzinfo=timezone.utc)
    assert job.duration == 60000
    assert job.duration_seconds == 60.0
    assert not job.is_terminal


@given(st.sets(st.sampled_from(COUNTERS)), st.sets(st.sampled_from(COUNTERS)))
def test_every_counter_may_be_missing_or_null(missing: set[str], null: set[str]) -> None:
    shown: dict[str, Any] = {name: value for name, value in JOB.items() if name not in missing}
    shown.update(dict.fromkeys(null - missing))
    job = JobData.model_validate(shown)
    assert job.job_id == JOB["job_id"]
    for name in missing | null:
        assert getattr(job, name) is None


@given(st.text(), st.text())
def test_any_status_and_type_is_kept_as_it_is(status: str, job_type: str) -> None:
    job = JobData.model_validate_json(json.dumps({**JOB, "status": status, "type": job_type}))
    assert job.status == status
    assert job.type == job_type


@given(TIMES, TIMES, TIMES, st.sampled_from(["COMPLETED", "IN_PROGRESS", "NEW_WORD"]))
def test_the_end_is_a_time_whatever_was_sent(
    created: int | None, updated: int | None, duration: int | None, status: str
) -> None:
    job = JobData(
        job_id="1", status=status, created_ts=created, updated_ts=updated, duration=duration
    )
    if status != "COMPLETED":
        assert job.ended is None
    elif job.ended is not None:
        assert job.ended_ts == round((job.ended - datetime(1970, 1, 1, tzinfo=UTC)) / MS)
    elif job.ended_ts is not None:
        assert job.ended_ts > 253_402_300_799_999  # past the last year of the calendar


def test_only_the_id_is_needed() -> None:
    job = JobData.model_validate({"id": 7})
    assert job.job_id == "7"
    assert job.status is JobStatus.UNKNOWN
    assert job.created is None
    assert job.duration_seconds is None
    for bad in ({}, {"job_id": ""}, {"job_id": None}):
        with pytest.raises(ValidationError):
            JobData.model_validate(bad)


@given(
    st.dictionaries(
        st.sampled_from([name for name in JOB if name != "job_id"]),
        st.none() | st.text() | st.floats() | st.booleans() | st.lists(st.integers()),
    )
)
def test_an_odd_value_makes_nothing_unreadable(odd: dict[str, Any]) -> None:
    body = json.dumps({"data": [JOB, {**JOB, **odd}]}).encode()
    page = reader(Page[JobData])(body)
    assert page.data[1].job_id == JOB["job_id"]
    for name in set(JOB) - set(odd):
        assert getattr(page.data[1], name) == getattr(page.data[0], name)


def test_odd_values_are_as_if_they_were_missing() -> None:
    odd = {"type": None, "status": None, "duration": "long", "events_loaded": "many"}
    job = reader(JobData)(json.dumps({**JOB, **odd, "created_ts": {}}).encode())
    assert (job.type, job.status) == ("UNKNOWN", "UNKNOWN")
    assert job.duration is job.events_loaded is job.created_ts is None
    assert job.events_failed == 50
    pipeline = reader(PipelineData)(b'{"id": 1, "source": "x", "schedule": {"sync_type": 5}}')
    assert pipeline.source is None
    assert pipeline.schedule is not None
    assert pipeline.schedule.sync_type is None
    connector = reader(ConnectorData)(b'{"name": "MySQL", "capabilities": ["A", 5]}')
    assert (connector.name, connector.capabilities) == ("MySQL", None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [5]}',
        b'{"data": [{"job_id": {}}]}',
        b'{"data": {}}',
        b"[]",
        b"{",
        b'{"data": [[]]}',
    ],
)
def test_nothing_is_left_out_that_cannot_be_missed(body: bytes) -> None:
    with pytest.raises(ValidationError):
        reader(Page[JobData])(body)


def test_unknown_fields_are_kept() -> None:
    job = JobData.model_validate({**JOB, "trigger": "MANUAL"})
    assert job.model_extra == {"trigger": "MANUAL"}


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        ("2024-01-01T00:00:00Z", 1704067200000),
        ("2024-01-01T01:00:00+01:00", 1704067200000),
        ("2024-01-01T00:00:00.123456", 1704067200123),
        ("1704067200000", 1704067200000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_of_the_interim_generation(sent: Any, milliseconds: int | None) -> None:
    body = json.dumps({"job_id": "x", "created_at": sent}).encode()
    assert reader(JobData)(body).created_ts == milliseconds


@pytest.mark.parametrize("status", [None, 5, True, {}, ["COMPLETED"]])
def test_a_status_that_is_no_word_is_unknown(status: Any) -> None:
    job = JobData.model_validate({"job_id": "x", "status": status})
    assert job.status is JobStatus.UNKNOWN
    assert not job.has_known_status
    assert not job.is_terminal


def test_words_are_read_in_any_case() -> None:
    job = JobData.model_validate({**JOB, "status": " completed ", "type": "Incremental"})
    assert (job.status, job.type) == (JobStatus.COMPLETED, JobType.INCREMENTAL)
    assert job.is_terminal
    assert PipelineData.model_validate({"id": 1, "status": "Disabled"}).status == "DISABLED"


SNAPSHOTS = [
    JobData(job_id="a", status=status, updated_ts=updated)
    for status in ("IN_PROGRESS", "ON_THE_MOON", "UNKNOWN", "COMPLETED", "DEFERRED")
    for updated in (None, 5, 6, 1_704_067_200, 1_704_067_200_000, 1_704_067_200_001)
]


@pytest.mark.parametrize("one", SNAPSHOTS, ids=lambda job: f"{job.status}-{job.updated_ts}")
def test_no_time_overrules_a_terminal_status(one: JobData) -> None:
    for other in SNAPSHOTS:
        if one.is_terminal:
            assert not one.is_older_than(other)
        elif other.is_terminal:
            assert one.is_older_than(other)
        elif one.updated_ts is None or other.updated_ts is None:
            assert not one.is_older_than(other)
        else:
            lag = other.updated_ts - one.updated_ts
            assert one.is_older_than(other) is (lag == 1)


def test_the_names_of_the_fields_are_shared_by_no_two_snapshots() -> None:
    one, other = JobData.model_validate(JOB), JobData.model_validate(JOB)
    one.model_fields_set.clear()
    assert other.model_fields_set == set(JOB)
    assert one.model_fields_set == set(JOB)
    assert one.model_dump(exclude_unset=True).keys() == JOB.keys()


def test_snapshots_are_frozen() -> None:
    job = JobData.model_validate(JOB)
    with pytest.raises(ValidationError):
        job.status = JobStatus.FAILED  # type: ignore[misc]


def test_a_pipeline() -> None:
    pipeline = PipelineData.model_validate(
        {
            "id": 123,
            "name": "Test Pipeline",
            "status": "INITIALIZED",
            "source": {"name": "PostgreSQL Source", "config": {"port": 5432}},
            "destination": {"id": 456, "destination_type": "Snowflake"},
            "schedule": {"sync_type": "SCHEDULED", "frequency_minutes": 30},
            "created_ts": 1704067200000,
        }
    )
    assert pipeline.status is PipelineStatus.INITIALIZED
    assert pipeline.schedule is not None
    assert pipeline.schedule.frequency_minutes == 30
    assert pipeline.destination is not None
    assert pipeline.destination.destination_type == "Snowflake"
    assert PipelineData.model_validate({"id": 1, "status": "MOVED"}).status == "MOVED"


def test_an_object_in_its_short_form() -> None:
    shown = {"object_id": "o", "source_namespace": {"k0": "users", "k1": None}}
    row = ObjectData.model_validate(shown)
    assert row.source_namespace is not None
    assert row.source_namespace.k0 == "users"
    assert row.field_count is None


@pytest.mark.parametrize("wrong", ["[]", "null", "{}", '{"data": null}', '{"data": {}}', "5"])
def test_a_page_needs_its_rows(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Page[JobData].model_validate_json(wrong)


@pytest.mark.parametrize(
    ("fields", "ended"),
    [
        ({"status": "IN_PROGRESS", "updated_ts": 5}, None),
        ({"status": "COMPLETED"}, None),
        ({"status": "COMPLETED", "updated_ts": 5}, 5),
        ({"status": "COMPLETED", "created_ts": 1, "duration": 3}, 4),
        ({"status": "FAILED", "created_ts": 1, "duration": 3, "updated_ts": 900}, 4),
        ({"status": "FAILED", "created_ts": 1, "duration": 30, "updated_ts": 9}, 9),
    ],
)
def test_when_a_job_ended(fields: dict[str, Any], ended: int | None) -> None:
    assert JobData(job_id="a", **fields).ended_ts == ended


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({}, False),
        ({"status": "COMPLETED", "rows_failed": 0}, False),
        ({"status": "COMPLETED", "rows_failed": 2}, True),
        ({"status": "Completed with Failures"}, True),
        ({"status": "FAILED"}, True),
    ],
)
def test_whether_a_job_failed_with_an_object(fields: dict[str, Any], failed: bool) -> None:
    assert JobObjectData(**fields).has_failed is failed


@pytest.mark.parametrize("name", models.__all__)
def test_a_model_is_of_the_module_that_it_is_imported_from(name: str) -> None:
    """So say pickles, which outlive the files that the models are cut into."""
    model = getattr(models, name)
    assert (model.__module__, model.__qualname__) == ("hevo_edge.models", name)


def test_a_pickle_names_the_module_that_is_imported_from() -> None:
    job = JobData(job_id="1", created_ts=5)
    pickled = pickle.dumps(job)
    assert b"hevo_edge.models" in pickled
    assert b"_job" not in pickled.replace(b"job_id", b"")
    assert pickle.loads(pickled) == job


def test_a_model_can_be_extended() -> None:
    """The types of its fields are found, though they are not in the module that it names."""

    class Mine(JobData):
        cost: float | None = None

    mine = Mine.model_validate({"job_id": "1", "created_ts": 5, "cost": 2})
    assert (mine.created_ts, mine.cost) == (5, 2.0)
