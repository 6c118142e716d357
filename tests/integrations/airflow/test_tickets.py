"""Durable runs: the run of a try that was cut off is resumed, and none is started twice."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred, Variable

from hevo_edge import TriggerTicket
from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoTrigger, stores
from hevo_edge.orchestration.stored_tickets import StoredTicket
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import (
    AIRFLOW_3,
    FakeTaskInstance,
    deferral_of,
    end_last_job,
    event_of,
    last_job,
    only_airflow_2,
    only_airflow_3,
    operator,
    resume,
    starts,
)


class CutOff(BaseException):
    """The worker dies."""


def stored_text(context: Any) -> str | None:
    """Return the text that is stored for the task."""
    store = stores.store_of(context, durable=True)
    assert store is not None
    return store.load()


def stored(context: Any) -> TriggerTicket | None:
    """Return the ticket that is stored, wherever this Airflow stores it."""
    text = stored_text(context)
    return None if text is None else StoredTicket.model_validate_json(text).ticket


def search_briefly(context: Any) -> None:
    """Let the stored ticket's Job be searched for half a second only."""
    text, store = stored_text(context), stores.store_of(context, durable=True)
    assert text is not None
    assert store is not None
    store.save(text.replace('"discovery_timeout":30.0', '"discovery_timeout":0.5'))
    ticket = stored(context)
    assert ticket is not None
    assert ticket.discovery_timeout == 0.5


def cut_off_after_saves(monkeypatch: pytest.MonkeyPatch, context: Any, saves: int) -> None:
    """Let the worker die right after it has stored its ticket for the nth time."""
    kind: Any = type(stores.store_of(context, durable=True))
    real = kind.save
    count = 0

    def save(self: Any, text: str) -> None:
        nonlocal count
        real(self, text)
        count += 1
        if count == saves:
            raise CutOff

    monkeypatch.setattr(kind, "save", save)


