"""What the tests of the Airflow adapter share: a home, a database, an emulator, a connection.

Without Airflow none of them is collected.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from tests.integrations.airflow.support import FakeTaskInstance

CONNECTION = "AIRFLOW_CONN_HEVO_AIRFLOW_CONN_ID"

if find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    # Airflow reads these when it is first imported.
    HOME = tempfile.mkdtemp(prefix="airflow-home-")
    os.environ["AIRFLOW_HOME"] = HOME
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(HOME, "dags"))
    os.environ["AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS"] = "False"

    def pytest_unconfigure() -> None:
        shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's own tables, for what reads or writes them."""
    from airflow.utils.db import initdb  # noqa: PLC0415 -- there may be no Airflow

    initdb()


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the SDK's own pauses: its time is real, the emulator's runs a hundred times faster."""
    hurry(monkeypatch)


@pytest.fixture
def emu(monkeypatch: pytest.MonkeyPatch) -> Iterator[HevoEmulator]:
    """An emulator, and the connection to it.

    The Jobs of Pipeline 123 end when the test says so, those of Pipeline 7 at once.
    """
    with HevoEmulator(speed=100.0, rate_limit=None, seed=1) as emu:
        emu.add_pipeline(123, duration=None, history=1)
        emu.add_pipeline(7, duration=1)
        monkeypatch.setenv(CONNECTION, connection_json(emu))
        yield emu


def connection_json(emu: HevoEmulator, **changes: Any) -> str:
    """Return a connection to an emulator as Airflow reads it from the environment."""
    fields: dict[str, Any] = {
        "conn_type": "hevo",
        "host": emu.base_url,
        "login": emu.api_key,
        "password": emu.api_secret,
        # Tests look more often than a hundred times a minute.
        "extra": {"rate_limit": None},
    }
    return json.dumps({**fields, **changes})


@pytest.fixture
def ti() -> FakeTaskInstance:
    """A task instance that keeps what is pushed."""
    from tests.integrations.airflow.support import FakeTaskInstance  # noqa: PLC0415 -- as above

    return FakeTaskInstance()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's Variables, where only the adapter uses them."""
    from hevo_edge.integrations.airflow import stores  # noqa: PLC0415 -- there may be no Airflow

    kept: dict[str, str] = {}

    class Variables:
        get = staticmethod(kept.get)
        set = staticmethod(kept.__setitem__)
        delete = staticmethod(lambda key: kept.pop(key, None))

    monkeypatch.setattr(stores, "Variable", Variables)
    return kept


@pytest.fixture
def context(ti: FakeTaskInstance, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A task's context, with the place that this Airflow has for a ticket."""
    from tests.integrations.airflow.support import AIRFLOW_3, FakeStateStore  # noqa: PLC0415

    if AIRFLOW_3:
        return {"ti": ti, "task_state_store": FakeStateStore()}
    # There it is a Variable.
    request.getfixturevalue("database")
    return {"ti": ti}


@pytest.fixture
def row(database: None) -> Iterator[Any]:
    """A task instance in Airflow 2's database."""
    from airflow import DAG, settings  # noqa: PLC0415 -- Airflow 2 alone has it so
    from airflow.models import DagRun  # noqa: PLC0415
    from airflow.utils.types import DagRunType  # noqa: PLC0415

    from tests.integrations.airflow.support import operator  # noqa: PLC0415

    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    dag: Any = DAG("compat", start_date=start, schedule=None)
    with dag:
        operator()
    assert settings.Session is not None
    session = settings.Session()
    dag.sync_to_db(session=session)
    run = dag.create_dagrun(
        run_id="manual__1",
        run_type=DagRunType.MANUAL,
        execution_date=start,
        data_interval=(start, start),
        state="running",
        session=session,
    )
    ti = run.get_task_instance("task", session=session)
    session.commit()
    yield ti
    session.query(type(ti)).delete()
    session.query(DagRun).delete()
    session.commit()
    session.close()
