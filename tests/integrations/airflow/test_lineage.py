"""OpenLineage: which tables a Pipeline reads and writes, within a few calls."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import lineage
from tests.integrations.airflow.support import FakeTaskInstance, operator


def objects(count: int) -> list[dict[str, Any]]:
    """Return rows as Hevo lists them."""
    return [
        {
            "id": f"00000000-{n:04}",
            "object_name": f"t{n}",
            "source_namespace": {"k0": f"t{n}", "k1": "public", "k2": "shop"},
            "destination_namespace": {"k0": f"t{n}", "k1": "RAW", "k2": "DWH"},
        }
        for n in range(count)
    ]


def lineage_of(ti: FakeTaskInstance, **options: Any) -> Any:
    return operator(**options).get_openlineage_facets_on_complete(ti)


def names(datasets: Any) -> list[tuple[str, str]]:
    return [(dataset.namespace, dataset.name) for dataset in datasets]


def describe(emu: HevoEmulator, **fields: Any) -> None:
    """Let Hevo say these fields of Pipeline 123."""
    emu.faults.body(
        {"id": 123, "name": "Orders", "status": "INITIALIZED", **fields}, on="get_pipeline"
    )


def test_the_tables_of_source_and_destination_are_named(
    emu: HevoEmulator, ti: FakeTaskInstance
) -> None:
    describe(
        emu,
        source={"source_type": "POSTGRESQL", "config": {"host": "db.shop", "port": 5432}},
        destination={"destination_type": "SNOWFLAKE", "config": {"account": "xy12345"}},
        destination_prefix="hevo_",
    )
    emu.faults.body({"data": objects(2), "has_more": False}, on="list_objects")
    ti.xcom_push("job_id", "the-job")
    found = lineage_of(ti)
    assert names(found.inputs) == [
        ("postgres://db.shop:5432", "shop.public.t0"),
        ("postgres://db.shop:5432", "shop.public.t1"),
    ]
    assert names(found.outputs) == [
        ("snowflake://xy12345", "DWH.RAW.hevo_t0"),
        ("snowflake://xy12345", "DWH.RAW.hevo_t1"),
    ]
    query = found.run_facets["externalQuery"]
    assert query.externalQueryId == "the-job"
    assert query.source == emu.base_url


def test_the_calls_are_few_whatever_the_number_of_objects(
    emu: HevoEmulator, ti: FakeTaskInstance
) -> None:
    for n in range(1000):
        emu.pipeline(123).include_object(f"t{n}")
    lineage_of(ti)
    assert len(emu.requests) <= 4
    assert emu.requests.of("get_object") == []


def test_what_the_emulator_says_is_understood(emu: HevoEmulator, ti: FakeTaskInstance) -> None:
    found = lineage_of(ti)
    assert len(found.inputs) == len(found.outputs) == 3


@pytest.mark.parametrize("connection_id", ["hevo_airflow_conn_id", "nowhere"])
def test_trouble_never_fails_a_task_that_is_done(
    emu: HevoEmulator,
    ti: FakeTaskInstance,
    caplog: pytest.LogCaptureFixture,
    connection_id: str,
) -> None:
    emu.faults.status(403, {"message": "not yours"}, times=None)
    found = lineage_of(ti, connection_id=connection_id)
    assert not found.inputs
    assert not found.outputs
    assert "no lineage of Pipeline 123" in caplog.text


def test_a_slow_hevo_costs_seconds_and_no_event(
    emu: HevoEmulator,
    ti: FakeTaskInstance,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lineage, "TIMEOUT", 0.3)
    emu.faults.delay(emu.speed * 20, times=None)  # twenty seconds
    ti.xcom_push("job_id", "the-job")
    began = time.monotonic()
    found = lineage_of(ti)
    assert time.monotonic() - began < 5
    assert not found.inputs
    assert not found.outputs
    assert found.run_facets["externalQuery"].externalQueryId == "the-job"
    assert "no lineage of Pipeline 123: Hevo did not answer within 0.3 s" in caplog.text


@pytest.mark.parametrize("rendered", [None, "", "None", "{{ nothing }}"])
def test_a_task_that_has_no_pipeline_asks_nothing(
    emu: HevoEmulator, ti: FakeTaskInstance, rendered: Any
) -> None:
    task = operator()
    task.pipeline_id = rendered
    found = task.get_openlineage_facets_on_complete(ti)
    assert not found.inputs
    assert emu.requests == []


def test_openlineage_takes_it(emu: HevoEmulator, ti: FakeTaskInstance) -> None:
    from airflow.providers.openlineage.extractors.base import (  # noqa: PLC0415 -- takes its time
        DefaultExtractor,
    )

    found = DefaultExtractor(operator()).extract_on_complete(ti)
    assert found is not None
    assert len(found.outputs) == 3
