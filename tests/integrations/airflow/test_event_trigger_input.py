"""HevoJobEventTrigger as a part of a DAG file: its parameters, its row, and Airflow 2."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.integrations import airflow
from hevo_edge.integrations.airflow import event_triggers
from tests.integrations.airflow.support import (
    AIRFLOW_3,
    only_airflow_2,
    only_airflow_3,
    reborn,
)
from tests.integrations.airflow.test_imports import loaded_by
from tests.integrations.airflow.triggerer import trigger


@only_airflow_3
def test_it_is_plain_json_without_a_secret() -> None:
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    one = trigger(job_type="incremental", poke_interval=timedelta(minutes=2), ended_since=since)
    path, kwargs = one.serialize()
    assert path == "hevo_edge.integrations.airflow.event_triggers.HevoJobEventTrigger"
    assert kwargs == {
        "pipeline_id": 123,
        "connection_id": "hevo_airflow_conn_id",
        "job_type": "INCREMENTAL",
        "accept_completed_with_failures": False,
        "accept_any_end": False,
        "poke_interval": 120.0,
        "ended_since": "2026-01-01T00:00:00+00:00",
    }
    assert reborn(one).serialize() == (path, kwargs)
    assert pickle.loads(pickle.dumps(one)).serialize() == (path, kwargs)


@only_airflow_3
def test_an_asset_may_be_watched_with_it() -> None:
    from airflow.sdk import Asset, AssetWatcher  # noqa: PLC0415 -- not in 2

    one = trigger()
    asset = Asset("orders", watchers=[AssetWatcher(name="hevo", trigger=one)])
    assert asset.watchers[0].trigger is one


@only_airflow_3
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"pipeline_id": "orders"}, "pipeline_id must be a positive integer, not 'orders'"),
        ({"pipeline_id": 0}, "pipeline_id"),
        ({"connection_id": ""}, "connection_id"),
        ({"job_type": 3}, "job_type"),
        ({"poke_interval": 0}, "poke_interval"),
        ({"poke_interval": "auto"}, "poke_interval"),
        ({"poke_interval": timedelta(days=2)}, "poke_interval must not be longer than a day"),
        ({"accept_completed_with_failures": "yes"}, "accept_completed_with_failures"),
        ({"accept_any_end": 1}, "accept_any_end"),
        ({"ended_since": "yesterday"}, "ended_since is no ISO date"),
        ({"ended_since": datetime(2026, 1, 1)}, "ended_since must be a datetime with a time zone"),  # noqa: DTZ001
    ],
)
def test_bad_input_is_a_clear_error_when_the_dag_is_parsed(wrong: Any, says: str) -> None:
    with pytest.raises(AirflowException, match=says) as caught:
        trigger(**wrong)
    assert "HevoJobEventTrigger" in str(caught.value)


@only_airflow_2
def test_airflow_2_imports_it_and_says_what_it_lacks_when_it_is_used() -> None:
    with pytest.raises(AirflowException, match="needs Airflow 3"):
        airflow.HevoJobEventTrigger(123)


def test_the_trigger_is_one_of_the_packages_names() -> None:
    assert "HevoJobEventTrigger" in airflow.__all__
    assert airflow.HevoJobEventTrigger is event_triggers.HevoJobEventTrigger
    assert event_triggers.HAS_EVENTS is AIRFLOW_3


DAG_FILE = """
from airflow.sdk import Asset, AssetWatcher
from hevo_edge.integrations.airflow import HevoJobEventTrigger
Asset("a", watchers=[AssetWatcher(name="b", trigger=HevoJobEventTrigger(123))])
"""


@only_airflow_3
def test_a_dag_file_with_a_watcher_loads_neither_aiohttp_nor_backoff() -> None:
    airflow_too = ("from airflow.sdk import DAG", "import airflow.triggers.base")
    loaded = loaded_by(DAG_FILE, *airflow_too)
    assert "hevo_edge" in loaded
    assert loaded.isdisjoint({"aiohttp", "backoff"})
