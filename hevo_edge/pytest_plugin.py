"""The pytest fixture ``hevo_emulator``: an emulator for tests of your own code.

It is found by entry point; installing hevo-edge is enough. The emulator runs in a thread of its
own, so the fixture serves synchronous and asynchronous tests alike, with any asyncio plugin.
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
    ``HevoClient.from_env()`` just works. ``add_pipeline`` adds more; ``faults`` makes it misbehave.
    """
    # Imported here: a test run that does not use the fixture should not pay for it.
    from hevo_edge.emulator import HevoEmulator  # noqa: PLC0415

    with HevoEmulator(speed=100.0) as emulator:
        emulator.add_pipeline(123)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HEVO_REGION", raising=False)
        yield emulator
