"""Limits, busy Pipelines and kills in an outage, in real processes of Airflow."""

from __future__ import annotations

import signal
from typing import Any

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.e2e.api import Api
from tests.integrations.airflow.e2e.dags import pipelines
from tests.integrations.airflow.e2e.stack import IS_2
from tests.integrations.airflow.e2e.test_e2e import await_poll, calls, end, took_effect


def test_two_runs_that_start_together_share_no_worker_slot_for_long(
    airflow: Api, emulator: HevoEmulator
) -> None:
    pipeline = emulator.add_pipeline(pipelines.TOGETHER, appears_after=10, duration=None)
    run = airflow.run("together")

    def both_wait() -> bool:
        return {run.task(name)["state"] for name in ("one", "other")} == {"deferred"}

    airflow.stack.until("both wait in the triggerer", both_wait, 60)
    assert len(pipeline.jobs) == 1
    refused = [c for c in calls(emulator, pipelines.TOGETHER, "sync_now") if not c.took_effect]
    assert len(refused) <= 4
    first = end(emulator, pipelines.TOGETHER)
    second = airflow.stack.until("the second run", lambda: pipeline.jobs[1:])[0]
    end(emulator, pipelines.TOGETHER)
    for name in ("one", "other"):
        run.until(name, "success")
    assert {run.xcom("one"), run.xcom("other")} == {first.job_id, second.job_id}
    assert len(took_effect(emulator, pipelines.TOGETHER, "sync_now")) == 2


def test_a_kill_while_hevo_refuses_cancels_when_it_does_not_any_more(
    airflow: Api, held: HevoEmulator
) -> None:
    pipeline = held.add_pipeline(pipelines.REFUSED, appears_after=1, duration=None)
    run = airflow.run("refused")
    run.until("refused", "deferred")
    await_poll(airflow, held, pipelines.REFUSED)
    refusing = held.faults.status(503, on="cancel_job", times=None)
    run.mark_failed("refused")
    airflow.stack.until("refused cancels", lambda: refusing.hit >= 3)
    held.faults.rules.remove(refusing)
    airflow.stack.until("the cancel", lambda: took_effect(held, pipelines.REFUSED, "cancel_job"))
    assert pipeline.jobs[-1].outcome == "CANCELLED"


def test_what_a_kill_could_not_cancel_is_named_and_left_to_the_next_try(
    airflow: Api, held: HevoEmulator
) -> None:
    pipeline = held.add_pipeline(pipelines.LEFT, appears_after=1, duration=None)
    run = airflow.run("left")
    run.until("left", "deferred")
    await_poll(airflow, held, pipelines.LEFT)
    refusing = held.faults.status(503, on="cancel_job", times=None)
    run.mark_failed("left")
    first = pipeline.jobs[0]
    says = f"hevo-edge cancel {pipelines.LEFT}:{first.job_id}"
    triggerer = airflow.stack.home / "triggerer.log"

    def is_said() -> bool:
        return says in run.log("left") or says in triggerer.read_text(errors="replace")

    airflow.stack.until("the warning", is_said, 40)
    assert first.outcome != "CANCELLED"
    held.faults.rules.remove(refusing)
    run.clear("left")
    airflow.stack.until("another run", lambda: len(pipeline.jobs) == 2)
    assert first.outcome == "CANCELLED"
    run.until("left", "deferred")
    second = end(held, pipelines.LEFT)
    run.until("left", "success")
    assert run.xcom("left") == second.job_id


def test_a_limit_holds_without_a_triggerer(airflow: Api, emulator: HevoEmulator) -> None:
    pipeline: Any = emulator.add_pipeline(pipelines.LATE, appears_after=1, duration=None)
    airflow.stack.end("triggerer", signal.SIGKILL)
    try:
        run = airflow.run("late")
        run.until("late", "failed", seconds=90)
    finally:
        airflow.stack.launch("triggerer")
    assert "after waiting 12 s" in run.log("late")
    assert len(took_effect(emulator, pipelines.LATE, "sync_now", "cancel_job")) == 2
    assert pipeline.jobs[-1].outcome == "CANCELLED"
    assert IS_2 or "is a triggerer running?" in run.log("late")
