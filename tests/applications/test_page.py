"""The Python blocks of the page run as they stand there; FastAPI's in ``test_fastapi``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.applications.support import BLOCKS, block, fast_emulator, python

pytestmark = pytest.mark.real_time

PRINTS = {
    "asyncio.TaskGroup": ("", ""),
    'get_context("fork")': (r"\['INITIALIZED', 'INITIALIZED', 'INITIALIZED'\]\n", ""),
    "TraceConfig": ("", r"(.*:asyncio:.*\n)*INFO:requests:GET /api/v1/pipelines/123: 200\n"),
}
"""What each block prints to stdout and stderr, by words that it alone contains."""
NEEDS = {"asyncio.TaskGroup": (3, 11)}


@pytest.mark.parametrize("containing", PRINTS)
def test_the_blocks_run(containing: str, tmp_path: Path) -> None:
    if sys.version_info < NEEDS.get(containing, (3, 10)):
        pytest.skip("what it shows came with a later Python")
    if "fork" in containing and sys.platform == "win32":
        pytest.skip("there is no fork here")
    # The first poll comes after 15 s of real time; the page need not say so.
    code = block(containing).replace("2 * 3600", "2 * 3600, poll_interval=0.2")
    with fast_emulator() as emulator:
        done = python(code, emulator, tmp_path)
    assert done.returncode == 0, done.stderr
    out, err = PRINTS[containing]
    assert re.fullmatch(out, done.stdout)
    assert re.fullmatch(err, done.stderr)


def test_no_block_is_forgotten() -> None:
    for each in BLOCKS:
        assert any(words in each for words in [*PRINTS, "FastAPI("]), each
