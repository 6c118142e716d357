"""Events of Prefect: a Job that has ended, and the tables that it has loaded.

Automations react to them. A Job's event has an id of its own, so that it counts once, whoever has
seen the Job end: the flow that has started it, or a poller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from prefect.events import Event, emit_event
from prefect.events.clients import get_events_client

from hevo_edge.orchestration import Dataset, Lineage

_RESERVED = re.compile(r"""[\s\0#?&%"'<>\[\]{}|\\^`]""")
"""What the key of an asset must not hold."""
_MAX_KEY = 512


def emit_job_ended(job: dict[str, Any]) -> None:
    """Emit ``hevo.job.<status>`` of ``hevo.pipeline.<id>``, such as ``hevo.job.completed``.

    Args:
        job: What ``hevo_edge.orchestration.summary`` returns.
    """
    emit_event(**_job_ended(job))


async def deliver_jobs_ended(jobs: Iterable[dict[str, Any]]) -> None:
    """Emit what ``emit_job_ended`` does of each Job, and return when Prefect has taken it.

    Raises:
        Exception: of Prefect's client, when its server cannot be reached; nothing is lost by
            calling again, as an event that it has taken counts once.
    """
    async with get_events_client(checkpoint_every=1) as client:
        for job in jobs:
            await client.emit(Event(**_job_ended(job)))


def _job_ended(job: dict[str, Any]) -> dict[str, Any]:
    status = str(job.get("status") or "unknown").lower()
    ended, occurred = job.get("ended_ts"), datetime.now(timezone.utc)
    if ended is not None:  # by Hevo's clock: Prefect shows no event of the future
        occurred = min(occurred, datetime.fromtimestamp(ended / 1000, timezone.utc))
    role = {"prefect.resource.id": f"hevo.job.{job['ref']}", "prefect.resource.role": "job"}
    return {
        "event": f"hevo.job.{status}",
        "resource": {
            "prefect.resource.id": f"hevo.pipeline.{job['pipeline_id']}",
            "prefect.resource.name": f"Pipeline {job['pipeline_id']}",
            "hevo.job.status": status,
            "hevo.job.type": str(job.get("type") or "unknown").lower(),
        },
        "related": [role],
        "occurred": occurred,
        "payload": job,
        "id": uuid5(NAMESPACE_URL, f"hevo.job.{job['ref']}.{status}"),
    }


def emit_assets(lineage: Lineage, job: dict[str, Any], url: str) -> None:
    """Emit that the tables which a Pipeline writes were materialised, of those that it reads."""
    sources = [
        {"prefect.resource.id": asset_key(each), "prefect.resource.role": "asset"}
        for each in lineage.inputs
    ]
    by = {"prefect.resource.id": "hevo", "prefect.resource.role": "asset-materialized-by"}
    for table in lineage.outputs:
        emit_event(
            "prefect.asset.materialization.succeeded",
            resource={
                "prefect.resource.id": asset_key(table),
                "prefect.resource.name": table.name,
                "prefect.asset.url": url,
            },
            related=[*sources, by],
            payload=job,
        )


def asset_key(table: Dataset) -> str:
    """Return the key of a table's asset, such as ``snowflake://account/warehouse/public/orders``."""
    return _RESERVED.sub("_", f"{table.namespace}/{table.name.replace('.', '/')}")[:_MAX_KEY]
