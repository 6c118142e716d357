"""The project under examples/dagster: checked, loaded and run by Dagster's own commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.pages.blocks import ROOT

BIN = Path(sys.executable).parent


class Project:
    """A copy of the project, in a home of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder / "project"
        shutil.copytree(ROOT / "examples" / "dagster", self.folder)
        home = folder / "home"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        path = f"{self.folder}{os.pathsep}{ROOT}"
        self.environment = {
            **os.environ,
            **environment,
            "DAGSTER_HOME": f"{home}",
            "PYTHONPATH": path,
        }
        self.environment["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"

    def dg(self, *words: str) -> str:
        return self.run("dg", *words)

    def run(self, command: str, *words: str) -> str:
        done = subprocess.run(
            [str(BIN / command), *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def hevo() -> Iterator[HevoEmulator]:
    with HevoEmulator(rate_limit=None) as emulator:
        emulator.add_pipeline(123, duration=1, appears_after=0.1)
        emulator.add_pipeline(7, duration=1, appears_after=0.1, objects=("orders", "customers"))
        yield emulator


@pytest.fixture(scope="module")
def project(hevo: HevoEmulator, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("dagster"), hevo.environment)
    project.dg("utils", "refresh-defs-state")
    return project


def test_its_yaml_is_sound_and_all_is_listed(project: Project) -> None:
    assert "successfully" in project.dg("check", "yaml")
    listed = project.dg("list", "defs", "--json")
    tables = [f"warehouse/hevo/{table}" for table in ("users", "orders", "items")]
    for name in (*tables, "shop/orders", "shop/customers", "revenue", "hevo", "hevo_of_shop"):
        assert f'"{name}"' in listed


def test_it_runs(project: Project, hevo: HevoEmulator) -> None:
    config = project.folder / "in_process.yaml"
    config.write_text("execution: {config: {in_process: {}}}\n")
    job = ("job", "execute", "-m", "hevo_project.definitions", "-j", "__ASSET_JOB")
    project.run("dagster", *job, "-c", str(config))
    started = [call.pipeline_id for call in hevo.requests.of("sync_now") if call.took_effect]
    assert sorted(started, key=str) == [123, 7]


def test_the_component_is_found_and_scaffolded(project: Project) -> None:
    name = "hevo_edge.integrations.dagster.HevoAccountComponent"
    project.dg("scaffold", "defs", name, "another")
    made = next(project.folder.rglob("another/defs.yaml"))
    assert "{{ env.HEVO_API_SECRET }}" in made.read_text()
    shutil.rmtree(made.parent)
