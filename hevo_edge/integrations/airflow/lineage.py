"""OpenLineage: what an operator's Pipeline reads and writes, in a few calls whatever its size."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hevo_edge.integrations.airflow import connections, parameters
from hevo_edge.orchestration import Account, Lineage, get_logger, read_lineage, run, validation

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")


TIMEOUT = 5.0
"""Seconds for reading what a Pipeline reads and writes: the task is done, and holds its slot."""


def on_complete(operator: parameters.RunParameters, task_instance: Any) -> Any:
    """Return the operator's OpenLineage facets, without data sets when Hevo does not say soon."""
    # OpenLineage is another extra, and whoever has it not does not call this.
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.event_v2 import Dataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import external_query_run  # noqa: PLC0415

    facets: dict[str, Any] = {}
    found = Lineage([], [])
    try:
        pipeline_id = validation.pipeline_id(operator.pipeline_id)
        account = connections.read(operator.connection_id)
        job_id = task_instance.xcom_pull(
            task_ids=task_instance.task_id, map_indexes=task_instance.map_index, key="job_id"
        )
        if job_id:
            facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
                externalQueryId=str(job_id), source=account.base_url
            )
        found = run(asyncio.wait_for(_read(account, pipeline_id), TIMEOUT))
    except Exception as error:  # noqa: BLE001 -- lineage must never fail a task that is done
        is_late = isinstance(error, (TimeoutError, asyncio.TimeoutError))
        why = f"Hevo did not answer within {TIMEOUT:g} s" if is_late else error
        log.warning("no lineage of Pipeline %s: %s", operator.pipeline_id, why)
    return OperatorLineage(
        inputs=[Dataset(*each) for each in found.inputs],
        outputs=[Dataset(*each) for each in found.outputs],
        run_facets=facets,
    )


async def _read(account: Account, pipeline_id: int) -> Lineage:
    async with account.client() as hevo:
        return await read_lineage(hevo, pipeline_id)
