"""What the tests of the recipes share: an emulator in real time, whose Job runs until it is ended.

Without the engines none of them is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from hevo_edge.emulator import HevoEmulator

if find_spec("temporalio") is None:
    collect_ignore_glob = ["*"]


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    with HevoEmulator() as emulator:
        emulator.add_pipeline(1, duration=None, appears_after=1.0)
        yield emulator
