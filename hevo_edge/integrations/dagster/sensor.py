"""A sensor that reports Jobs which Dagster has not started: those of Hevo's schedule, of its UI."""
# Dagster reads the annotations of a sensor: no `from __future__ import annotations`.

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from hevo_edge.integrations.dagster.asset_specs import HevoAssets, hevo_assets_of
from hevo_edge.integrations.dagster.object_rows import PARTLY, has_failed, rows_of
from hevo_edge.integrations.dagster.tables import HevoTable

if TYPE_CHECKING:
    from hevo_edge import HevoClient, Job
    from hevo_edge.integrations.dagster.resource import HevoResource
    from hevo_edge.models import JobData

SPARE = 20.0
"""Seconds of a sensor's time limit that are left to Dagster, to store what a tick has found."""
LEAST = 5.0
RECENT = 100
"""How many materializations of a table are looked at for one of the same Job."""
FOUND_WITHIN = 1800.0
"""Seconds within which a run that is at work finds its Job after the POST; else it was killed."""
Cursors = dict[str, dict[str, Any]]


def build_hevo_sensor(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec],
    *,
    resource_key: str = "hevo",
    name: str = "hevo_jobs",
    minimum_interval_seconds: int = 60,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Make a sensor that materializes assets when Hevo has run their Pipelines by itself.

    Each Job that has loaded something is reported once, but for those of Dagster's own runs. A
    tick takes a list for each Pipeline, and another for a Job of which not all tables may be
    loaded. The first tick tells of nothing; what it has no time for comes first in the next one.

    Args:
        assets: Assets of ``hevo_assets``; others are left out.
        resource_key: What the account is called among the resources of the definitions.
        name: The sensor's name.
        minimum_interval_seconds: Dagster's own.
        default_status: Dagster's own.
    """
    specs = [spec for each in assets for spec in _specs_of(each)]
    found = {str(each.pipeline_id): each for each in hevo_assets_of(specs)}

    @dg.sensor(
        name=name,
        description="Reports the Jobs of Hevo's own schedule as materializations.",
        required_resource_keys={resource_key},
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
    )
    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from hevo_edge.orchestration import run  # noqa: PLC0415 -- what talks to Hevo loads late

        one = _Tick(context, getattr(context.resources, resource_key), found)
        run(one.run())
        # A tick without run requests is shown as skipped, for whatever reason is given.
        jobs = {event.metadata["hevo/job_id"].value for event in one.events}
        reason = "; ".join([f"new Jobs reported: {len(jobs)}", *one.held])
        return dg.SensorResult(asset_events=one.events, cursor=one.cursor, skip_reason=reason)

    return tick


def _specs_of(assets: dg.AssetsDefinition | dg.AssetSpec) -> Iterable[dg.AssetSpec]:
    return [assets] if isinstance(assets, dg.AssetSpec) else assets.specs


class _Tick:
    """One evaluation of the sensor.

    Attributes:
        events: What is to be reported.
        held: Why Pipelines wait for the next tick, a line each.
    """

    def __init__(
        self,
        context: dg.SensorEvaluationContext,
        resource: "HevoResource",
        found: Mapping[str, HevoAssets],
    ) -> None:
        from dagster._grpc.client import DEFAULT_SENSOR_GRPC_TIMEOUT  # noqa: PLC0415 -- slow

        self.events: list[dg.AssetMaterialization] = []
        self.held: list[str] = []
        self._instance, self._log, self._resource = context.instance, context.log, resource
        self._found = found
        self._cursors, self._first = _read(context.cursor)
        limit = max(DEFAULT_SENSOR_GRPC_TIMEOUT - SPARE, LEAST)
        self._deadline = time.monotonic() + limit
        keys = [key for assets in found.values() for key in assets.tables]
        records = self._instance.get_asset_records(keys)
        self._records = {record.asset_entry.asset_key: record for record in records}

    @property
    def cursor(self) -> str:
        """From where the next tick goes on."""
        return json.dumps({"first": self._first, "pipelines": self._cursors})

    async def run(self) -> None:
        """Poll each Pipeline once, as far as the time goes."""
        from hevo_edge.errors import RequestError  # noqa: PLC0415

        refused: list[RequestError] = []
        ids = sorted(self._found, key=int)
        start = ids.index(self._first) if self._first in ids else 0
        self._first = None
        async with self._resource.get_client(max_retries=0) as hevo:
            for pipeline_id in [*ids[start:], *ids[:start]]:
                left = self._deadline - time.monotonic()
                try:
                    await asyncio.wait_for(self._poll(hevo, pipeline_id), max(left, 0.0))
                except asyncio.TimeoutError:
                    self._hold("the rest of the Pipelines come first in the next tick")
                    self._first = pipeline_id
                    return
                except RequestError as error:
                    # The cursor stays, so nothing is lost.
                    self._log.warning("Pipeline %s: %s", pipeline_id, error)
                    self.held.append(f"Pipeline {pipeline_id}: {error}")
                    refused += [] if error.transient else [error]
        if refused and len(refused) == len(ids):  # no time mends it
            raise dg.Failure(f"{self._resource.name}: {refused[0]}") from None

    async def _poll(self, hevo: "HevoClient", pipeline_id: str) -> None:
        from hevo_edge.orchestration import ended_jobs  # noqa: PLC0415

        assets = self._found[pipeline_id]
        pipeline = hevo.pipeline(pipeline_id)
        found = await ended_jobs(pipeline, self._cursors.get(pipeline_id))
        if found.jobs and (run_id := self._run_that_may_own_one(pipeline_id, assets)):
            self._hold(f"Pipeline {pipeline_id}: run {run_id} is about to find its Job")
            return
        told = {job_id for key in assets.tables for job_id in self._told(key)} if found.jobs else ()
        events: list[dg.AssetMaterialization] = []
        for job in found.jobs:
            if job.id not in told and not self._is_own(pipeline_id, job.id):
                loaded = await _loaded(job, assets.tables, pipeline.url)
                self._log.info("Job %s: %s, %d tables", job.ref, job.status, len(loaded))
                events += loaded
        self.events += events
        self._cursors[pipeline_id] = found.cursor.shortened().to_dict()

    def _hold(self, why: str) -> None:
        self._log.info(why)
        self.held.append(why)

    # -- Dagster's own runs -----------------------------------------------------------------------

    def _run_that_may_own_one(self, pipeline_id: str, assets: HevoAssets) -> str | None:
        """Return a run that has sent a POST and not found its Job yet, which may be over."""
        from hevo_edge.integrations.dagster.tickets import may_find_a_job  # noqa: PLC0415

        found = (self._records.get(key) for key in assets.tables)
        since = time.time() - FOUND_WITHIN
        runs = {each.asset_entry.last_run_id for each in found if each}
        for run_id in (each for each in runs if each is not None):
            run = self._instance.get_run_by_id(run_id)
            is_at_work = run is not None and not run.is_finished
            if is_at_work and may_find_a_job(self._instance, run_id, pipeline_id, since):
                return run_id
        return None

    def _is_own(self, pipeline_id: str, job_id: str) -> bool:
        from hevo_edge.integrations.dagster.tickets import is_told_by_a_run  # noqa: PLC0415

        return is_told_by_a_run(self._instance, pipeline_id, job_id)

    def _told(self, key: dg.AssetKey) -> Iterator[str]:
        for record in self._instance.fetch_materializations(key, limit=RECENT).records:
            event = record.asset_materialization
            value = None if event is None else event.metadata.get("hevo/job_id")
            if value is not None:
                yield str(value.value)


def _read(cursor: str | None) -> tuple[Cursors, str | None]:
    """Return what a cursor says: those of the Pipelines, and which comes first.

    Raises:
        Failure: when it is not one of ours.
    """
    if not cursor:
        return {}, None
    try:
        stored = json.loads(cursor)
        return dict(stored["pipelines"]), stored["first"]
    except (ValueError, LookupError, TypeError):
        raise dg.Failure(
            f"the cursor of this sensor is none of its own: {cursor[:60]!r}; reset it in Dagster, "
            "and the next tick begins anew"
        ) from None


async def _loaded(
    job: "Job[JobData]", tables: Mapping[dg.AssetKey, HevoTable], url: str
) -> list[dg.AssetMaterialization]:
    """Return a materialization of each table that a Job has loaded; some may have failed."""
    from hevo_edge.integrations.dagster.metadata import metadata_of  # noqa: PLC0415
    from hevo_edge.orchestration import summary  # noqa: PLC0415

    known = summary(job)
    if (known["status"], known["type"]) == ("COMPLETED", "INCREMENTAL"):
        return [dg.AssetMaterialization(key, metadata=metadata_of(known, url)) for key in tables]
    if known["status"] not in PARTLY:
        return []
    found, rows = [], [row async for row in job.list_objects()]
    for key, table in tables.items():
        its_rows = rows_of(table, rows)
        if its_rows and not has_failed(its_rows):
            metadata = metadata_of(known, url, its_rows[0] if len(its_rows) == 1 else None)
            found.append(dg.AssetMaterialization(key, metadata=metadata))
    return found
