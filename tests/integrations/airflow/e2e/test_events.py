"""Jobs as events of a whole Airflow: watchers, and outlets that say what was loaded."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from tests.integrations.airflow.e2e.api import Api, Run
from tests.integrations.airflow.e2e.dags import pipelines
from tests.integrations.airflow.e2e.stack import IS_2


@pytest.fixture(scope="module", autouse=True)
def outlets(airflow: Api) -> Run:
    """A run of the task with an outlet, which goes on while others are looked at."""
    return airflow.run("outlets")


def await_polls(airflow: Api, emulator: HevoEmulator, count: int) -> None:
    """Wait for polls of the watched Pipeline that begin after this moment."""
    now = emulator.now

    def polled() -> bool:
        lists = emulator.requests.of("list_jobs")
        return sum(c.pipeline_id == pipelines.EVENT and c.at > now for c in lists) >= count

    airflow.stack.until("the watcher polls", polled)


def scheduled_job(emulator: HevoEmulator) -> EmulatedJob:
    """Start a Job as Hevo's schedule does."""
    return emulator.pipeline(pipelines.EVENT).start_job(now=emulator.now)


def payloads(airflow: Api) -> list[dict[str, Any]]:
    """Return what watchers have said so far."""
    extras = [event["extra"] for event in airflow.asset_events()]
    return [extra["payload"] for extra in extras if extra.get("from_trigger")]


def refs_of(airflow: Api, count: int) -> list[list[str]]:
    """Wait until so many runs of the DAG are done; return for which Jobs they were."""

    def done() -> list[Run]:
        runs = airflow.runs("events")
        assert "failed" not in {run["state"] for run in runs}
        ended = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return [Run(airflow, "events", each) for each in ended] if len(ended) >= count else []

    return [run.xcom("refs") for run in airflow.stack.until("the DAG has run", done)]


@pytest.mark.skipif(IS_2, reason="Airflow 2 has no watchers")
def test_a_job_of_hevos_schedule_runs_a_dag_once_also_over_a_crash_of_the_triggerer(
    airflow: Api, emulator: HevoEmulator
) -> None:
    await_polls(airflow, emulator, 2)
    first = scheduled_job(emulator)
    await_polls(airflow, emulator, 3)
    assert payloads(airflow) == []
    first.end(emulator.now, "COMPLETED")
    refs = [f"{pipelines.EVENT}:{first.job_id}"]
    assert refs_of(airflow, 1) == [refs]

    second = scheduled_job(emulator)
    await_polls(airflow, emulator, 3)
    airflow.stack.end("triggerer", signal.SIGKILL)
    second.end(emulator.now, "COMPLETED")
    airflow.stack.launch("triggerer")
    refs.append(f"{pipelines.EVENT}:{second.job_id}")
    assert sorted(refs_of(airflow, 2)) == sorted([each] for each in refs)
    await_polls(airflow, emulator, 3)
    assert sorted(each["ref"] for each in payloads(airflow)) == sorted(refs)
    assert len(airflow.runs("events")) == 2
    assert all(each["events_loaded"] == 1000 for each in payloads(airflow))
    log = (airflow.stack.home / "triggerer.log").read_text()
    assert emulator.api_secret not in log


def test_an_outlet_says_what_the_job_has_loaded(
    airflow: Api, outlets: Run, emulator: HevoEmulator
) -> None:
    outlets.until("sync", "success", seconds=90)
    job = emulator.pipeline(pipelines.OUTLET).jobs[-1]
    (extra,) = [
        event["extra"] for event in airflow.asset_events() if event["source_dag_id"] == "outlets"
    ]
    assert (extra["job_id"], extra["status"]) == (job.job_id, "COMPLETED")
    assert (extra["events_loaded"], extra["objects_success"]) == (1000, 3)
