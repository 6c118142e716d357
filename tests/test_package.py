"""The package as it is imported."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import hevo_edge


def loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{statement}; import sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import hevo_edge",
        "from hevo_edge import JobType, PipelineAction, JobStatus, IfRunning",
        "from hevo_edge import errors, schedules",
        "import hevo_edge.pytest_plugin",
    ],
)
def test_what_dag_files_import_is_light(statement: str) -> None:
    assert not {"aiohttp", "pydantic", "backoff"} & loaded_by(statement)


def test_the_client_loads_no_emulator() -> None:
    loaded = loaded_by("from hevo_edge import HevoClient")
    assert "aiohttp" in loaded
    assert not {name for name in loaded if "emulator" in name or name.startswith("aiohttp.web")}


def test_every_public_name_is_there() -> None:
    for name in hevo_edge.__all__:
        assert getattr(hevo_edge, name) is not None
        assert name in dir(hevo_edge)
    with pytest.raises(AttributeError, match="no attribute 'HevoSyncClient'"):
        _ = hevo_edge.HevoSyncClient


def test_versions_agree() -> None:
    assert metadata.version("hevo-edge") == hevo_edge.__version__


def test_only_three_packages_are_needed_and_one_that_they_need() -> None:
    needed = [line for line in metadata.requires("hevo-edge") or [] if "extra ==" not in line]
    assert sorted(re.split(r"[<>=!~ ]", line)[0] for line in needed) == [
        "aiohttp",
        "backoff",
        "pydantic",
        "typing-extensions",  # pydantic needs it as well
    ]


def test_the_package_is_typed_and_its_files_are_short() -> None:
    package = Path(hevo_edge.__file__).parent
    assert (package / "py.typed").exists()
    for path in package.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 420, f"{path.name} has too much to say"
