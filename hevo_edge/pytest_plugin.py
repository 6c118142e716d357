"""The pytest fixture ``hevo_emulator``: an emulator for tests of your own code.

pytest finds it by entry point: installing hevo-edge is enough. The emulator runs in a thread of its
own, so the fixture works in synchronous and asynchronous tests, with any asyncio plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hevo_edge.emulator import HevoEmulator


@pytest.fixture
def hevo_emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[HevoEmulator]:
    """A running emulator with Pipeline 123, a hundred times as fast as real time.

    ``HEVO_API_KEY``, ``HEVO_API_SECRET`` and ``HEVO_BASE_URL`` point at it while the test runs, so
    ``HevoClient.from_env()`` connects to it. ``add_pipeline`` adds more; ``faults`` injects faults.
    """
    # Imported here, so that a test run without the fixture does not load it.
    from hevo_edge.emulator import HevoEmulator  # noqa: PLC0415

    with HevoEmulator(speed=100.0) as emulator:
        emulator.add_pipeline(123)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HEVO_REGION", raising=False)
        yield emulator
