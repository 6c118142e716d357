"""The blocks of the page "One table" run as they stand there, and what it says beside them holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator

PAGE = (Path(__file__).parent.parent.parent / "docs" / "one-table.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTS = {
    "table.database_name": (
        "users ACTIVE app public\norders ACTIVE app public\nitems INACTIVE app public\n"
        "users ACTIVE app sales\n"
    ),
    'resync_objects(["orders"])': "HISTORICAL COMPLETED 1000\n",
    "row.has_failed": "orders FAILED 33 rows failed\nHISTORICAL COMPLETED\n",
    "include_objects": "HISTORICAL COMPLETED ['users', 'orders', 'items', 'users']\n",
    "exclude_objects": "items INACTIVE\n",
}
"""What each block prints, by words that it alone contains."""


@pytest.fixture(autouse=True)
def shared_windows_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("machine")))


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0) as emulator:
        emulator.add_pipeline(123, duration=20.0)
        yield emulator


def test_no_block_is_forgotten() -> None:
    assert len(BLOCKS) == len(PRINTS)


@pytest.mark.parametrize("containing", PRINTS)
def test_a_block_runs(emulator: HevoEmulator, containing: str) -> None:
    pipeline = emulator.pipeline(123)
    if containing == "row.has_failed":
        pipeline.objects.clear()
        pipeline.objects.add("users")
        pipeline.objects.add("items")
        pipeline.objects.add("orders")
        pipeline.plan(outcome="FAILED")
    else:
        items = pipeline.objects.find("items")
        assert items is not None
        pipeline.objects[items].status = "INACTIVE"
        pipeline.objects.add("users", schema="sales")
    (block,) = [each for each in BLOCKS if containing in each]
    # The first poll of a Job comes after 15 s of real time; the page need not say so.
    code = re.sub(r"timeout=(\d) \* 3600", r"timeout=\1 * 3600, poll_interval=0.2", block)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **emulator.environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PRINTS[containing]
