"""The pytest fixtures ``hevo_emulator`` and ``hevo_emulator_factory``, for tests of your own code.

pytest finds them by entry point: installing hevo-edge is enough. An emulator runs in a thread of
its own, so they work in synchronous and asynchronous tests, with any asyncio plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hevo_edge.emulator import HevoEmulator


@pytest.fixture
def hevo_emulator_factory(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., HevoEmulator]]:
    """Makes running emulators without Pipelines: ``hevo_emulator_factory(rate_limit=10, ...)``.

    It takes the options of ``HevoEmulator``, such as ``speed`` (a hundred times real time),
    ``rate_limit`` and ``dialect``. ``HEVO_API_KEY``, ``HEVO_API_SECRET`` and ``HEVO_BASE_URL``
    point at the one that was made last, while the test runs.
    """
    # Imported here, so that a test run without the fixture does not load it.
    from hevo_edge.emulator import HevoEmulator  # noqa: PLC0415

    with ExitStack() as running:

        def make(*, speed: float = 100.0, **options: Any) -> HevoEmulator:
            emulator = running.enter_context(HevoEmulator(speed=speed, **options))
            for name, value in emulator.environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.delenv("HEVO_REGION", raising=False)
            return emulator

        yield make


@pytest.fixture
def hevo_emulator(hevo_emulator_factory: Callable[..., HevoEmulator]) -> HevoEmulator:
    """A running emulator with Pipeline 123, a hundred times as fast as real time.

    ``HEVO_API_KEY``, ``HEVO_API_SECRET`` and ``HEVO_BASE_URL`` point at it while the test runs, so
    ``HevoClient.from_env()`` connects to it. ``add_pipeline`` adds more; ``faults`` injects faults;
    ``outage(seconds)`` lets nothing through.
    """
    emulator = hevo_emulator_factory()
    emulator.add_pipeline(123)
    return emulator
