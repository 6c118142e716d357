"""What the hook returns leaves the task: it is JSON, and outlives the client that read it."""

from __future__ import annotations

import copy
import json
import pickle
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoHook
from hevo_edge.integrations.airflow.records import Record, plain
from hevo_edge.models import JobData
from tests.integrations.airflow.hook_results import ENDS, GOES_ON, results
from tests.integrations.airflow.support import AIRFLOW_3

BaseXCom: Any = import_module(
    "airflow.sdk.bases.xcom" if AIRFLOW_3 else "airflow.models.xcom"
).BaseXCom

JSON_TYPES = (dict, list, str, int, float, bool, type(None))


@pytest.fixture
def returned(emu: HevoEmulator) -> dict[str, Any]:
    """What each method has returned; each client is closed."""
    emu.add_pipeline(GOES_ON, duration=None)
    emu.add_pipeline(ENDS, duration=1).add_history(
        created=emu.now - 60, status="FAILED", duration=1.0
    )
    return dict(results(HevoHook()))


def through_xcom(value: Any) -> Any:
    """Push a value and pull it, with Airflow's own serialisation, as its database keeps it."""
    pushed = BaseXCom.serialize_value(value)
    kept = json.loads(json.dumps(pushed)) if AIRFLOW_3 else pushed
    row: Any = SimpleNamespace(value=kept)
    return BaseXCom.deserialize_value(row)


def within(value: Any) -> list[Any]:
    """Return a value and all that lies within it."""
    inner = list(value.values()) if isinstance(value, dict) else value
    found = [each for one in inner for each in within(one)] if isinstance(inner, list) else []
    return [value, *found]


def test_every_method_is_called(returned: dict[str, Any]) -> None:
    there = {name for name in dir(HevoHook) if name.endswith("_async")}
    assert {f"{name}_async" for name in returned} == there
    nothing = {name for name, value in returned.items() if value is None}
    assert nothing == {"disable_pipeline", "enable_pipeline", "refresh_schema"}


def test_what_is_returned_is_the_same_behind_an_xcom(returned: dict[str, Any]) -> None:
    for name, value in returned.items():
        assert through_xcom(value) == value, name
    assert through_xcom(returned) == returned


def test_what_is_returned_is_the_same_behind_another_serialiser(returned: dict[str, Any]) -> None:
    for name, value in returned.items():
        assert json.loads(json.dumps(value, allow_nan=False)) == value, name
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value, name


def test_nothing_that_is_returned_is_bound_to_a_client(returned: dict[str, Any]) -> None:
    for name, value in returned.items():
        assert all(isinstance(each, JSON_TYPES) for each in within(value)), name
        assert repr(value)


def test_what_was_pulled_names_the_job_for_what_follows(
    emu: HevoEmulator, returned: dict[str, Any]
) -> None:
    job = through_xcom(returned["trigger_pipeline_sync"])
    assert job["ref"] == f"{GOES_ON}:{emu.pipeline(GOES_ON).jobs[-1].job_id}"
    assert through_xcom(returned["get_job_completion_status"]) == "pending"
    (failed,) = through_xcom(returned["failed_pipelines"])
    assert failed["pipeline_id"] == ENDS


def test_a_record_is_read_as_the_vendors_models_are() -> None:
    row = plain({"a": {"b": [{"c": 1}]}})
    assert row.a.b[0].c == row["a"]["b"][0]["c"] == 1
    assert row.model_dump(mode="json") == row
    assert isinstance(row.a, Record)
    assert not hasattr(row, "d")
    with pytest.raises(AttributeError, match="there is no 'd' here, but 'a'"):
        getattr(row, "d")  # noqa: B009 -- for its error


def test_what_is_no_json_is_null() -> None:
    job = JobData.model_validate({"job_id": "1", "rate": float("nan"), "more": [float("inf")]})
    assert (plain(job).rate, plain(job).more) == (None, [None])
