"""One Pipeline in Python, whose tables are named by hand, and what is made of them."""
# Dagster reads annotations as they stand: no `from __future__ import annotations`.

import os
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from hevo_edge.integrations.dagster import (
    HevoResource,
    build_hevo_freshness_checks,
    hevo_assets,
)

hevo = HevoResource(
    api_key=dg.EnvVar("HEVO_API_KEY"),
    api_secret=dg.EnvVar("HEVO_API_SECRET"),
    base_url=os.environ.get("HEVO_BASE_URL", "https://us.hevodata.com"),
)


@hevo_assets(
    pipeline_id=7,
    tables=["shop.orders", "shop.customers"],
    accept_completed_with_failures=True,
    poll_interval=5,
    retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
)
def shop(context: dg.AssetExecutionContext, hevo_of_shop: HevoResource) -> Iterator[object]:
    yield from hevo_of_shop.materialize(context)


@dg.asset(
    deps=[dg.AssetKey(["shop", "orders"])],
    automation_condition=dg.AutomationCondition.eager(),
)
def revenue() -> None:
    """What is computed of the orders, each time that Hevo has loaded them."""


fresh = build_hevo_freshness_checks([shop], within=timedelta(hours=6), resource_key="hevo_of_shop")


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        assets=[shop, revenue], asset_checks=fresh, resources={"hevo_of_shop": hevo}
    )
