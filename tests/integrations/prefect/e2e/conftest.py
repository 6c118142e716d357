"""A worker of Prefect and an emulator, for all tests of this folder: ``nox -s prefect_e2e``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hevo_edge.emulator import HevoEmulator

if TYPE_CHECKING:
    from tests.integrations.prefect.e2e.worker import Worker
    from tests.integrations.prefect.server import PrefectServer

_LIMIT = 20 * 60
"""Seconds for everything, whatever hangs."""


@pytest.fixture(scope="session", autouse=True)
def bounded() -> Iterator[None]:
    """End the session in time: what it has started ends with it."""

    def leave(number: int, _: object) -> None:
        pytest.exit(f"the session was ended by {signal.Signals(number).name}", returncode=3)

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, leave)
    signal.alarm(_LIMIT)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def hevo() -> Iterator[HevoEmulator]:
    """The Hevo of all flows, in real time; its Jobs end when a test says so."""
    with HevoEmulator(rate_limit=None) as hevo:
        for number in range(1, 10):
            hevo.add_pipeline(number, duration=None, appears_after=1, history=1)
        yield hevo


@pytest.fixture(scope="session")
def worker(server: PrefectServer, hevo: HevoEmulator) -> Iterator[Worker]:
    """A worker, the deployments of all flows, and the account ``e2e``."""
    from tests.integrations.prefect.e2e.worker import Worker  # noqa: PLC0415 -- imports Prefect
    from tests.integrations.prefect.support import credentials_of  # noqa: PLC0415

    credentials_of(hevo).save("e2e", overwrite=True)
    with Worker(server) as worker:
        yield worker
