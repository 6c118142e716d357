"""fresh_within: a run is started only when the data are too old."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    last_job,
    operator,
    resume,
    start_by_schedule,
    starts,
)

LONG = timedelta(days=1)


def test_a_job_that_has_just_ended_is_taken(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    job_id = end_last_job(emu)
    assert operator(fresh_within=LONG).execute(context) == job_id
    assert starts(emu) == 0
    assert ti.xcoms["freshness"] == "fresh"
    assert ti.xcoms["job"]["freshness"] == "fresh"
    assert ti.xcoms["job"]["status"] == "COMPLETED"


def test_the_one_that_runs_is_joined(emu: HevoEmulator, context: Any, ti: FakeTaskInstance) -> None:
    start_by_schedule(emu).visible_from = emu.now
    deferred = deferral_of(operator(fresh_within=1), context)
    assert ti.xcoms["freshness"] == "joined"
    job_id = end_last_job(emu)
    resumed = resume(operator(fresh_within=1), context, deferred, event_of(deferred.trigger))
    assert resumed == job_id
    assert starts(emu) == 0


@pytest.mark.parametrize("status", ["FAILED", "COMPLETED_WITH_FAILURES"])
def test_one_is_started_when_none_ended_well(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, status: str
) -> None:
    emu.pipeline(123).jobs.clear()
    start_by_schedule(emu).visible_from = emu.now
    end_last_job(emu, status)
    deferred = deferral_of(operator(fresh_within=LONG), context)
    assert deferred.trigger.job_id == last_job(emu).job_id
    assert ti.xcoms["freshness"] == "started"
    assert starts(emu) == 1


def test_accepted_failures_are_fresh_too(emu: HevoEmulator, context: Any) -> None:
    start_by_schedule(emu).visible_from = emu.now
    job_id = end_last_job(emu, "COMPLETED_WITH_FAILURES")
    task = operator(fresh_within=LONG, accept_completed_with_failures=True)
    assert task.execute(context) == job_id
    assert starts(emu) == 0


def test_without_waiting_it_says_which_job(emu: HevoEmulator, context: Any) -> None:
    start_by_schedule(emu).visible_from = emu.now
    task = operator(fresh_within=1, wait_for_completion=False)
    assert task.execute(context) == last_job(emu).job_id


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fresh_within": 0}, "fresh_within"),
        ({"fresh_within": "6h"}, "fresh_within"),
        ({"fresh_within": LONG, "action": "RESYNC"}, "goes with SYNC_NOW, not with RESYNC"),
    ],
)
def test_nonsense_is_refused_at_parse(options: Any, says: str) -> None:
    with pytest.raises(AirflowException, match=says):
        operator(**options)
