"""Whole DAGs in the real Airflow: the examples, those of docs/airflow.md, and the vendor's."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.dag_runs import EXAMPLES, run_dags
from tests.integrations.airflow.support import AIRFLOW_3
from tests.pages.blocks import ROOT, blocks_of

HERE = Path(__file__).parent
OF_ASSETS = {"hevo_event_then_dbt", "hevo_backup_then_sync"}
"""Airflow 2 has no watchers, and calls assets otherwise."""
# What recovers has an account, and a test, of its own.
LEFT_OUT = {"hevo_recover"} | (set() if AIRFLOW_3 else OF_ASSETS)
ALIKE = [path for path in EXAMPLES.glob("*.py") if path.stem not in LEFT_OUT]
DAGS = [*ALIKE, HERE / "vendor_example.py", HERE / "rendering.py"]
EVENTS_DAG, OUTLETS_TASK = (block.code for block in blocks_of(ROOT / "docs" / "airflow-events.md"))
PAGES_DAG, PAGES_SENSOR, PAGES_TASK = (
    block.code for block in blocks_of(ROOT / "docs" / "airflow.md")
)
OF_THE_PAGE = {"orders", "page"} | ({"dbt"} if AIRFLOW_3 else set())


def write_the_pages_dags(folder: Path) -> None:
    """Write the DAG of the page, and one of its sensor and its task."""
    (folder / "orders.py").write_text(PAGES_DAG)
    task = PAGES_TASK if AIRFLOW_3 else PAGES_TASK.replace("airflow.sdk", "airflow.decorators")
    if AIRFLOW_3:
        (folder / "dbt.py").write_text(EVENTS_DAG)
        task += f"\n{OUTLETS_TASK}"
    tasks = textwrap.indent(f"{PAGES_SENSOR}\n{task}\nfailed_yesterday()\n", "    ")
    (folder / "page.py").write_text(f"from airflow import DAG\n\nwith DAG('page'):\n{tasks}")


@pytest.fixture(scope="module")
def world() -> Iterator[HevoEmulator]:
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        for pipeline_id in (123, 456, 789, 1, 2, 3):
            emu.add_pipeline(pipeline_id, duration=50, history=2)
        yield emu


@pytest.fixture(scope="module")
def results(
    world: HevoEmulator, database: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """How each DAG's run ended, by its id."""
    folder = tmp_path_factory.mktemp("dags")
    for path in DAGS:
        shutil.copy(path, folder)
    write_the_pages_dags(folder)
    connection = connection_json(world)
    rows, _ = run_dags(
        folder,
        {
            CONNECTION: connection,
            "AIRFLOW_CONN_HEVO_PRODUCTION": connection,
            "AIRFLOW_VAR_HEVO_PIPELINE_ID": "123",
            "AIRFLOW_VAR_HEVO_PIPELINE_IDS": "[1, 2, 3]",
            "AIRFLOW_VAR_DBT_COMMAND": 'test "$HEVO_EVENTS_LOADED" = 1000',
        },
    )
    return rows


@pytest.mark.parametrize("dag_id", sorted(OF_THE_PAGE | {path.stem for path in DAGS}))
def test_every_task_of_the_dag_succeeds(results: dict[str, Any], dag_id: str) -> None:
    result = results[dag_id]
    assert result["state"] == "success"
    assert {state for states in result["tasks"].values() for state in states} == {"success"}


def test_nothing_else_was_run(results: dict[str, Any]) -> None:
    assert set(results) == OF_THE_PAGE | {path.stem for path in DAGS}


def test_the_vendors_example_started_what_it_says(
    results: dict[str, Any], world: HevoEmulator
) -> None:
    assert set(results["vendor_example"]["tasks"]) == {
        "trigger_pipeline_sync",
        "resync_pipeline",
        "trigger_only",
    }
    assert [job.origin for job in world.pipeline(456).jobs] == ["history", "history", "sync_now"]


def test_mapped_tasks_start_a_run_each(results: dict[str, Any], world: HevoEmulator) -> None:
    assert results["hevo_many_pipelines"]["tasks"]["sync"] == ["success"] * 3
    posts = [call.pipeline_id for call in world.requests.of("sync_now") if call.took_effect]
    assert sorted(one for one in posts if one in {1, 2, 3}) == [1, 2, 3]


def test_parameters_are_rendered(results: dict[str, Any], world: HevoEmulator) -> None:
    posts = [call for call in world.requests.of("sync_now") if call.pipeline_id == 789]
    assert [call.took_effect for call in posts] == [True, True]


def test_no_run_was_started_twice(results: dict[str, Any], world: HevoEmulator) -> None:
    started = [call for call in world.requests.of("sync_now") if call.took_effect]
    # Many, modes, then_dbt, vendor's, rendering, and the pages'; those of assets.
    assert len(started) == 3 + 2 + 1 + 2 + 2 + 1 + 2 * AIRFLOW_3
    assert len(world.requests.of("resync_pipeline")) == 2 + 1
