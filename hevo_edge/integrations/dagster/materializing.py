"""What a step of assets yields: a table at a time, and never more than is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from hevo_edge import JobStatus
from hevo_edge.integrations.dagster.asset_specs import NO_FAILED_EVENTS, HevoAssets, hevo_assets_of
from hevo_edge.integrations.dagster.metadata import metadata_of
from hevo_edge.integrations.dagster.object_rows import has_failed, has_loaded, rows_of
from hevo_edge.integrations.dagster.step import HasAccount, Step, failing, failure_of
from hevo_edge.integrations.dagster.tables import HevoTable
from hevo_edge.orchestration import run

if TYPE_CHECKING:
    from hevo_edge import Job
    from hevo_edge.models import JobData, JobObjectData
    from hevo_edge.orchestration import Outcome

RECENT = 50
"""How many of the newest Jobs are read for the last run, which may lie behind skipped ones."""
MOST_NAMED = 10
"""How many of a Job's objects a warning names."""
AssetEvent = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckResult


def materialize(
    context: dg.AssetExecutionContext, resource: HasAccount, overrides: Mapping[str, Any]
) -> Iterator[AssetEvent]:
    """See ``HevoResource.materialize``."""
    found = hevo_assets_of(context.assets_def.specs)
    if len(found) != 1:
        raise dg.Failure("materialize() is for the assets of @hevo_assets", allow_retries=False)
    (assets,) = found
    selected = [key for key in assets.tables if key in context.selected_asset_keys]
    if not selected:
        yield from checks_of_last_job(context, resource, assets)
        return
    object_ids = _resynced(assets, selected)
    options = {**assets.options, **overrides}
    step = Step(context, resource, assets.pipeline_id, options, object_ids, is_of_assets=True)
    outcome, rows = step.run(wants_rows=True)
    loads = assets.tables if object_ids is None else {key: assets.tables[key] for key in selected}
    yield from _events(context, loads, outcome, rows, step.url)


def checks_of_last_job(
    context: dg.AssetExecutionContext, resource: HasAccount, assets: HevoAssets
) -> Iterator[dg.AssetCheckResult]:
    """Check the tables by the Job that ended last: nobody has asked for another one."""
    with failing(assets.pipeline_id):
        job, rows = run(_last_job(resource, assets.pipeline_id))
    for key, table in assets.tables.items():
        its_rows = rows_of(table, rows)
        if job is not None and its_rows and _is_checked(context, key):
            passed = has_loaded(job.status, its_rows, rows)
            yield _check_result(key, its_rows, job.id, passed=passed)


async def _last_job(
    resource: HasAccount, pipeline_id: int
) -> tuple[Job[JobData] | None, list[JobObjectData]]:
    async with resource.get_client() as hevo:
        async for job in hevo.pipeline(pipeline_id).list_jobs(limit=RECENT):
            if job.is_terminal and job.status != JobStatus.SKIPPED:
                return job, [row async for row in job.list_objects()]
    return None, []


def _resynced(assets: HevoAssets, selected: Sequence[dg.AssetKey]) -> list[str] | None:
    """Return the ids of the objects to resync; None to run the whole Pipeline."""
    if assets.subset != "resync" or len(selected) == len(assets.tables):
        return None
    return [str(assets.tables[key].object_id) for key in selected]


def _events(
    context: dg.AssetExecutionContext,
    loads: Mapping[dg.AssetKey, HevoTable],
    outcome: Outcome,
    rows: Sequence[JobObjectData] | None,
    url: str,
) -> Iterator[AssetEvent]:
    """Yield what came of a run.

    Raises:
        Failure: when it did not end well, or it is not known which tables failed.
    """
    if outcome.kind == "success" and not rows and may_have_failed(outcome.job):
        raise dg.Failure(
            f"{outcome.message}; which tables failed is not known, as Hevo lists none",
            metadata=metadata_of(outcome.job, url),
        )
    for key, table in loads.items():
        its_rows = rows_of(table, rows or ())
        metadata = metadata_of(outcome.job, url, its_rows[0] if len(its_rows) == 1 else None)
        is_loaded = has_loaded((outcome.job or {}).get("status"), its_rows, rows)
        if has_failed(its_rows):
            context.log.warning("%s has failed in Hevo, see %s", key.to_user_string(), url)
        elif outcome.kind == "success" and not is_loaded:
            context.log.warning(
                "%s: the Job has no object %r; its objects are %s",
                key.to_user_string(),
                table.name,
                ", ".join(row.object_name or "" for row in (rows or ())[:MOST_NAMED]),
            )
        elif outcome.kind == "success" and key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        elif outcome.kind == "success":
            # Hevo has loaded it as well, though nobody has asked for it.
            yield dg.AssetMaterialization(key, metadata=metadata)
        if outcome.has_ended and (outcome.kind == "success" or rows) and _is_checked(context, key):
            yield _check_result(key, its_rows, outcome.job_id, passed=is_loaded)
    if outcome.kind != "success":
        raise failure_of(outcome, url)


def _is_checked(context: dg.AssetExecutionContext, key: dg.AssetKey) -> bool:
    return dg.AssetCheckKey(key, NO_FAILED_EVENTS) in context.selected_asset_check_keys


def _check_result(
    key: dg.AssetKey, rows: Sequence[JobObjectData], job_id: str | None, *, passed: bool
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=key,
        check_name=NO_FAILED_EVENTS,
        metadata={
            "hevo/rows_failed": sum(row.rows_failed or 0 for row in rows),
            "hevo/job_id": job_id or "",
        },
    )


def may_have_failed(job: Mapping[str, Any] | None) -> bool:
    """Say whether some tables of a Job that has ended well enough may have failed."""
    return job is None or job.get("status") != "COMPLETED"
