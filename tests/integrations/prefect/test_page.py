"""The blocks of docs/prefect.md and the examples, as their reader runs them."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.prefect.support import credentials_of, starts
from tests.pages.blocks import ROOT, blocks_of

PAGE = ROOT / "docs" / "prefect.md"
BLOCKS = blocks_of(PAGE)
EXAMPLES = sorted((ROOT / "examples" / "prefect").glob("*.py"))
STARTS = {"save(": 0, "orders": 1, "resync": 1, "many": 3}
SAYS = {"async_flow.py": "{1: 'started', 2: 'started'}", "sync_then_dbt.py": "2000 events"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> HevoEmulator:
    emulator = HevoEmulator(speed=100.0, rate_limit=None, seed=1)
    for number in (1, 2, 3, 123):
        emulator.add_pipeline(number, duration=20)
    return emulator


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_of_the_page_runs(
    block: object, account: HevoEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = str(getattr(block, "code", ""))
    with account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        credentials_of(account).save("prod", overwrite=True)
        file = tmp_path / "block.py"
        # The first poll would come after 15 s of real time; the page need not say so.
        for call in ('"prod", 123', '"prod", pipeline_ids', "pipeline_id=123"):
            code = code.replace(call, f"{call}, poll_interval=0.2")
        file.write_text(code)
        runpy.run_path(f"{file}", run_name="__main__")
        (expected,) = [number for word, number in STARTS.items() if word in code][:1]
        assert starts(account) == expected


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.name))
def test_an_example_runs(example: Path, account: HevoEmulator) -> None:
    account.pipeline(1).plan(duration=1)
    account.pipeline(2).plan(duration=1)
    with account:
        credentials_of(account).save("prod", overwrite=True)
        done = subprocess.run(
            [sys.executable, f"{example}", "1", "2"],
            env={**os.environ, "PYTHONPATH": f"{ROOT}"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert SAYS[example.name] in done.stderr
    assert starts(account) == 2
