"""Real processes of Airflow, a real wire, and the journal of the emulator to judge by."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.journal import RecordedCall
from tests.integrations.airflow.e2e.api import Api, Run
from tests.integrations.airflow.e2e.dags import pipelines

# -- what happens in Hevo -------------------------------------------------------------------------


def end(emulator: HevoEmulator, pipeline_id: int, outcome: str = "COMPLETED") -> EmulatedJob:
    """Let the running Job end now."""
    job = emulator.pipeline(pipeline_id).running
    assert job is not None
    job.outcome, job.ends = outcome, emulator.now
    return job


def calls(emulator: HevoEmulator, pipeline_id: int, *endpoints: str) -> list[RecordedCall]:
    return [call for call in emulator.requests.of(*endpoints) if call.pipeline_id == pipeline_id]


def took_effect(emulator: HevoEmulator, pipeline_id: int, *endpoints: str) -> list[RecordedCall]:
    return [call for call in calls(emulator, pipeline_id, *endpoints) if call.took_effect]


def await_poll(airflow: Api, emulator: HevoEmulator, pipeline_id: int) -> None:
    """Wait for a poll that begins after this moment."""
    now = emulator.now
    airflow.stack.until(
        f"a poll of Pipeline {pipeline_id}",
        lambda: [c for c in calls(emulator, pipeline_id, "get_job", "list_jobs") if c.at > now],
    )


# -- the modes ------------------------------------------------------------------------------------


def test_deferred_success(runs: dict[str, Run], emulator: HevoEmulator) -> None:
    run = runs["modes"]
    run.until("success", "deferred")
    job = end(emulator, pipelines.SUCCESS)
    run.until("success", "success")
    assert run.xcom("success") == run.xcom("success", "job_id") == job.job_id
    seen = run.xcom("success", "job")
    assert (seen["status"], seen["events_loaded"], seen["objects_success"]) == (
        "COMPLETED",
        1000,
        3,
    )


def test_deferred_failure(runs: dict[str, Run], emulator: HevoEmulator) -> None:
    run = runs["modes"]
    run.until("failure", "deferred")
    job = end(emulator, pipelines.FAILURE, "FAILED")
    run.until("failure", "failed")
    seen = run.xcom("failure", "job")
    assert (seen["job_id"], seen["status"], seen["events_failed"]) == (job.job_id, "FAILED", 50)
    log = run.log("failure")
    assert "FAILED" in log
    assert "failed objects: items (FAILED)" in log


@pytest.mark.parametrize(("task_id", "state"), [("strict", "failed"), ("lenient", "success")])
def test_completed_with_failures(
    runs: dict[str, Run], emulator: HevoEmulator, task_id: str, state: str
) -> None:
    run = runs["modes"]
    run.until(task_id, "deferred")
    end(emulator, getattr(pipelines, task_id.upper()), "COMPLETED_WITH_FAILURES")
    run.until(task_id, state)
    assert run.xcom(task_id, "job")["status"] == "COMPLETED_WITH_FAILURES"


def test_resync_that_drops_the_tables(runs: dict[str, Run], emulator: HevoEmulator) -> None:
    run = runs["modes"]
    run.until("resync", "deferred")
    job = end(emulator, pipelines.RESYNC)
    run.until("resync", "success")
    (posted,) = calls(emulator, pipelines.RESYNC, "resync_pipeline")
    assert posted.body == {"resync_mode": "DROP_AND_LOAD"}
    assert run.xcom("resync") == job.job_id
    assert run.xcom("resync", "job")["type"] == "RESYNC_WITH_DROP_AND_LOAD"


def test_trigger_and_continue_then_sensor(runs: dict[str, Run], emulator: HevoEmulator) -> None:
    run = runs["modes"]
    run.until("sensed", "deferred")
    assert run.task("start")["state"] == "success"
    job = end(emulator, pipelines.HANDED_OVER)
    run.until("sensed", "success")
    assert run.xcom("start") == run.xcom("sensed") == job.job_id


# -- kills ----------------------------------------------------------------------------------------


def test_deferred_task_marked_by_a_user(
    airflow: Api, runs: dict[str, Run], emulator: HevoEmulator
) -> None:
    run = runs["kills"]
    run.until("marked", "deferred")
    await_poll(airflow, emulator, pipelines.MARKED)
    run.mark_failed("marked")
    airflow.stack.until(
        "the Job is cancelled", lambda: took_effect(emulator, pipelines.MARKED, "cancel_job")
    )
    assert run.task("marked")["state"] == "failed"
    assert len(calls(emulator, pipelines.MARKED, "sync_now", "cancel_job")) == 2


def test_deferred_task_cleared_by_a_user(
    airflow: Api, runs: dict[str, Run], emulator: HevoEmulator
) -> None:
    run = runs["kills"]
    run.until("cleared", "deferred")
    await_poll(airflow, emulator, pipelines.CLEARED)
    run.clear("cleared")
    airflow.stack.until("a second try", lambda: run.task("cleared")["try_number"] == 2)
    run.until("cleared", "deferred")
    await_poll(airflow, emulator, pipelines.CLEARED)
    job = end(emulator, pipelines.CLEARED)
    run.until("cleared", "success")
    assert run.xcom("cleared") == job.job_id
    assert len(calls(emulator, pipelines.CLEARED, "sync_now", "cancel_job")) == 1


def test_task_in_the_worker_marked_by_a_user(
    airflow: Api, runs: dict[str, Run], emulator: HevoEmulator
) -> None:
    run = runs["kills"]
    airflow.stack.until(
        "the wait has begun", lambda: calls(emulator, pipelines.MARKED_IN_WORKER, "get_job")
    )
    run.mark_failed("marked_in_worker")
    airflow.stack.until(
        "the Job is cancelled",
        lambda: took_effect(emulator, pipelines.MARKED_IN_WORKER, "cancel_job"),
    )
    assert run.task("marked_in_worker")["state"] == "failed"
    (job,) = emulator.pipeline(pipelines.MARKED_IN_WORKER).jobs
    assert job.outcome == "CANCELLED"


# -- deaths ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deaths(airflow: Api, runs: dict[str, Run], emulator: HevoEmulator, held: HevoEmulator) -> Run:
    """A run with two tasks whose processes were killed, one and the other before its deferral."""
    run = airflow.run("deaths")

    def kill(task_id: str) -> None:
        os.kill(run.until(task_id, "running")["pid"], signal.SIGKILL)

    def searches_for_its_job() -> bool:
        posted = took_effect(emulator, pipelines.AFTER_POST, "sync_now")
        looks = calls(emulator, pipelines.AFTER_POST, "list_jobs")
        return bool(posted) and looks[-1].at > posted[0].at

    airflow.stack.until("the POST", lambda: took_effect(held, pipelines.IN_POST, "sync_now"))
    kill("in_post")
    airflow.stack.until("the run is searched for", searches_for_its_job)
    kill("after_post")
    return run


@pytest.mark.parametrize(("task_id", "hevo"), [("in_post", "held"), ("after_post", "emulator")])
def test_worker_that_dies_before_the_deferral(
    deaths: Run, request: pytest.FixtureRequest, task_id: str, hevo: str
) -> None:
    emulator: HevoEmulator = request.getfixturevalue(hevo)
    pipeline_id = getattr(pipelines, task_id.upper())
    assert deaths.until(task_id, "deferred")["try_number"] == 2
    job = end(emulator, pipeline_id)
    deaths.until(task_id, "success")
    assert deaths.xcom(task_id) == job.job_id
    assert len(calls(emulator, pipeline_id, "sync_now")) == 1
    assert not calls(emulator, pipeline_id, "cancel_job")


# -- outages --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outages(airflow: Api, runs: dict[str, Run], emulator: HevoEmulator) -> Run:
    emulator.add_pipeline(pipelines.FROZEN, appears_after=1, duration=None)
    return airflow.run("outages")


@pytest.mark.parametrize(
    ("task_id", "how"), [("restart", signal.SIGTERM), ("crash", signal.SIGKILL)]
)
def test_triggerer_that_goes_away(
    airflow: Api, outages: Run, emulator: HevoEmulator, task_id: str, how: signal.Signals
) -> None:
    pipeline_id = getattr(pipelines, task_id.upper())
    outages.until(task_id, "deferred")
    await_poll(airflow, emulator, pipeline_id)
    assert airflow.stack.end("triggerer", how) == (how == signal.SIGTERM)
    looks = len(calls(emulator, pipeline_id, "get_job", "list_jobs"))
    job = end(emulator, pipeline_id)
    assert outages.task(task_id)["state"] == "deferred"
    assert len(calls(emulator, pipeline_id, "get_job", "list_jobs")) == looks
    airflow.stack.launch("triggerer")
    outages.until(task_id, "success")
    assert outages.xcom(task_id) == job.job_id
    assert len(calls(emulator, pipeline_id, "sync_now")) == 1
    assert not calls(emulator, pipeline_id, "cancel_job")


def test_triggerer_that_freezes_and_comes_back(
    airflow: Api, outages: Run, emulator: HevoEmulator
) -> None:
    outages.until("frozen", "deferred")
    await_poll(airflow, emulator, pipelines.FROZEN)
    airflow.stack.signal_all("triggerer", signal.SIGSTOP)
    try:
        airflow.stack.launch("another-triggerer", "triggerer")
        # It takes over what the other has, once that has missed its heartbeats.
        await_poll(airflow, emulator, pipelines.FROZEN)
        airflow.stack.signal_all("triggerer", signal.SIGCONT)
        for _ in range(5):
            await_poll(airflow, emulator, pipelines.FROZEN)
        assert outages.task("frozen")["state"] == "deferred"
        job = end(emulator, pipelines.FROZEN)
        outages.until("frozen", "success")
    finally:
        airflow.stack.signal_all("triggerer", signal.SIGCONT)
        airflow.stack.end("another-triggerer")
    assert outages.xcom("frozen") == job.job_id
    assert len(calls(emulator, pipelines.FROZEN, "sync_now")) == 1
    assert not calls(emulator, pipelines.FROZEN, "cancel_job")


# -- the call limit -------------------------------------------------------------------------------


def test_many_tasks_under_the_limit(airflow: Api, limited: HevoEmulator) -> None:
    for pipeline_id in pipelines.MANY:
        limited.add_pipeline(pipeline_id, duration=30)
    run = airflow.run("many")

    def over() -> list[dict[str, Any]]:
        tasks = run.tasks()
        states = Counter(task["state"] for task in tasks)
        going_on = len(tasks) < len(pipelines.MANY) or set(states) - {"success", "failed"}
        return [] if going_on else tasks

    tasks = airflow.stack.until("all mapped tasks are over", over, 420)
    failed = [task["map_index"] for task in tasks if task["state"] == "failed"]
    runs = Counter(call.pipeline_id for call in limited.requests.of("sync_now") if call.took_effect)
    refused = Counter(call.endpoint for call in limited.requests if call.status == 429)
    said = f"{len(limited.requests)} calls; refused: {dict(refused)}; failed tasks: {failed}"
    assert runs == dict.fromkeys(pipelines.MANY, 1), said
    assert not failed, said
    assert not refused, said
