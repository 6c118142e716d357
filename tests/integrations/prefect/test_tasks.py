"""The tasks and the flow: what they return, and in which state they end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prefect import flow, unmapped
from prefect.client.schemas.objects import State, StateType

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.prefect import (
    HevoCredentials,
    aio,
    ensure_fresh,
    retry_can_help,
    sync_and_wait,
    sync_pipeline,
    trigger_sync,
    wait_for_job,
)
from hevo_edge.orchestration import Outcome, RunFailed
from tests.integrations.prefect.support import OFTEN, credentials_of, last_job, starts


def state_of(sync: Any, *arguments: Any, **options: Any) -> State[Any]:
    """Return the state in which a flow ends."""
    state: State[Any] = sync(*arguments, **options, return_state=True)
    return state


@flow
def one_sync(credentials: Any, pipeline_id: int = 7, **options: Any) -> dict[str, Any]:
    more: Any = {**OFTEN, **options}
    job: dict[str, Any] = sync_and_wait(credentials, pipeline_id, **more)
    return job


def test_a_sync_returns_the_job_as_plain_data(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    job = one_sync("hevo")
    assert (job["status"], job["events_loaded"]) == ("COMPLETED", 1000)
    assert job["certainty"]
    assert job["ref"] == f"7:{last_job(emu, 7).job_id}"
    assert starts(emu) == 1


def test_start_here_and_wait_there(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    @flow
    def two_tasks() -> tuple[dict[str, Any], dict[str, Any]]:
        job = trigger_sync(credentials, 7)
        return wait_for_job(credentials, job, **OFTEN), wait_for_job("hevo", job["ref"], **OFTEN)

    by_data, by_ref = two_tasks()
    assert by_data["status"] == "COMPLETED"
    assert by_data["certainty"]
    assert (by_ref["job_id"], by_ref.get("certainty")) == (by_data["job_id"], None)


def test_in_an_async_flow(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    @flow
    async def all_four() -> list[Any]:
        job = await aio.trigger_sync(credentials, 7)
        waited = await aio.wait_for_job(credentials, job, **OFTEN)
        fresh = await aio.ensure_fresh(credentials, 7, 3600 * 100, **OFTEN)
        synced = await aio.sync_and_wait("hevo", 7, **OFTEN)
        return [waited, fresh, synced]

    waited, fresh, synced = asyncio.run(all_four())
    assert waited["job_id"] == fresh["job_id"] != synced["job_id"]
    assert fresh["freshness"] == "fresh"
    assert starts(emu) == 2


def test_fresh_enough(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    @flow
    def twice() -> list[Any]:
        return [ensure_fresh("hevo", 7, 3600 * 100, **OFTEN) for _ in range(2)]

    assert [job["freshness"] for job in twice()] == ["started", "fresh"]
    assert starts(emu) == 1


def test_mapped_over_pipelines(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    for number in (1, 2, 3):
        emu.add_pipeline(number, duration=1)

    @flow
    def many() -> list[Any]:
        by_block = sync_and_wait.map(unmapped(credentials), [1, 2], **OFTEN)
        by_name = sync_and_wait.map("hevo", [3], **OFTEN)
        return [future.result()["pipeline_id"] for future in [*by_block, *by_name]]

    assert many() == [1, 2, 3]


def test_a_failed_job_fails_the_task_with_its_message(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    state = state_of(one_sync, credentials)
    assert state.is_failed()
    assert "ended FAILED" in str(state.message)
    assert "failed objects: items (FAILED)" in str(state.message)
    error = state.result(raise_on_failure=False)
    assert isinstance(error, RunFailed)
    assert error.outcome.error == "JobFailed"


def test_completed_with_failures_both_ways(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    pipeline = emu.pipeline(7)
    pipeline.plan(outcome="COMPLETED_WITH_FAILURES")
    refused = state_of(sync_pipeline, "hevo", 7, poll_interval=0.05)
    assert refused.type is StateType.FAILED
    assert "ended COMPLETED_WITH_FAILURES" in str(refused.message)
    pipeline.plan(outcome="COMPLETED_WITH_FAILURES")
    accepted = state_of(
        sync_pipeline, "hevo", 7, poll_interval=0.05, accept_completed_with_failures=True
    )
    assert (accepted.type, accepted.name) == (StateType.COMPLETED, "CompletedWithFailures")
    assert accepted.result()["events_failed"] == 100


def test_a_task_with_failures_accepted_returns_plain_data(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    job = one_sync(credentials, accept_completed_with_failures=True)
    assert job["status"] == "COMPLETED_WITH_FAILURES"


def test_a_job_that_was_cancelled_in_hevo(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    emu.pipeline(7).plan(outcome="CANCELLED")
    state = state_of(sync_pipeline, credentials, 7, poll_interval=0.05)
    assert state.type is StateType.CANCELLED
    assert "ended CANCELLED" in str(state.message)
    # Nobody goes on with it unawares.
    emu.pipeline(7).plan(outcome="CANCELLED")
    with pytest.raises(RunFailed, match="ended CANCELLED"):
        one_sync(credentials)


def test_a_timeout(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    state = state_of(one_sync, credentials, 123, timeout=10.0, on_timeout="cancel")
    assert state.is_failed()
    assert "after waiting 10" in str(state.message)
    assert last_job(emu).status in {"CANCELLING", "CANCELLED"}


# -- retries --------------------------------------------------------------------------------------


def retried(credentials: Any, pipeline_id: int = 7, **options: Any) -> Any:
    @flow
    def with_retries() -> Any:
        return sync_and_wait.with_options(retries=2)(credentials, pipeline_id, **OFTEN, **options)

    return state_of(with_retries)


def test_a_retry_runs_again_after_a_failed_job(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    state = retried(credentials)
    assert state.is_completed()
    assert state.result()["status"] == "COMPLETED"
    assert starts(emu) == 2


def test_retries_that_cannot_help_are_not_made(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    assert retried(credentials, 99).is_failed()
    assert len(emu.requests.of("get_pipeline")) == 1


def test_the_condition_for_tasks_of_ones_own() -> None:
    def failed(error: Any) -> State[Any]:
        return State(type=StateType.FAILED, data=error)

    final = RunFailed("no", outcome=Outcome("error", "no", 7, is_final=True))
    passing = RunFailed("no", outcome=Outcome("error", "no", 7))
    answers = [retry_can_help(None, None, failed(each)) for each in (final, passing, OSError())]
    assert answers == [False, True, True]


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("nobody", 7), {}, "Unable to find block document named nobody.*prefect block register"),
        (("hevo", 99), {}, "404.*check the ids"),
        (("hevo", "seven"), {}, "pipeline_id must be a positive integer"),
        (("hevo", 7), {"if_running": "maybe"}, "if_running must be one of"),
        (("hevo", 7), {"timeout": "soon"}, "timeout: Input should be a valid number"),
        (("hevo", 7), {"poll_intervall": 3}, "poll_intervall"),
    ],
)
def test_what_is_wrong_fails_with_what_to_do(
    credentials: HevoCredentials,
    emu: HevoEmulator,
    arguments: Any,
    options: Any,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @flow
    def wrong() -> Any:
        return sync_and_wait(*arguments, **options)

    with pytest.raises(RunFailed, match=f"(?s){words}") as caught:
        wrong()
    frames = [entry.path for entry in caught.traceback]
    ours = [
        f"{path}"
        for path in frames
        if "integrations/prefect/" in f"{path}" and "test" not in f"{path}"
    ]
    assert [path.rpartition("/")[2] for path in ours] == ["task_type.py"] * 2
    assert starts(emu) == 0


def test_a_wrong_key_fails_with_what_to_do(emu: HevoEmulator) -> None:
    wrong = credentials_of(emu, api_secret="very-wrong-secret")
    with pytest.raises(RunFailed, match=r"401.*check the API key and secret") as caught:
        one_sync(wrong)
    assert "very-wrong-secret" not in str(caught.value)


def test_a_ref_that_is_none(credentials: HevoCredentials) -> None:
    @flow
    def wrong() -> Any:
        return wait_for_job(credentials, "seven")

    with pytest.raises(RunFailed, match="a job ref looks like"):
        wrong()
