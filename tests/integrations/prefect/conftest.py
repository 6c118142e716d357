"""What the tests of the Prefect adapter share: a server, an emulator, an account.

Without Prefect none of them is collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.every_process import (  # noqa: F401 -- fixtures and hooks
    coverage_kept,
    nothing_left_in_the_end,
    pytest_configure,
    repeatable_chance,
)
from tests.integrations.haste import hurry
from tests.integrations.prefect.server import PrefectServer

if TYPE_CHECKING:
    from hevo_edge.integrations.prefect import HevoCredentials

if find_spec("prefect") is None:
    collect_ignore_glob = ["*"]
else:
    # Prefect reads its settings when it is first imported.
    SERVER = PrefectServer()


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[PrefectServer]:
    """Prefect's server."""
    SERVER.start("--no-ui")
    yield SERVER
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 -- there may be no Prefect
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415 -- see above

    # Else they try for ten seconds to send what is left to a server that is gone.
    for sender in (EventsWorker, APILogWorker):
        sender.drain_all()
    SERVER.stop()


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the SDK's own pauses: its time is real, the emulator's runs a hundred times faster."""
    from prefect import flow_engine  # noqa: PLC0415 -- there may be no Prefect

    # The end of each flow run would wait a second for a thread that sleeps.
    monkeypatch.setattr(flow_engine.BaseFlowRunEngine, "heartbeat_seconds", None)
    hurry(monkeypatch)


@pytest.fixture
def emu() -> Iterator[HevoEmulator]:
    """An emulator. The Jobs of Pipeline 123 end when the test says so, those of Pipeline 7 at once."""
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        emu.add_pipeline(123, duration=None, history=1)
        emu.add_pipeline(7, duration=1)
        yield emu


@pytest.fixture
def credentials(emu: HevoEmulator) -> HevoCredentials:
    """The block of the emulator's account, saved as ``hevo``."""
    from tests.integrations.prefect.support import credentials_of  # noqa: PLC0415 -- see above

    block = credentials_of(emu)
    saved: Any = block.save("hevo", overwrite=True)
    assert saved
    return block
