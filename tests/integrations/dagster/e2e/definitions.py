"""What the Dagster of these tests loads; each Pipeline is for one test."""
# Dagster reads annotations as they stand: no `from __future__ import annotations`.

import os
from typing import Any

import dagster as dg

from hevo_edge.integrations.dagster import HevoResource, hevo_assets

KILLED, TERMINATED, READ = 101, 102, 103
MANY = range(1, 21)


def account(name: str, **options: Any) -> HevoResource:
    keys: dict[str, Any] = {"api_key": "emulator-key", "api_secret": "emulator-secret"}
    return HevoResource(**keys, base_url=os.environ[name], **options)


hevo = account("HEVO_BASE_URL", rate_limit=None)
limited = account("HEVO_LIMITED_URL")


def one(number: int, **options: Any) -> dg.AssetsDefinition:
    @hevo_assets(pipeline_id=number, poll_interval=1, **options)
    def assets(context: dg.AssetExecutionContext, hevo: HevoResource) -> Any:
        yield from hevo.materialize(context)

    return assets


def one_of_many(number: int) -> dg.AssetsDefinition:
    @hevo_assets(pipeline_id=number, tables=[f"many.table_{number}"], checks=False)
    def assets(context: dg.AssetExecutionContext, limited: HevoResource) -> Any:
        yield from limited.materialize(context)

    return assets


killed = one(KILLED, tables=["killed.users"])
terminated = one(TERMINATED, tables=["terminated.users"])
read = one(READ, resource=hevo)
many = [one_of_many(number) for number in MANY]

defs = dg.Definitions(
    assets=[killed, terminated, read, *many],
    jobs=[
        dg.define_asset_job("killed", selection=[killed]),
        dg.define_asset_job("terminated", selection=[terminated]),
        dg.define_asset_job("read", selection=[read]),
        dg.define_asset_job("many", selection=many),
    ],
    resources={"hevo": hevo, "limited": limited},
)
