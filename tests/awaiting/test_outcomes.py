"""How a wait ends: an outcome for each final status, and no other."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import weakref
from typing import Any

import pytest

from hevo_edge import HevoClient, JobStatus, errors
from hevo_edge._awaiting.watched_job import WatchedJob
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import started
from tests.conftest import START, client_of

OUTCOMES = [
    ("FAILED", errors.JobFailed),
    ("COMPLETED_WITH_FAILURES", errors.JobCompletedWithFailures),
    ("CANCELLED", errors.JobCancelled),
    ("SKIPPED", errors.JobSkipped),
    ("DEFERRED", errors.JobDeferred),
    ("DEFERRED_WITH_FAILURES", errors.JobDeferred),
    ("DEFERRED_WITH_FAILURE", errors.JobDeferred),
]


async def test_success_returns_the_job_with_its_final_counts(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100, events=5000)
    assert job.status is None
    assert await job.await_completion() is job
    assert job.status is JobStatus.COMPLETED
    assert job.data is not None
    assert job.data.events_loaded == 5000
    assert job.data.duration_seconds == 100
    # At 0, 15, ... 105.
    assert len(emulator.requests.of("get_job")) == 8


@pytest.mark.parametrize(("status", "kind"), OUTCOMES)
async def test_any_other_end_raises_its_own_error_unless_accepted(
    emulator: HevoEmulator, hevo: HevoClient, status: str, kind: type[errors.JobDidNotSucceed]
) -> None:
    emulated, job = started(emulator, hevo, duration=20, outcome=status)
    with pytest.raises(errors.JobDidNotSucceed) as caught:
        await job.await_completion()
    assert type(caught.value) is kind
    assert caught.value.job is job
    assert job.is_terminal
    for word in (emulated.job_id, "Pipeline 123", status, "after 20s", "events loaded"):
        assert word in str(caught.value)
    for accept in ([status], status, {JobStatus(status)}, status.lower()):
        again = hevo.job(job.ref)
        assert await again.await_completion(accept=accept) is again


async def test_an_accepted_status_ends_the_wait_even_if_it_is_unknown(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=20, outcome="SUCCEEDED")
    await job.await_completion(accept=["SUCCEEDED"], timeout=100)
    assert job.status == "SUCCEEDED"
    await job.await_completion(accept=["SUCCEEDED"])


async def test_partial_failures_can_be_good_enough(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=20, outcome="COMPLETED_WITH_FAILURES")
    await job.await_completion(accept_completed_with_failures=True)
    assert job.data is not None
    assert job.data.events_failed == 100
    assert job.data.objects_failed == 1


async def test_a_job_known_to_have_ended_costs_no_call(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1)
    await asyncio.sleep(2)
    await job.refresh()
    calls = len(emulator.requests)
    await job.await_completion()
    assert len(emulator.requests) == calls


async def test_an_unknown_status_is_logged_once_and_waited_out(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=100)
    emulator.faults.unknown_value("status", "ON_THE_MOON", on="get_job", times=4)
    seen: list[str | None] = []
    await job.await_completion(on_update=lambda job: seen.append(job.status))
    assert job.status == "COMPLETED"
    assert "ON_THE_MOON" in seen
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "unknown status 'ON_THE_MOON'" in caplog.text


@pytest.mark.parametrize("name", ["type", "created_ts", "events_loaded", "duration", "updated_ts"])
async def test_a_missing_field_is_no_reason_to_fail(
    emulator: HevoEmulator, hevo: HevoClient, name: str
) -> None:
    _, job = started(emulator, hevo, duration=30, outcome="FAILED")
    emulator.faults.missing_field(name, times=None)
    with pytest.raises(errors.JobFailed):
        await job.await_completion()


async def test_jobs_from_another_process_are_awaited_like_any(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=50)
    job = pickle.loads(pickle.dumps(await hevo.pipeline(123).trigger()))
    assert await hevo.await_all([job]) == [job]
    assert job.status == "COMPLETED"


async def test_a_duration_beyond_any_float(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).add_history(created=START - 7200).extra["duration"] = 10**400
    emulated, job = started(emulator, hevo, duration=100)
    emulated.extra["duration"] = -(10**400)
    await job.await_completion(poll_interval="auto", timeout=300)
    assert job.status == "COMPLETED"
    assert len(emulator.requests) < 12


async def test_nothing_is_kept_of_waits_that_are_over(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    class Noted(WatchedJob):
        __slots__ = ("__weakref__",)

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            alive.add(self)

    monkeypatch.setattr("hevo_edge._awaiting.loop_watcher.WatchedJob", Noted)
    emulator.rate_limit = None
    async with client_of(emulator, rate_limit=None) as free:
        emulated, _ = started(emulator, hevo, duration=1)
        await asyncio.sleep(2)
        for _ in range(300):
            await free.job(123, emulated.job_id).await_completion()
    gc.collect()
    assert len(alive) < 80


@pytest.mark.parametrize(
    "name", ["cancel_on_interrupt", "progress", "accept_completed_with_failures"]
)
async def test_a_flag_is_true_or_false(name: str, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"{name} must be True or False, not 'no'"):
        await hevo.job("123:x").await_completion(**{name: "no"})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 5])
async def test_jobs_that_are_none(wrong: Any, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="jobs must be several"):
        await hevo.await_all(wrong)
