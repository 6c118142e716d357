"""What all tests share: virtual time, an emulator, a client."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from hypothesis import HealthCheck, settings

from hevo_edge import HevoClient, errors
from hevo_edge._common.clock import Clock
from hevo_edge._triggering.known_tickets import forget_tickets
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import VirtualTimeLoop
from tests.every_process import (  # noqa: F401 -- fixtures and hooks
    coverage_kept,
    nothing_left_behind,
    nothing_left_in_the_end,
    pytest_collection_finish,
    pytest_configure,
    repeatable_chance,
)

# How long something takes says nothing on a busy machine.
# The same examples each time; `--hypothesis-profile=default` draws others.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

START = 1_767_225_600.0
"""The emulator's clock at the start of a test: 2026-01-01 00:00:00 UTC."""

REFUSALS: list[tuple[int, type[errors.ApiError]]] = [
    (400, errors.ApiError),
    (401, errors.AuthenticationError),
    (403, errors.PermissionDenied),
    (404, errors.NotFound),
]
"""The statuses that no request survives, and the errors that they become."""


class RepeatableLoop(VirtualTimeLoop):
    """Virtual time from the same moment on everywhere: a float rounds as its size has it.

    Else it begins at the machine's uptime, and a bound is met on one day and missed on the next.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start = 1000.0


class PatientLoop(RepeatableLoop):
    """Virtual time that stands still while ``asked``: the answer comes from another process."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        skip = self._clock_selector.select

        def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if self.asked and (timeout is None or timeout > 0):
                ready = selectors.DefaultSelector.select(self._clock_selector, 10.0)
                if ready:
                    return ready
            return skip(timeout)

        self._clock_selector.select = select  # type: ignore[method-assign]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test in virtual time, unless it is marked ``real_time``."""
    if item.get_closest_marker("real_time"):
        return {"real": asyncio.SelectorEventLoop}
    if item.get_closest_marker("asks_another_process"):
        return {"patient": PatientLoop}
    return {"virtual": RepeatableLoop}


@pytest.fixture
async def emulator() -> AsyncIterator[HevoEmulator]:
    """An emulator with Pipeline 123, which has a completed Job an hour old."""
    async with HevoEmulator(seed=1, start=START) as emulator:
        emulator.add_pipeline(123, history=1)
        yield emulator
    leftover = asyncio.all_tasks() - {asyncio.current_task()}
    assert not leftover, "a test left tasks behind"


@pytest.fixture
async def hevo(emulator: HevoEmulator) -> AsyncIterator[HevoClient]:
    """A client of the emulator, with repeatable jitter."""
    async with client_of(emulator) as hevo:
        yield hevo


def client_of(emulator: HevoEmulator, **options: object) -> HevoClient:
    """Return a client of an emulator, as if in a process that knows no ticket yet."""
    forget_tickets()
    settings: dict[str, object] = {"base_url": emulator.base_url, "clock": Clock(seed=1)}
    settings.update(options)
    return HevoClient(emulator.api_key, emulator.api_secret, **settings)  # type: ignore[arg-type]
