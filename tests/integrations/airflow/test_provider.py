"""What Airflow knows of the package: provider, connection type, link."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from hevo_edge.integrations import airflow as adapter
from hevo_edge.integrations.airflow.hooks import HevoHook
from hevo_edge.integrations.airflow.links import HevoPipelineLink
from hevo_edge.integrations.airflow.provider import get_provider_info
from tests.integrations.airflow.support import AIRFLOW_3, operator, sensor

MANAGER: Any = ProvidersManager()  # type: ignore[no-untyped-call]


def test_the_description_fits_airflows_schema() -> None:
    path = Path(str(airflow.__file__)).with_name("provider_info.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_every_module_and_class_that_it_names_is_there() -> None:
    info = get_provider_info()
    for kind in ("operators", "sensors", "hooks", "triggers"):
        for group in info[kind]:
            for module in group["python-modules"]:
                import_module(module)
    for path in [
        *info["extra-links"],
        *(kind["hook-class-name"] for kind in info["connection-types"]),
    ]:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(import_module(module), name), type)


def test_the_entry_point_leads_to_it() -> None:
    found = [ep for ep in entry_points(group="apache_airflow_provider") if "hevo" in ep.value]
    assert [ep.load() for ep in found] == [get_provider_info]


def test_airflow_lists_the_provider() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "airflow", "providers", "list", "-o", "json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        timeout=120,
    ).stdout
    # Whatever else Airflow prints comes before.
    rows = json.loads(shown[shown.index("[{") :])
    (ours,) = [row for row in rows if row["package_name"] == "hevo-edge"]
    assert ours["version"] == version("hevo-edge")


def test_the_connection_type_is_registered() -> None:
    hook = MANAGER.hooks["hevo"]
    assert hook is not None
    assert hook.hook_name == "Hevo Edge"
    assert hook.connection_id_attribute_name == HevoHook.conn_name_attr == "connection_id"
    assert hook.connection_testable
    assert "hevo" in MANAGER.field_behaviours


def test_a_connection_finds_its_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import BaseHook  # noqa: PLC0415

    monkeypatch.setenv("AIRFLOW_CONN_CONN", "hevo://key:secret@us")
    hook = BaseHook.get_hook("conn")
    assert isinstance(hook, HevoHook)
    assert hook.connection_id == "conn"


def test_the_link_is_registered() -> None:
    path = "hevo_edge.integrations.airflow.links.HevoPipelineLink"
    assert path in MANAGER.extra_links_class_names


@pytest.mark.parametrize("make", [operator, sensor])
def test_operator_and_sensor_carry_the_link(make: Any) -> None:
    (link,) = make().operator_extra_links
    assert isinstance(link, HevoPipelineLink)
    assert link.name == "Hevo Pipeline"


@pytest.mark.parametrize("pushed", ["https://us.hevodata.com/pipeline/1/overview", None])
def test_the_link_leads_to_what_the_task_has_pushed(
    monkeypatch: pytest.MonkeyPatch, pushed: str | None
) -> None:
    asked: list[Any] = []

    def get_value(**what: Any) -> str | None:
        asked.append(what)
        return pushed

    monkeypatch.setattr("hevo_edge.integrations.airflow.links.XCom.get_value", get_value)
    key = object()
    assert HevoPipelineLink().get_link(operator(), ti_key=key) == (pushed or "")
    assert asked == [{"key": "hevo_url", "ti_key": key}]


def test_the_dag_with_our_tasks_can_be_serialised() -> None:
    from airflow.providers.common.compat.sdk import DAG  # noqa: PLC0415

    with DAG("serialised", schedule=None) as dag:
        operator(task_id="one", timeout=60) >> sensor(task_id="two")
    if AIRFLOW_3:
        serialized = import_module("airflow.serialization.serialized_objects").DagSerialization
    else:
        serialized = import_module("airflow.serialization.serialized_objects").SerializedDAG
    text = json.dumps(serialized.to_dict(dag))
    assert "HevoPipelineLink" in text
    assert set(serialized.from_dict(json.loads(text)).task_ids) == {"one", "two"}


def test_the_package_says_what_it_has() -> None:
    assert dir(adapter) == sorted(adapter.__all__)
    for name in adapter.__all__:
        assert isinstance(getattr(adapter, name), type)
    with pytest.raises(AttributeError, match="Nonsense"):
        adapter.Nonsense  # noqa: B018
