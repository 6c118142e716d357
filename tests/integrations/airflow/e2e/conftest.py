"""One Airflow and the emulators that its tasks talk to, for all tests of this folder.

They are for an environment with Airflow: ``nox -s airflow_e2e``.
"""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.e2e.dags import pipelines

if TYPE_CHECKING:
    from tests.integrations.airflow.e2e.api import Api, Run

collect_ignore_glob = ["dags/*"]
if find_spec("airflow") is None:
    collect_ignore_glob.append("test_*.py")

_LIMIT = 15 * 60
"""Seconds for everything, whatever hangs."""


@pytest.fixture(scope="session", autouse=True)
def bounded() -> Iterator[None]:
    """End the session in time and in order: what it has started ends with it."""

    def leave(number: int, _frame: FrameType | None) -> None:
        pytest.exit(f"the session was ended by {signal.Signals(number).name}", returncode=3)

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, leave)
    signal.alarm(_LIMIT)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def emulator() -> Iterator[HevoEmulator]:
    """The Hevo of nearly all tasks; its limit is not what they are about."""
    with HevoEmulator(rate_limit=None) as emulator:
        # A watcher of this one is at work as soon as its DAG is parsed.
        emulator.add_pipeline(pipelines.EVENT, duration=None, appears_after=1, history=2)
        emulator.add_pipeline(pipelines.OUTLET, duration=3, appears_after=1)
        yield emulator


@pytest.fixture(scope="session")
def held() -> Iterator[HevoEmulator]:
    """A Hevo that starts a run at once, but takes its time to say so."""
    with HevoEmulator(rate_limit=None) as emulator:
        emulator.faults.delay(8, on="sync_now", effect="after")
        yield emulator


@pytest.fixture(scope="session")
def limited() -> Iterator[HevoEmulator]:
    """A Hevo that keeps its limit."""
    with HevoEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def airflow(
    emulator: HevoEmulator,
    held: HevoEmulator,
    limited: HevoEmulator,
) -> Iterator[Api]:
    """The API of an Airflow at work."""
    # Imported here: without Airflow there is none of it.
    from tests.integrations.airflow.e2e import api, stack  # noqa: PLC0415

    connections = {
        "hevo_airflow_conn_id": _connection(emulator, rate_limit=None),
        "hevo_held": _connection(held, rate_limit=None),
        "hevo_limited": _connection(limited),
    }
    with (
        tempfile.TemporaryDirectory(prefix="hevo-airflow-") as home,
        stack.running(Path(home), connections) as running,
    ):
        airflow = api.Api(running)
        running.until("all processes are up", airflow.is_up, 120)
        running.until("all DAG files are parsed", airflow.has_all_dags, 90)
        yield airflow


@pytest.fixture(scope="session")
def runs(airflow: Api, emulator: HevoEmulator, held: HevoEmulator) -> dict[str, Run]:
    """Two runs with a task for most of the tests, started at once: each start takes seconds."""
    for pipeline_id in range(pipelines.SUCCESS, pipelines.CRASH + 1):
        for hevo in (emulator, held):
            pipeline = hevo.add_pipeline(pipeline_id, appears_after=1, restart_duration=3)
            if pipeline_id == pipelines.AFTER_POST:
                pipeline.appears_after = 10
            # The tests say when a Job ends.
            for _ in range(3):
                pipeline.plan(duration=None)
    return {dag_id: airflow.run(dag_id) for dag_id in ("kills", "modes")}


def _connection(emulator: HevoEmulator, **extra: object) -> str:
    return json.dumps(
        {
            "conn_type": "hevo",
            "host": emulator.base_url,
            "login": emulator.api_key,
            "password": emulator.api_secret,
            "extra": extra,
        }
    )
