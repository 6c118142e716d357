"""What the tests of the Dagster adapter share: an emulator, a resource, an instance.

Without Dagster none of them is collected.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.every_process import (  # noqa: F401 -- fixtures and hooks
    coverage_kept,
    nothing_left_behind,
    nothing_left_in_the_end,
    pytest_collection_finish,
    pytest_configure,
    repeatable_chance,
)
from tests.integrations.haste import hurry

if TYPE_CHECKING:
    import dagster as dg

    from hevo_edge.integrations.dagster import HevoResource

if find_spec("dagster") is None:
    collect_ignore_glob = ["*"]

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the SDK's own pauses: its time is real, the emulator's runs a hundred times faster."""
    hurry(monkeypatch)


@pytest.fixture
def emu() -> Iterator[HevoEmulator]:
    """An emulator. The Jobs of Pipeline 123 end when the test says so, those of 7 at once."""
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        emu.add_pipeline(123, duration=None, history=1, name="Orders to Snowflake")
        emu.add_pipeline(7, duration=1)
        yield emu


@pytest.fixture
def hevo(emu: HevoEmulator) -> HevoResource:
    """The emulator's account."""
    from tests.integrations.dagster.support import resource_of  # noqa: PLC0415 -- as above

    return resource_of(emu)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster that keeps its runs and events in memory."""
    import dagster as dg  # noqa: PLC0415 -- there may be no Dagster

    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
