"""Checks of how fresh tables are, by what Hevo says: its schedule may have loaded them."""
# Dagster reads the annotations of a check: no `from __future__ import annotations`.

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from hevo_edge.enums import may_be_partial
from hevo_edge.integrations.dagster.asset_specs import HevoAssets, hevo_assets_of
from hevo_edge.integrations.dagster.assets import named
from hevo_edge.integrations.dagster.object_rows import has_failed, rows_of
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    from hevo_edge import Job
    from hevo_edge.integrations.dagster.resource import HevoResource
    from hevo_edge.models import JobData

FRESH = "fresh_in_hevo"
RECENT = 100
"""How many of the newest Jobs are read for one that has ended well."""


def build_hevo_freshness_checks(
    assets: Iterable[dg.AssetsDefinition],
    *,
    within: float | timedelta,
    resource_key: str = "hevo",
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN,
) -> list[dg.AssetChecksDefinition]:
    """Make checks that fail when no Job of a table's Pipeline has ended COMPLETED in time.

    Each Pipeline has one, for all of its tables, whoever started the Job. It takes one call, and
    one for each Job in that time that may have loaded some of the tables only, such as a resync.

    Args:
        assets: Assets of ``hevo_assets``; others are left out.
        within: Seconds or timedelta before now, by this machine's clock.
        resource_key: What the account is called among the resources of the definitions.
        severity: That of a failed check.

    Raises:
        DagsterInvalidDefinitionError: when ``within`` is no such time.
    """
    with named("build_hevo_freshness_checks"):
        seconds = validation.seconds(within, "within")
    found = hevo_assets_of(spec for each in assets for spec in each.specs)
    return [_check(each, seconds, resource_key, severity) for each in found]


def _check(
    assets: HevoAssets, seconds: float, resource_key: str, severity: dg.AssetCheckSeverity
) -> dg.AssetChecksDefinition:
    limit = timedelta(seconds=seconds)
    about = f"A Job of Pipeline {assets.pipeline_id} has ended COMPLETED within {limit}."

    @dg.multi_asset_check(
        name=f"hevo_pipeline_{assets.pipeline_id}_{FRESH}",
        specs=[dg.AssetCheckSpec(FRESH, asset=key, description=about) for key in assets.tables],
        required_resource_keys={resource_key},
        can_subset=True,
    )
    def fresh(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        # What talks to Hevo loads late.
        from hevo_edge.integrations.dagster.step import failing  # noqa: PLC0415
        from hevo_edge.orchestration import run  # noqa: PLC0415

        with failing(assets.pipeline_id):
            resource = getattr(context.resources, resource_key)
            jobs = run(_last_good_jobs(resource, assets, time.time() - seconds))
        for key in context.selected_asset_check_keys:
            job = jobs.get(key.asset_key)
            ended = None if job is None else _ended(job)
            metadata: dict[str, Any] = {} if job is None else {"hevo/job_id": job.id}
            if ended is not None:
                metadata["hevo/ended_at"] = dg.MetadataValue.timestamp(ended)
            yield dg.AssetCheckResult(
                passed=ended is not None and time.time() - ended <= seconds,
                asset_key=key.asset_key,
                check_name=FRESH,
                severity=severity,
                metadata=metadata,
            )

    return fresh


async def _last_good_jobs(
    resource: "HevoResource", assets: HevoAssets, since: float
) -> "dict[dg.AssetKey, Job[JobData]]":
    """Return the Job that has loaded each table last; one of some tables only if not too old."""
    found: dict[dg.AssetKey, Job[JobData]] = {}
    async with resource.get_client() as hevo:
        async for job in hevo.pipeline(assets.pipeline_id).list_jobs(limit=RECENT):
            if job.status != "COMPLETED":
                continue
            is_whole = not may_be_partial(job.data.type)
            if not is_whole and (_ended(job) or 0.0) < since:
                continue
            rows = [] if is_whole else [row async for row in job.list_objects()]
            for key, table in assets.tables.items():
                its_rows = rows_of(table, rows)
                if is_whole or (its_rows and not has_failed(its_rows)):
                    found.setdefault(key, job)
            if len(found) == len(assets.tables):
                break
    return found


def _ended(job: "Job[JobData]") -> float | None:
    return None if job.data.ended_ts is None else job.data.ended_ts / 1000
