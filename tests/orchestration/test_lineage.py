"""What a Pipeline reads and writes, in OpenLineage's names."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import NotFound
from hevo_edge.models import ObjectData, PipelineData
from hevo_edge.orchestration import lineage, lineage_of, read_lineage


def pipeline(**fields: Any) -> PipelineData:
    return PipelineData.model_validate({"id": 123, **fields})


def table(**fields: Any) -> ObjectData:
    return ObjectData.model_validate({"id": "1", **fields})


ORDERS = table(
    source_namespace={"k0": "orders", "k1": "public", "k2": "shop"},
    destination_namespace={"k0": "orders", "k1": "RAW", "k2": "DWH"},
)


def test_the_tables_of_source_and_destination_are_named() -> None:
    found = lineage_of(
        pipeline(
            source={"source_type": "POSTGRESQL", "config": {"host": "db.shop", "port": 5432}},
            destination={"destination_type": "SNOWFLAKE", "config": {"account": "xy12345"}},
            destination_prefix="hevo_",
        ),
        [ORDERS],
    )
    assert found.inputs == [("postgres://db.shop:5432", "shop.public.orders")]
    assert found.outputs == [("snowflake://xy12345", "DWH.RAW.hevo_orders")]
    assert found.inputs[0].namespace == "postgres://db.shop:5432"
    assert found.inputs[0].name == "shop.public.orders"


@pytest.mark.parametrize(
    ("source", "namespace"),
    [
        (None, "hevo://unknown"),
        ({}, "hevo://unknown"),
        ({"source_type": "SALESFORCE"}, "hevo://salesforce"),
        ({"source_type": "mysql", "config": {"host": "db"}}, "mysql://db"),
        ({"connector_id": "ORACLE", "config": {}}, "oracle://oracle"),
        ({"source_type": "S3", "config": {"bucket_name": "lake"}}, "s3://lake"),
        ({"source_type": "BIGQUERY", "config": {"host": "", "project_id": "p"}}, "bigquery://p"),
    ],
)
def test_a_namespace_is_a_scheme_and_a_host(source: Any, namespace: str) -> None:
    found = lineage_of(pipeline(source=source), [ORDERS])
    assert found.inputs[0].namespace == namespace


@pytest.mark.parametrize(
    ("row", "reads", "writes"),
    [
        (table(), [], []),
        (table(source_namespace={"k1": "public"}), [], []),
        (table(source_namespace={"k0": "Account"}), ["Account"], ["Account"]),
        (table(destination_namespace={"k0": "A", "k2": "DWH"}), [], ["DWH.A"]),
    ],
)
def test_a_name_is_as_long_as_it_is_known(row: ObjectData, reads: Any, writes: Any) -> None:
    found = lineage_of(pipeline(), iter([row]))
    assert [each.name for each in found.inputs] == reads
    assert [each.name for each in found.outputs] == writes


async def test_a_pipeline_is_read_in_two_calls(emulator: HevoEmulator, hevo: HevoClient) -> None:
    found = await read_lineage(hevo, 123)
    assert len(found.inputs) == len(found.outputs) == 3
    assert len(emulator.requests) == 2


async def test_the_calls_are_few_whatever_the_number_of_objects(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(1000):
        emulator.pipeline(123).include_object(f"t{n}")
    found = await read_lineage(hevo, "123")
    assert len(found.inputs) == lineage.MAX_OBJECTS
    assert len(emulator.requests) == 4
    assert "lineage of Pipeline 123 ends after 300 objects" in caplog.text


async def test_a_pipeline_that_is_not_there_is_an_error(hevo: HevoClient) -> None:
    with pytest.raises(NotFound):
        await read_lineage(hevo, 404)
