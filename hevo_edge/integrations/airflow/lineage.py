"""OpenLineage: what an operator's Pipeline reads and writes, in a few calls whatever its size."""

from __future__ import annotations

import logging
from typing import Any

from hevo_edge.integrations.airflow import connections, parameters
from hevo_edge.orchestration import Account, Lineage, get_logger, read_lineage, run

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")


def on_complete(operator: parameters.RunParameters, task_instance: Any) -> Any:
    """Return the operator's OpenLineage facets; empty ones when Hevo cannot be asked."""
    # OpenLineage is another extra, and whoever has it not does not call this.
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.event_v2 import Dataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import external_query_run  # noqa: PLC0415

    try:
        account = connections.read(operator.connection_id)
        found, base_url = run(_read(account, operator.pipeline_id))
        job_id = task_instance.xcom_pull(
            task_ids=task_instance.task_id, map_indexes=task_instance.map_index, key="job_id"
        )
    except Exception as error:  # noqa: BLE001 -- lineage must never fail a task that is done
        log.warning("no lineage of Pipeline %s: %s", operator.pipeline_id, error)
        return OperatorLineage()
    facets: dict[str, Any] = {}
    if job_id:
        facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=str(job_id), source=base_url
        )
    return OperatorLineage(
        inputs=[Dataset(*each) for each in found.inputs],
        outputs=[Dataset(*each) for each in found.outputs],
        run_facets=facets,
    )


async def _read(account: Account, pipeline_id: Any) -> tuple[Lineage, str]:
    async with account.client() as hevo:
        return await read_lineage(hevo, pipeline_id), hevo.base_url
