"""What the package loads, and what it hands out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hevo_edge
from hevo_edge import orchestration
from tests.test_package import loaded_by

HEAVY = {"aiohttp", "pydantic", "backoff"}
CHECKED = "RunSpec(123, accept=['FAILED'], deadline=9e9, poll_interval='auto', job_type='RESYNC', action='RESYNC')"


@pytest.mark.parametrize(
    "statement",
    [
        "import hevo_edge.orchestration",
        "from hevo_edge.orchestration import RunSpec, run, run_in_thread, validation, lazy_names, get_logger",
        f"from hevo_edge.orchestration import RunSpec; {CHECKED}.request()",
        "from hevo_edge.orchestration import validation; validation.pipeline_id('123')",
    ],
)
def test_what_a_task_is_declared_with_is_light(statement: str) -> None:
    assert not HEAVY & loaded_by(statement)


def test_the_rest_loads_when_it_is_used() -> None:
    assert "pydantic" in loaded_by("from hevo_edge.orchestration import Run")


def test_no_orchestrator_is_imported() -> None:
    loaded = loaded_by("from hevo_edge.orchestration import *")
    assert not {"airflow", "dagster", "prefect", "openlineage"} & loaded


def test_every_public_name_is_there() -> None:
    for name in orchestration.__all__:
        assert getattr(orchestration, name) is not None
        assert name in {*dir(orchestration), "lazy_names", "get_logger"}
    with pytest.raises(AttributeError, match="no attribute 'Pool'"):
        _ = orchestration.Pool


def test_adapters_import_public_names_and_orchestration_only() -> None:
    adapters = Path(hevo_edge.__file__).parent / "integrations"
    for path in adapters.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                parts = (node.module or "").split(".")
                names = [*parts, *(alias.name for alias in node.names)]
                inner = [each for each in names if each.startswith("_") and not each.endswith("__")]
                is_ours = parts[0] == "hevo_edge"
                assert not (is_ours and inner), f"{path.name} imports {inner}"
