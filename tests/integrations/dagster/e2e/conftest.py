"""One Dagster and the emulators that its runs talk to, for all tests of this folder.

They are for an environment with Dagster: ``nox -s dagster_e2e``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hevo_edge.emulator import HevoEmulator

if TYPE_CHECKING:
    from tests.integrations.dagster.e2e.stack import Dagster

if find_spec("dagster") is None:
    collect_ignore_glob = ["*"]


@pytest.fixture(scope="session")
def emulator() -> Iterator[HevoEmulator]:
    """The Hevo of most runs; its limit is not what they are about."""
    with HevoEmulator(rate_limit=None) as emulator:
        for number in (101, 102):
            emulator.add_pipeline(number, duration=None, appears_after=1, objects=("users",))
        emulator.add_pipeline(103, duration=2, appears_after=1)
        yield emulator


@pytest.fixture(scope="session")
def limited() -> Iterator[HevoEmulator]:
    """A Hevo that keeps its limit."""
    with HevoEmulator() as emulator:
        for number in range(1, 21):
            emulator.add_pipeline(number, duration=20, objects=(f"table_{number}",))
        yield emulator


@pytest.fixture(scope="session")
def dagster(emulator: HevoEmulator, limited: HevoEmulator) -> Iterator[Dagster]:
    """A Dagster at work."""
    from tests.integrations.dagster.e2e.stack import dagster_at  # noqa: PLC0415 -- as above

    with (
        tempfile.TemporaryDirectory(prefix="dagster-home-") as home,
        dagster_at(Path(home), emulator, limited) as dagster,
    ):
        yield dagster
