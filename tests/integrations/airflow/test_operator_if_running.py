"""What the operator does when a Job is running already."""

from __future__ import annotations

import math
import time
from threading import Thread
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoTrigger
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    last_job,
    operator,
    resume,
    run_to_end,
    start_by_schedule,
    starts,
)


@pytest.fixture
def busy(emu: HevoEmulator) -> str:
    """The id of a Job of Pipeline 123 that the schedule has started."""
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    return job.job_id


@pytest.mark.parametrize("options", [{}, {"ensure_new_job": True}, {"if_running": "fail"}])
def test_fail_names_the_running_job_and_posts_nothing(
    emu: HevoEmulator, context: Any, busy: str, options: Any
) -> None:
    with pytest.raises(AirflowException, match=busy):
        operator(**options).execute(context)
    assert emu.requests.of("sync_now") == []


def test_a_task_that_was_refused_runs_when_it_is_retried(
    emu: HevoEmulator, context: Any, busy: str
) -> None:
    with pytest.raises(AirflowException, match=busy):
        operator().execute(context)
    end_last_job(emu)
    assert operator(wait_for_completion=False).execute(context) != busy
    assert starts(emu) == 1


def test_a_task_that_hevo_itself_refused_runs_when_it_is_retried(
    emu: HevoEmulator, context: Any
) -> None:
    # It shows up only after the read, so the POST is what gets the refusal.
    unseen = start_by_schedule(emu)
    with pytest.raises(AirflowException):
        operator().execute(context)
    assert [call.status for call in emu.requests.of("sync_now")] == [409]
    end_last_job(emu)
    job_id = operator(wait_for_completion=False).execute(context)
    assert job_id != unseen.job_id
    assert starts(emu) == 1


def test_join_takes_the_running_job(emu: HevoEmulator, context: Any, busy: str) -> None:
    deferred = deferral_of(operator(if_running="join"), context)
    assert isinstance(deferred.trigger, HevoTrigger)
    assert deferred.trigger.job_id == busy
    assert deferred.trigger.certainty == "joined"
    end_last_job(emu)
    assert resume(operator(), context, deferred, event_of(deferred.trigger)) == busy
    assert starts(emu) == 0


def test_replace_cancels_the_running_job_and_starts_another(
    emu: HevoEmulator, context: Any, busy: str
) -> None:
    task = operator(if_running="replace", wait_for_completion=False)
    job_id = task.execute(context)
    assert job_id != busy
    assert [call.took_effect for call in emu.requests.of("cancel_job")] == [True]
    assert starts(emu) == 1


def test_a_job_that_is_listed_only_after_the_refusal_is_waited_for_in_the_triggerer(
    emu: HevoEmulator, context: Any
) -> None:
    """Two runs that start together: Hevo refuses the second before it lists the first."""
    unseen = start_by_schedule(emu)
    unseen.visible_from = math.inf

    def show_after_the_refusal() -> None:
        while not emu.requests.of("sync_now"):
            time.sleep(0.01)
        unseen.visible_from = emu.now

    shows = Thread(target=show_after_the_refusal)
    shows.start()
    deferred = deferral_of(operator(ensure_new_job=False), context)
    shows.join()
    assert deferred.trigger.job_id == unseen.job_id
    assert deferred.method_name == "execute_again"
    assert 1 <= len(emu.requests.of("sync_now")) <= 5
    assert starts(emu) == 0


@pytest.mark.parametrize("options", [{"ensure_new_job": False}, {"if_running": "wait"}])
def test_wait_defers_until_the_other_job_is_over_and_then_starts_another(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance, busy: str, options: Any
) -> None:
    first = deferral_of(operator(**options), context)
    assert first.method_name == "execute_again"
    assert isinstance(first.trigger, HevoTrigger)
    assert first.trigger.job_id == busy
    assert not first.trigger.cancel_on_kill, "it is somebody else's"
    assert starts(emu) == 0
    assert "job_id" not in ti.xcoms

    end_last_job(emu, "FAILED")  # however it ends
    event = event_of(first.trigger)
    with pytest.raises(BaseException) as caught:
        resume(operator(**options), context, first, event)
    second: Any = caught.value
    assert second.method_name == "execute_complete"
    assert second.trigger.job_id == last_job(emu).job_id != busy
    assert starts(emu) == 1

    job_id = end_last_job(emu)
    assert resume(operator(**options), context, second, event_of(second.trigger)) == job_id


def test_waiting_for_the_other_job_keeps_the_deadline_of_the_task(
    emu: HevoEmulator, context: Any, busy: str
) -> None:
    first = deferral_of(operator(if_running="wait", timeout=60), context)
    assert isinstance(first.trigger, HevoTrigger)
    end_last_job(emu)
    with pytest.raises(BaseException) as caught:
        resume(operator(if_running="wait", timeout=60), context, first, event_of(first.trigger))
    second: Any = caught.value
    assert second.trigger.deadline == first.trigger.deadline
    assert first.kwargs == {"deadline": first.trigger.deadline}


def test_wait_gives_up_at_the_deadline(emu: HevoEmulator, context: Any, busy: str) -> None:
    first = deferral_of(operator(if_running="wait", timeout=0.5), context)
    event = event_of(first.trigger)
    with pytest.raises(AirflowException, match=busy):
        resume(operator(if_running="wait"), context, first, event)
    assert starts(emu) == 0


def test_wait_without_a_triggerer_waits_in_the_worker(emu: HevoEmulator, context: Any) -> None:
    job = start_by_schedule(emu, 7)  # ends after a moment
    task = operator(pipeline_id=7, if_running="wait", deferrable=False)
    assert task.execute(context) == last_job(emu, 7).job_id != job.job_id
    assert starts(emu) == 1


def test_wait_for_a_job_that_cannot_be_seen_waits_in_the_worker(
    emu: HevoEmulator, context: Any
) -> None:
    emu.pipeline(7).plan(duration=20, appears_after=60)  # over before it shows up
    start_by_schedule(emu, 7)
    job_id = run_to_end(lambda: operator(pipeline_id=7, if_running="wait"), context)
    assert job_id == last_job(emu, 7).job_id
    assert starts(emu) == 1


def test_a_second_job_in_the_way_is_waited_for_as_well(
    emu: HevoEmulator, context: Any, busy: str
) -> None:
    first = deferral_of(operator(if_running="wait"), context)
    end_last_job(emu)
    event = event_of(first.trigger)
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    with pytest.raises(BaseException) as caught:
        resume(operator(if_running="wait"), context, first, event)
    second: Any = caught.value
    assert second.method_name == "execute_again"
    assert second.trigger.job_id == job.job_id
    assert starts(emu) == 0
