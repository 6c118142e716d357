"""Cancels, evictions and kills of flows that a worker runs in processes of their own."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType

from hevo_edge.emulator import HevoEmulator
from tests.integrations.prefect.e2e import flows
from tests.integrations.prefect.e2e.worker import PATIENCE, Run, Worker
from tests.integrations.prefect.support import wait_until


def posts(hevo: HevoEmulator, pipeline_id: int) -> int:
    jobs = hevo.pipeline(pipeline_id).jobs
    return [job.origin for job in jobs].count("sync_now")


def is_polled(hevo: HevoEmulator, pipeline_id: int) -> bool:
    return pipeline_id in {call.pipeline_id for call in hevo.requests.of("get_job")}


def awaited(worker: Worker, hevo: HevoEmulator, one: Any, pipeline_id: int) -> Run:
    """Start a flow run, and return it when it awaits its Job."""
    run = worker.start(one, pipeline_id=pipeline_id)

    def polls() -> bool:
        assert run.read().state_type not in {StateType.FAILED, StateType.CRASHED}, run.log
        return is_polled(hevo, pipeline_id)

    wait_until(polls, PATIENCE)
    return run


def is_cancelled(hevo: HevoEmulator, pipeline_id: int) -> bool:
    return hevo.pipeline(pipeline_id).jobs[-1].status in {"CANCELLING", "CANCELLED"}


@pytest.mark.parametrize(
    ("one", "pipeline_id"),
    [(flows.sync_flow, 1), (flows.async_flow, 2), (flows.parent_flow, 3)],
    ids=["sync", "async", "subflow"],
)
def test_a_users_cancel_reaches_hevo(
    worker: Worker, hevo: HevoEmulator, one: Any, pipeline_id: int
) -> None:
    run = awaited(worker, hevo, one, pipeline_id)
    run.cancel()
    run.until(StateType.CANCELLED)
    assert is_cancelled(hevo, pipeline_id)
    job_id = hevo.pipeline(pipeline_id).jobs[-1].job_id
    wait_until(lambda: f"asked to cancel Job {pipeline_id}:{job_id}" in run.log)
    assert posts(hevo, pipeline_id) == 1


def test_the_hook_cancels_what_a_thread_awaits(worker: Worker, hevo: HevoEmulator) -> None:
    run = awaited(worker, hevo, flows.mapped_flow, 4)
    run.cancel()
    run.until(StateType.CANCELLED)
    wait_until(lambda: is_cancelled(hevo, 4))
    assert posts(hevo, 4) == 1


@pytest.mark.parametrize(
    ("one", "number", "pipeline_id"),
    [
        (flows.sync_flow, signal.SIGKILL, 5),
        (flows.async_flow, signal.SIGTERM, 6),
        (flows.sync_flow, signal.SIGTERM, 7),
    ],
    ids=["sync-SIGKILL", "async-SIGTERM", "sync-SIGTERM"],
)
def test_a_rerun_goes_on_with_the_job_of_a_process_that_was_ended(
    worker: Worker, hevo: HevoEmulator, one: Any, number: signal.Signals, pipeline_id: int
) -> None:
    run = awaited(worker, hevo, one, pipeline_id)
    run.kill(number)
    run.until(StateType.CRASHED)
    assert not is_cancelled(hevo, pipeline_id)
    hevo.requests.clear()
    run.again()
    wait_until(lambda: is_polled(hevo, pipeline_id), PATIENCE)
    hevo.pipeline(pipeline_id).jobs[-1].end(hevo.now, "COMPLETED")
    run.until(StateType.COMPLETED)
    assert run.read().run_count == 2
    assert posts(hevo, pipeline_id) == 1
