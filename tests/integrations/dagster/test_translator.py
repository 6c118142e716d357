"""HevoTranslator: how a table becomes an asset, and how users change that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from hevo_edge.integrations.dagster import (
    HevoPipeline,
    HevoTable,
    HevoTranslator,
    hevo_assets,
)

PIPELINE = HevoPipeline(7, "Orders to Snowflake (EU)", "INITIALIZED", "Postgres", "Snowflake")
ORDERS = HevoTable(
    PIPELINE, "orders", ("warehouse", "hevo", "raw_orders"), ("app", "public", "orders"), "an-id"
)


def spec_of(translator: HevoTranslator | None, table: HevoTable = ORDERS) -> dg.AssetSpec:
    @hevo_assets(pipeline_id=7, tables=[table], translator=translator)
    def assets(context):  # type: ignore[no-untyped-def]
        yield from ()

    (spec,) = assets.specs
    return spec


def test_by_default_an_asset_is_named_as_its_table() -> None:
    spec = spec_of(None)
    assert spec.key == dg.AssetKey(["warehouse", "hevo", "raw_orders"])
    assert spec.group_name == "orders_to_snowflake_eu"
    assert spec.kinds == {"hevo", "snowflake"}
    assert spec.metadata["dagster/table_name"] == "warehouse.hevo.raw_orders"
    assert spec.metadata["hevo/source"] == "app.public.orders"
    assert spec.metadata["hevo/pipeline_id"] == 7
    assert list(spec.deps) == []
    assert spec.description == (
        "Loaded by Hevo Edge, Pipeline 7 (Orders to Snowflake (EU)), from app.public.orders."
    )


def test_what_is_not_known_is_left_out() -> None:
    spec = spec_of(None, HevoTable(HevoPipeline(7, "---"), "orders"))
    assert spec.key == dg.AssetKey(["orders"])
    assert spec.group_name == "default"
    assert spec.kinds == {"hevo"}
    assert "dagster/table_name" not in spec.metadata
    assert spec.description == "Loaded by Hevo Edge, Pipeline 7 (---)."


class Ours(HevoTranslator):
    def get_asset_key(self, table: HevoTable) -> dg.AssetKey:
        return super().get_asset_key(table).with_prefix("hevo")

    def get_group_name(self, table: HevoTable) -> str:
        return "raw"

    def get_kinds(self, table: HevoTable) -> set[str]:
        return {*super().get_kinds(table), "table"}

    def get_deps(self, table: HevoTable) -> Iterable[dg.AssetKey]:
        return [dg.AssetKey(["postgres", *table.source])]

    def get_tags(self, table: HevoTable) -> Mapping[str, str]:
        return {"domain": "sales"}

    def get_owners(self, table: HevoTable) -> Iterable[str]:
        return ["team:data"]


def test_a_subclass_says_what_is_to_be_otherwise() -> None:
    spec = spec_of(Ours())
    assert spec.key == dg.AssetKey(["hevo", "warehouse", "hevo", "raw_orders"])
    assert spec.group_name == "raw"
    assert spec.kinds == {"hevo", "snowflake", "table"}
    assert [dep.asset_key for dep in spec.deps] == [
        dg.AssetKey(["postgres", "app", "public", "orders"])
    ]
    assert spec.tags["domain"] == "sales"
    assert list(spec.owners) == ["team:data"]


class Whole(HevoTranslator):
    def get_asset_spec(self, table: HevoTable) -> dg.AssetSpec:
        return (
            super()
            .get_asset_spec(table)
            .replace_attributes(
                freshness_policy=None, description=f"{table.name} of {table.pipeline.name}"
            )
        )


def test_a_subclass_may_change_the_whole_spec() -> None:
    assert spec_of(Whole()).description == "orders of Orders to Snowflake (EU)"
