"""The fixture ``hevo_emulator``, as a user's test finds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator

USERS_TESTS = """
import os
import urllib.request

def test_synchronous(hevo_emulator):
    assert os.environ["HEVO_BASE_URL"] == hevo_emulator.base_url
    assert hevo_emulator.pipeline(123).status == "INITIALIZED"
    assert "HEVO_REGION" not in os.environ

def test_the_environment_is_put_back():
    assert os.environ["HEVO_REGION"] == "eu"
    assert "HEVO_API_KEY" not in os.environ
"""


def test_installing_is_enough(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TESTS)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HEVO_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=tmp_path,
        env=environment | {"HEVO_REGION": "eu"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_points_the_environment_at_itself(hevo_emulator: HevoEmulator) -> None:
    wanted = (hevo_emulator.base_url, hevo_emulator.api_key, hevo_emulator.api_secret)
    names = ("HEVO_BASE_URL", "HEVO_API_KEY", "HEVO_API_SECRET")
    assert tuple(os.environ[name] for name in names) == wanted
    assert hevo_emulator.speed == 100.0


@pytest.mark.real_time
async def test_a_client_from_the_environment_works(hevo_emulator: HevoEmulator) -> None:
    async with HevoClient.from_env() as hevo:
        pipeline = await hevo.get_pipeline(123)
    assert pipeline.name == "Pipeline 123"
    assert [call.endpoint for call in hevo_emulator.requests] == ["get_pipeline"]
