"""After an outage, in the real Airflow: what failed runs again, once each, and is summed up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.dag_runs import EXAMPLES, HERE, run_dags
from tests.integrations.airflow.hook_results import ENDS, GOES_ON

RECOVER = EXAMPLES / "hevo_recover.py"
AGAIN = "hevo_recover_again"


def hit(emu: HevoEmulator, pipeline_id: int, status: str = "FAILED", **options: Any) -> None:
    """Add a Pipeline whose last Job ended half an hour ago."""
    pipeline = emu.add_pipeline(pipeline_id, **{"duration": 50, **options})
    pipeline.add_history(created=emu.now - 1800, status=status, duration=30.0)


@pytest.fixture(scope="module")
def world() -> Iterator[HevoEmulator]:
    """An account in which three of five failed, and a sixth that had failed runs again."""
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        for pipeline_id in (1, 2, 3):
            hit(emu, pipeline_id)
        for pipeline_id in (4, 5):
            hit(emu, pipeline_id, "COMPLETED")
        hit(emu, 6, duration=None)
        emu.pipeline(6).start_job(now=emu.now).visible_from = emu.now
        emu.add_pipeline(GOES_ON, duration=None)
        emu.add_pipeline(ENDS, duration=1, history=1)
        yield emu


@pytest.fixture(scope="module")
def ran(
    world: HevoEmulator, database: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[str]]:
    """The example; the same once more, when all is well; and a task that returns results."""
    folder: Path = tmp_path_factory.mktemp("dags")
    shutil.copy(RECOVER, folder)
    text = RECOVER.read_text(encoding="utf-8").replace('"hevo_recover"', f'"{AGAIN}"')
    (folder / f"{AGAIN}.py").write_text(text, encoding="utf-8")
    shutil.copy(HERE / "hook_results.py", folder)
    return run_dags(folder, {CONNECTION: connection_json(world)})


def test_what_failed_runs_again_once_and_nothing_else(ran: Any, world: HevoEmulator) -> None:
    results, _ = ran
    assert results["hevo_recover"]["state"] == "success"
    assert results["hevo_recover"]["tasks"]["recover"] == ["success"] * 3
    by_api = [call.pipeline_id or 0 for call in world.requests.of("sync_now") if call.took_effect]
    assert sorted(one for one in by_api if one not in {GOES_ON, ENDS}) == [1, 2, 3]
    # The one that runs has no second.
    assert [job.origin for job in world.pipeline(6).jobs] == ["history", "schedule"]


def test_the_summary_says_what_became_of_each(ran: Any, world: HevoEmulator) -> None:
    _, lines = ran
    for pipeline_id in (1, 2, 3):
        ref = f"{pipeline_id}:{world.pipeline(pipeline_id).jobs[-1].job_id}"
        said = f"Pipeline {pipeline_id} ended FAILED: COMPLETED, 1000 events loaded ({ref})"
        assert lines.count(said) == 1
    assert lines.count("3 of 3 have recovered") == 1


def test_when_nothing_has_failed_nothing_runs(ran: Any) -> None:
    results, lines = ran
    assert results[AGAIN]["state"] == "success"
    tasks = results[AGAIN]["tasks"]
    assert (tasks["recover"], tasks["summary"]) == (["skipped"], ["success"])
    assert lines.count("no Pipeline has failed in the last 2 hours") == 1


def test_what_a_task_returns_of_the_hook_reaches_the_next(ran: Any, world: HevoEmulator) -> None:
    results, _ = ran
    assert results["hook_results"]["state"] == "success"
    assert results["hook_results"]["tasks"] == {"give": ["success"], "take": ["success"]}
    assert [job.origin for job in world.pipeline(GOES_ON).jobs] == ["sync_now"]


def test_what_has_not_recovered_fails_the_run(database: None, tmp_path: Path) -> None:
    shutil.copy(RECOVER, tmp_path)
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        for pipeline_id in (1, 2):
            hit(emu, pipeline_id)
        hit(emu, 3)
        emu.pipeline(3).status = "DISABLED"
        emu.pipeline(2).plan(outcome="FAILED")
        results, lines = run_dags(tmp_path, {CONNECTION: connection_json(emu)})
        posts = emu.requests.of("sync_now")
    assert results["hevo_recover"]["state"] == "failed"
    tasks = results["hevo_recover"]["tasks"]
    assert sorted(tasks["recover"]) == ["failed", "success"]
    assert tasks["summary"] == ["failed"]
    assert sorted(call.pipeline_id or 0 for call in posts) == [1, 2]
    assert any(line.startswith("Pipeline 2 ended FAILED: FAILED, ") for line in lines)
    assert "Pipeline 3 ended FAILED: not started, it is DISABLED" in lines
    assert "1 of 3 have recovered" in lines
