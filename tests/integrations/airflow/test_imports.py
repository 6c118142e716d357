"""What is loaded when: a DAG file is parsed again and again."""

from __future__ import annotations

import subprocess
import sys

from tests.integrations.airflow.support import AIRFLOW_3


def loaded_by(code: str, *before: str) -> set[str]:
    """Return the top packages that some code loads beyond others, in a fresh process."""
    script = f"""
import sys
{chr(10).join(before)}
known = set(sys.modules)
{code}
print("LOADED", *sorted({{name.split(".")[0] for name in set(sys.modules) - known}}))
"""
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("LOADED")]
    return set(line.split()[1:])


DAG_FILE = """
from hevo_edge import JobType, PipelineAction
from hevo_edge.integrations.airflow import HevoHook, HevoPipelineOperator, HevoSensor
HevoPipelineOperator(task_id="a", pipeline_id=1, action=PipelineAction.SYNC_NOW)
HevoSensor(task_id="b", pipeline_id=1, job_type=JobType.INCREMENTAL)
"""


def test_a_dag_file_loads_neither_aiohttp_nor_pydantic() -> None:
    # What any DAG file has loaded; on Airflow 3 that includes pydantic.
    airflow = (
        "from airflow import DAG",
        "from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator",
        "BaseOperator(task_id='x')",
    )
    loaded = loaded_by(DAG_FILE, *airflow)
    assert "hevo_edge" in loaded
    assert loaded.isdisjoint({"aiohttp", "backoff"})
    if not AIRFLOW_3:
        assert "pydantic" not in loaded


def test_the_sdk_loads_no_airflow() -> None:
    loaded = loaded_by("import hevo_edge\nhevo_edge.HevoClient\nimport hevo_edge.integrations")
    assert "aiohttp" in loaded
    assert "airflow" not in loaded


def test_the_providers_description_loads_no_airflow() -> None:
    path = "hevo_edge.integrations.airflow.provider"
    assert "airflow" not in loaded_by(f"import {path}\n{path}.get_provider_info()")
