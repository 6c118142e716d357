"""What a history says in numbers, and that it says nothing where nothing is known."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import Job
from hevo_edge.history import HistorySummary, JobHistory
from hevo_edge.models import JobData
from tests.history.support import job, jobs


def test_an_empty_history_says_nothing() -> None:
    summary = JobHistory().summary()
    assert summary == HistorySummary(
        count=0,
        by_status={},
        success_rate=None,
        success_rate_with_failures=None,
        median_duration=None,
        p95_duration=None,
        last_success=None,
        last_failure=None,
    )
    assert (summary.last_success_at, summary.last_failure_at) == (None, None)
    assert str(summary) == "0 Jobs"


def test_what_counts_as_a_success() -> None:
    statuses = ["IN_PROGRESS", "SKIPPED", "DEFERRED", "NEW_WORD", "COMPLETED", "COMPLETED"]
    statuses += ["COMPLETED_WITH_FAILURES", "FAILED", "CANCELLED"]
    summary = JobHistory([job(n, status=status) for n, status in enumerate(statuses)]).summary()
    assert summary.count == 9
    assert summary.by_status == {**dict.fromkeys(statuses, 1), "COMPLETED": 2}
    assert summary.success_rate == 2 / 5
    assert summary.success_rate_with_failures == 3 / 5


@pytest.mark.parametrize("status", ["IN_PROGRESS", "SKIPPED", "DEFERRED", "NEW_WORD"])
def test_without_an_end_there_is_no_rate(status: str) -> None:
    assert JobHistory([job(status=status)]).summary().success_rate is None


def test_the_last_of_each() -> None:
    statuses = ["FAILED", "COMPLETED", "FAILED", "COMPLETED", "IN_PROGRESS"]
    drawn = [
        job(n, status=status, updated_ts=n * 1000 + 500, created_ts=n * 1000)
        for n, status in enumerate(statuses)
    ]
    summary = JobHistory(drawn).summary()
    assert summary.last_success == drawn[3]
    assert summary.last_success_at == datetime.fromtimestamp(3.5, timezone.utc)
    assert summary.last_failure == drawn[2]
    assert summary.last_failure_at == datetime.fromtimestamp(2.5, timezone.utc)


def test_durations_are_of_the_jobs_that_completed() -> None:
    failed, running = (job(status=each, duration=1) for each in ("FAILED", "IN_PROGRESS"))
    ran = [
        job(n, duration=n * 1000, status="COMPLETED_WITH_FAILURES" if n % 2 else "COMPLETED")
        for n in range(1, 21)
    ]
    summary = JobHistory([failed, running, *ran]).summary()
    assert summary.median_duration == timedelta(seconds=10.5)
    assert summary.p95_duration == timedelta(seconds=19)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_the_95th_percentile_is_the_nearest_rank(durations: list[int]) -> None:
    """At least 95 % take no longer, and of no shorter duration is that so."""
    summary = JobHistory([job(n, duration=ms) for n, ms in enumerate(durations)]).summary()
    assert summary.p95_duration is not None
    p95 = summary.p95_duration // timedelta(milliseconds=1)
    assert p95 in durations
    assert 100 * sum(ms <= p95 for ms in durations) >= 95 * len(durations)
    assert 100 * sum(ms < p95 for ms in durations) < 95 * len(durations)
    assert summary.median_duration is not None
    assert min(durations) <= summary.median_duration / timedelta(milliseconds=1) <= max(durations)


@given(jobs())
def test_it_is_consistent_whatever_the_jobs(drawn: list[Job[JobData]]) -> None:
    summary = JobHistory(drawn).summary()
    assert sum(summary.by_status.values()) == summary.count == len(drawn)
    if summary.success_rate is not None:
        assert summary.success_rate_with_failures is not None
        assert 0 <= summary.success_rate <= summary.success_rate_with_failures <= 1
    assert (summary.median_duration is None) == (summary.p95_duration is None)
    if summary.last_success is not None:
        assert summary.last_success.status == "COMPLETED"
    assert str(summary).isprintable()
    assert hash(summary) == hash(JobHistory(drawn).summary())


def test_one_line_for_people() -> None:
    day = 1_767_225_600_000  # 2026-01-01
    drawn = [job(n, created_ts=day + n, updated_ts=day, duration=90_000) for n in range(999)]
    assert str(JobHistory([*drawn, job(1000, status="FAILED")]).summary()) == (
        "1,000 Jobs, 99.9 % succeeded, 999 COMPLETED, 1 FAILED, median 1m30s, p95 1m30s, "
        "last success 2026-01-01 00:00:00 UTC"
    )


def test_nearly_all_is_not_all() -> None:
    drawn = [job(n, status="FAILED" if n == 7 else "COMPLETED") for n in range(10_000)]
    assert "10,000 Jobs, 99.9 % succeeded" in str(JobHistory(drawn).summary())


def test_it_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        JobHistory().summary().count = 5  # type: ignore[misc]
