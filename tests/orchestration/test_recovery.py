"""After an outage: which Pipelines need a sync, and why."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import AuthenticationError, ConfigurationError, ServerError
from hevo_edge.models import JobData, PipelineData
from hevo_edge.orchestration import FailedPipeline, find_failed_pipelines
from hevo_edge.orchestration._overview import Overview
from hevo_edge.orchestration.recovery import why_to_sync

NOW = 1_800_000_000_000
MINUTE = 60_000


def job(minutes_ago: float, status: str = "COMPLETED") -> Any:
    created = NOW - round(minutes_ago * MINUTE)
    data = JobData.model_validate(
        {"job_id": "a", "status": status, "created_ts": created, "duration": MINUTE}
    )
    return SimpleNamespace(data=data, status=data.status)


def overview(newest: Any, *, every: float | None = None, running: Any = None) -> Overview:
    schedule = {"sync_type": "ON_DEMAND"}
    if every is not None:
        schedule = {"sync_type": "SCHEDULED", "frequency_minutes": every}  # type: ignore[dict-item]
    data = PipelineData.model_validate(
        {"id": 1, "schedule": schedule, "created_ts": NOW - 100_000 * MINUTE}
    )
    pipeline: Any = SimpleNamespace(data=data)
    return Overview(pipeline, newest, newest, running)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (overview(job(30)), None),
        (overview(job(30, "FAILED")), "ended FAILED"),
        (overview(job(30, "COMPLETED_WITH_FAILURES")), "ended COMPLETED_WITH_FAILURES"),
        (overview(job(30, "CANCELLED")), None),  # somebody wanted that
        (overview(job(30, "DEFERRED")), None),  # Hevo goes on by itself
        (overview(job(500, "FAILED")), None),  # before the outage
        (overview(job(30, "FAILED"), running=job(1, "IN_PROGRESS")), None),
        (overview(None), None),
        (overview(job(50), every=60), None),
        (overview(job(64), every=60), None),  # the next may still come
        (overview(job(70), every=60), "had no scheduled run"),
        (overview(job(1500), every=1440), "had no scheduled run"),
        (overview(job(1400), every=1440), None),  # due in a while
        (overview(job(1700), every=1440), None),  # due before the outage, and not again since
        (overview(None, every=60), "had no scheduled run"),
        (overview(job(70), every=60, running=job(1, "IN_PROGRESS")), None),
        (overview(job(70), every=0), None),
    ],
)
def test_who_needs_a_sync(seen: Overview, reason: str | None) -> None:
    assert why_to_sync(seen, NOW - 120 * MINUTE, NOW) == reason


@pytest.fixture
def outage(emulator: HevoEmulator) -> HevoEmulator:
    """Of five more Pipelines 2, 3 and 5 were hit; 3 runs again, and 5 cannot run any more."""
    for number in (1, 2, 3, 4, 5):
        pipeline = emulator.add_pipeline(number, name=f"Shop {number}", duration=None)
        status = {2: "FAILED", 3: "FAILED", 5: "COMPLETED_WITH_FAILURES"}.get(number, "COMPLETED")
        pipeline.add_history(created=emulator.now - 1800, status=status, duration=30.0)
    emulator.pipeline(3).start_job(now=emulator.now - 60)
    emulator.pipeline(5).status = "DISABLED"
    return emulator


def since(emulator: HevoEmulator, seconds: float = 7200) -> datetime:
    return datetime.fromtimestamp(emulator.now - seconds, timezone.utc)


def plain(found: list[FailedPipeline]) -> list[tuple[int, str, str | None]]:
    return [(each.pipeline.id, each.reason, each.obstacle) for each in found]


async def test_what_failed_is_found_and_what_runs_is_not(
    outage: HevoEmulator, hevo: HevoClient
) -> None:
    found = await find_failed_pipelines(hevo, since=since(outage))
    assert plain(found) == [
        (2, "ended FAILED", None),
        (5, "ended COMPLETED_WITH_FAILURES", "it is DISABLED"),
    ]
    assert found[0].to_dict() == {
        "pipeline_id": 2,
        "name": "Shop 2",
        "reason": "ended FAILED",
        "obstacle": None,
    }
    # One for the list, and one for each Pipeline; nothing was started.
    assert len(outage.requests) == 1 + 6


async def test_only_some_and_what_counts_as_success(outage: HevoEmulator, hevo: HevoClient) -> None:
    begin = since(outage)
    assert plain(await find_failed_pipelines(hevo, since=begin, pipeline_ids=[1, 5, 5])) == [
        (5, "ended COMPLETED_WITH_FAILURES", "it is DISABLED")
    ]
    accepted = await find_failed_pipelines(hevo, since=begin, accept_completed_with_failures=True)
    assert [each.pipeline.id for each in accepted] == [2]
    assert await find_failed_pipelines(hevo, since=since(outage, 60)) == []


async def test_a_pipeline_that_cannot_be_read_hides_no_other(
    outage: HevoEmulator, hevo: HevoClient
) -> None:
    outage.faults.status(403, on="list_jobs", times=1)
    outage.faults.status(404, on="list_jobs", skip=1, times=1)
    found = plain(await find_failed_pipelines(hevo, since=since(outage), pipeline_ids=[1, 4, 2]))
    (first, second) = found
    assert first[:2] == (1, "may have failed")
    assert str(first[2]).startswith(
        "it could not be read: GET /api/v1/pipelines/1/jobs?limit=50: 403"
    )
    assert second == (2, "ended FAILED", None)


async def test_what_concerns_all_is_an_error(outage: HevoEmulator, hevo: HevoClient) -> None:
    outage.faults.status(401, on="list_jobs", times=1)
    with pytest.raises(AuthenticationError):
        await find_failed_pipelines(hevo, since=since(outage))
    outage.faults.status(503, on="list_pipelines", times=None)
    with pytest.raises(ServerError):
        await find_failed_pipelines(hevo, since=since(outage))


@pytest.mark.parametrize("wrong", [None, "2h", timedelta(hours=2), datetime(2026, 1, 1)])  # noqa: DTZ001
async def test_a_wrong_time_is_refused_before_any_request(
    outage: HevoEmulator, hevo: HevoClient, wrong: Any
) -> None:
    with pytest.raises(ConfigurationError, match="since"):
        await find_failed_pipelines(hevo, since=wrong)
    assert len(outage.requests) == 0