def try_that_is_cut_off(context: Any, saves: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut_off_after_saves(patch, context, saves)
        with pytest.raises(CutOff):
            operator().execute(context)


def test_cut_off_right_before_the_post_starts_one_run(emu: HevoEmulator, context: Any) -> None:
    try_that_is_cut_off(context, saves=1)
    assert starts(emu) == 0
    task = operator(wait_for_completion=False)
    # Nobody can know that the POST did not leave, so its Job is searched for first.
    task.discovery_timeout = 0.5
    ticket = stored(context)
    assert ticket is not None
    assert ticket.post is not None
    search_briefly(context)
    assert task.execute(context) == last_job(emu).job_id
    assert starts(emu) == 1


def test_cut_off_right_after_the_post_goes_on_with_its_run(emu: HevoEmulator, context: Any) -> None:
    try_that_is_cut_off(context, saves=2)
    assert starts(emu) == 1
    deferred = deferral_of(operator(), context)
    assert isinstance(deferred.trigger, HevoTrigger)
    assert deferred.trigger.job_id == last_job(emu).job_id
    assert starts(emu) == 1


def test_cut_off_after_the_job_was_found_goes_on_with_it(emu: HevoEmulator, context: Any) -> None:
    try_that_is_cut_off(context, saves=3)
    job_id = last_job(emu).job_id
    ticket = stored(context)
    assert ticket is not None
    assert ticket.job_id == job_id
    end_last_job(emu)
    assert operator().execute(context) == job_id
    assert starts(emu) == 1
    # Airflow 3 clears its store itself, and a Variable would stay for ever.
    assert (stored(context) is None) is not AIRFLOW_3


def test_a_deferral_that_failed_is_gone_on_with(emu: HevoEmulator, context: Any) -> None:
    deferred = deferral_of(operator(timeout=0.3), context)
    event = event_of(deferred.trigger)
    with pytest.raises(AirflowException):
        resume(operator(), context, deferred, event)
    again = deferral_of(operator(), context)
    assert isinstance(again.trigger, HevoTrigger)
    assert again.trigger.job_id == last_job(emu).job_id
    assert again.trigger.certainty == deferred.trigger.certainty
    assert starts(emu) == 1


def test_an_earlier_run_that_completed_is_taken(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    deferral_of(operator(), context)
    job_id = end_last_job(emu)
    ti.xcoms.clear()
    assert operator().execute(context) == job_id
    assert ti.xcoms["job"]["status"] == "COMPLETED"
    assert ti.xcoms["job_id"] == job_id
    assert starts(emu) == 1


@pytest.mark.parametrize(
    ("status", "options", "runs"),
    [
        ("FAILED", {}, 2),
        ("CANCELLED", {}, 2),
        ("COMPLETED_WITH_FAILURES", {}, 2),
        ("COMPLETED_WITH_FAILURES", {"accept_completed_with_failures": True}, 1),
    ],
)
def test_an_earlier_run_that_ended_otherwise_is_run_again(
    emu: HevoEmulator, context: Any, status: str, options: Any, runs: int
) -> None:
    deferral_of(operator(**options), context)
    job_id = end_last_job(emu, status)
    again = operator(wait_for_completion=False, **options).execute(context)
    assert (again == job_id) is (runs == 1)
    assert starts(emu) == runs


def test_an_earlier_run_that_is_being_cancelled_is_outwaited_and_run_again(
    emu: HevoEmulator, context: Any
) -> None:
    deferral_of(operator(), context)
    job = last_job(emu)
    emu.pipeline(123).cancel(job, emu.now)
    assert operator(wait_for_completion=False).execute(context) != job.job_id
    assert job.status == "CANCELLED"
    assert starts(emu) == 2


def test_a_task_that_was_changed_starts_a_run_of_its_own(emu: HevoEmulator, context: Any) -> None:
    emu.pipeline(7).plan(duration=None)
    deferral_of(operator(pipeline_id=7), context)
    deferral_of(operator(pipeline_id=123), context)
    assert [call.pipeline_id for call in emu.requests.of("sync_now")] == [7, 123]


def test_a_run_that_ended_badly_before_the_tasks_eyes_is_forgotten(
    emu: HevoEmulator, context: Any
) -> None:
    deferred = deferral_of(operator(), context)
    end_last_job(emu, "FAILED")
    with pytest.raises(AirflowException):
        resume(operator(), context, deferred, event_of(deferred.trigger))
    assert stored(context) is None


def cleared(context: Any) -> Any:
    """Clear the task, as Airflow does: more tries are granted."""
    context["ti"].max_tries += 1
    return context


def test_a_task_that_was_done_and_is_cleared_runs_again(emu: HevoEmulator, context: Any) -> None:
    first = operator(pipeline_id=7, deferrable=False).execute(context)
    assert operator(pipeline_id=7, deferrable=False).execute(cleared(context)) != first
    assert starts(emu) == 2


@only_airflow_3
def test_a_try_that_failed_after_its_job_had_ended_well_need_not_run_again(
    emu: HevoEmulator, context: Any
) -> None:
    first = operator(pipeline_id=7, deferrable=False).execute(context)
    assert operator(pipeline_id=7, deferrable=False).execute(context) == first
    assert starts(emu) == 1


@pytest.mark.parametrize("clears", [True, False])
def test_a_job_that_ended_well_after_a_timeout_is_for_a_retry_and_not_for_a_cleared_task(
    emu: HevoEmulator, context: Any, clears: bool
) -> None:
    deferred = deferral_of(operator(timeout=0.3), context)
    with pytest.raises(AirflowException):
        resume(operator(), context, deferred, event_of(deferred.trigger))
    job_id = end_last_job(emu)
    later = cleared(context) if clears else context
    assert (operator(wait_for_completion=False).execute(later) == job_id) is not clears
    assert starts(emu) == (2 if clears else 1)


def test_a_cleared_task_goes_on_with_a_job_that_still_runs(emu: HevoEmulator, context: Any) -> None:
    deferral_of(operator(), context)
    again = deferral_of(operator(), cleared(context))
    assert isinstance(again.trigger, HevoTrigger)
    assert again.trigger.job_id == last_job(emu).job_id
    assert starts(emu) == 1


def test_a_ticket_of_another_account_is_of_no_use(
    emu: HevoEmulator, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deferral_of(operator(), context)
    monkeypatch.setenv(
        CONNECTION, connection_json(emu, host=emu.base_url.replace("127.0.0.1", "localhost"))
    )
    end_last_job(emu)
    deferral_of(operator(), context)
    assert starts(emu) == 2


def test_a_resumed_job_that_is_cancelled_meanwhile_is_started_anew(
    emu: HevoEmulator, context: Any
) -> None:
    deferral_of(operator(), context)
    resumed = deferral_of(operator(), context)
    end_last_job(emu, "CANCELLED")
    event = event_of(resumed.trigger)
    with pytest.raises(TaskDeferred) as anew:
        resume(operator(), context, resumed, event)
    assert isinstance(anew.value.trigger, HevoTrigger)
    assert anew.value.trigger.job_id == last_job(emu).job_id
    assert starts(emu) == 2


def test_without_durability_a_cut_off_try_is_not_known(emu: HevoEmulator, context: Any) -> None:
    deferral_of(operator(durable=False), context)
    assert stored(context) is None
    with pytest.raises(AirflowException, match=last_job(emu).job_id):
        operator(durable=False).execute(context)
    assert starts(emu) == 1


def test_another_task_run_or_map_index_has_a_ticket_of_its_own(database: None) -> None:
    if AIRFLOW_3:
        pytest.skip("Airflow gives each its own store")
    tasks = [FakeTaskInstance() for _ in range(4)]
    for ti in tasks:
        ti.run_id = "run"
    tasks[1].map_index, tasks[2].task_id, tasks[3].dag_id = 3, "other", "other"
    keys = {stores.VariableStore(ti)._key for ti in tasks}
    assert len(keys) == 4


def test_what_is_kept_but_cannot_be_read_is_no_obstacle(emu: HevoEmulator, context: Any) -> None:
    deferral_of(operator(), context)
    end_last_job(emu)
    if AIRFLOW_3:
        context["task_state_store"].set(stores._KEY, '{"version": 99}')
    else:
        Variable.set(stores.VariableStore(context["ti"])._key, "nonsense")
    operator(wait_for_completion=False).execute(context)
    assert starts(emu) == 2


@only_airflow_2
def test_on_airflow_2_the_ticket_is_a_variable_that_is_deleted_at_the_end(
    emu: HevoEmulator, context: Any, ti: FakeTaskInstance
) -> None:
    ti.task_id = "t" * 250
    key = stores.VariableStore(ti)._key
    assert len(key) <= 250
    deferred = deferral_of(operator(), context)
    assert last_job(emu).job_id in str(Variable.get(key))
    end_last_job(emu)
    resume(operator(), context, deferred, event_of(deferred.trigger))
    assert Variable.get(key, None) is None


@only_airflow_3
def test_the_stand_in_for_the_state_store_has_airflows_signatures() -> None:
    from inspect import signature  # noqa: PLC0415

    from airflow.sdk.execution_time.context import (  # noqa: PLC0415 -- Airflow 3 alone has it
        TaskStateStoreAccessor,
    )

    for call in (
        signature(TaskStateStoreAccessor.get).bind(None, "key"),
        signature(TaskStateStoreAccessor.set).bind(None, "key", "value"),
        signature(TaskStateStoreAccessor.delete).bind(None, "key"),
    ):
        assert call.args


# -- 429 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [True, False])
def test_a_post_that_gets_429_is_sent_again(emu: HevoEmulator, context: Any, durable: bool) -> None:
    emu.faults.status(429, {"message": "slow down"}, headers={"Retry-After": "0"}, on="sync_now")
    task = operator(durable=durable, wait_for_completion=False)
    assert task.execute(context) == last_job(emu).job_id
    assert [call.status for call in emu.requests.of("sync_now")] == [429, 200]


def test_a_post_that_always_gets_429_fails_in_the_end(emu: HevoEmulator, context: Any) -> None:
    emu.faults.status(429, {"message": "slow down"}, headers={"Retry-After": "0"}, times=None)
    task = operator()
    task.discovery_timeout = 0.5
    with pytest.raises(AirflowException, match="slow down"):
        task.execute(context)
    assert starts(emu) == 0
