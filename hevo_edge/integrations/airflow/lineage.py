"""OpenLineage: what a Pipeline reads and writes, in a few calls whatever its size."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hevo_edge import HevoClient
from hevo_edge._common import validation
from hevo_edge.errors import HevoError
from hevo_edge.integrations.airflow import connections
from hevo_edge.integrations.airflow.running import run
from hevo_edge.models import NamespaceData, ObjectData, PipelineData

if TYPE_CHECKING:
    from hevo_edge.integrations.airflow.operators import HevoPipelineOperator

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_MOST_OBJECTS = 300
"""Three pages; a list row names the tables well enough, so none is read by itself."""
_SCHEMES = {
    "AZURE_BLOB": "wasbs",
    "AZURE_SQL": "sqlserver",
    "BIGQUERY": "bigquery",
    "DATABRICKS": "databricks",
    "GCS": "gs",
    "MARIADB": "mysql",
    "MONGODB": "mongodb",
    "MSSQL": "sqlserver",
    "MYSQL": "mysql",
    "ORACLE": "oracle",
    "POSTGRESQL": "postgres",
    "REDSHIFT": "redshift",
    "S3": "s3",
    "SNOWFLAKE": "snowflake",
    "SQLSERVER": "sqlserver",
}
"""OpenLineage's schemes for what Hevo calls its connectors; another gets ``hevo``."""
_HOSTS = ("host", "account_url", "account", "project_id", "database_host", "bucket_name")


def on_complete(operator: HevoPipelineOperator, task_instance: Any) -> Any:
    """Return the operator's OpenLineage facets; empty ones when Hevo cannot be asked."""
    # OpenLineage is another extra, and whoever has it not does not call this.
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415
    from openlineage.client.event_v2 import Dataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import external_query_run  # noqa: PLC0415

    try:
        hevo = connections.read(operator.connection_id).client()
        pipeline, objects = run(_read(hevo, validation.pipeline_id(operator.pipeline_id)))
        job_id = task_instance.xcom_pull(
            task_ids=task_instance.task_id, map_indexes=task_instance.map_index, key="job_id"
        )
    except Exception as error:  # noqa: BLE001 -- lineage must never fail a task that is done
        log.warning("no lineage of Pipeline %s: %s", operator.pipeline_id, error)
        return OperatorLineage()
    reads, writes = (
        _namespace(pipeline.source, "source_type"),
        _namespace(pipeline.destination, "destination_type"),
    )
    prefix = pipeline.destination_prefix or ""
    facets: dict[str, Any] = {}
    if job_id:
        facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=str(job_id), source=hevo.base_url
        )
    return OperatorLineage(
        inputs=[Dataset(reads, name) for row in objects if (name := _name(row.source_namespace))],
        outputs=[
            Dataset(writes, name)
            for row in objects
            if (name := _name(row.destination_namespace or row.source_namespace, prefix))
        ],
        run_facets=facets,
    )


async def _read(hevo: HevoClient, pipeline_id: int) -> tuple[PipelineData, list[ObjectData]]:
    async with hevo:
        pipeline = await hevo.get_pipeline(pipeline_id)
        objects: list[ObjectData] = []
        async for row in pipeline.list_objects():
            objects.append(row)
            if len(objects) == _MOST_OBJECTS:
                log.warning(
                    "lineage of Pipeline %s ends after %d objects", pipeline_id, len(objects)
                )
                break
    if pipeline.data is None:
        raise HevoError(f"Pipeline {pipeline_id} could not be read")
    return pipeline.data, objects


def _namespace(end: Any, kind: str) -> str:
    """Return the namespace of a source or a destination: its scheme, and where it is."""
    if end is None:
        return "hevo://unknown"
    connector = str(getattr(end, kind) or end.connector_id or "unknown").upper()
    scheme = _SCHEMES.get(connector, "hevo")
    config = end.config or {}
    host = next((str(config[name]) for name in _HOSTS if config.get(name)), connector.lower())
    port = config.get("port")
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def _name(namespace: NamespaceData | None, prefix: str = "") -> str:
    """Return a table's name: database, schema, table, as far as they are known."""
    if namespace is None or not namespace.k0:
        return ""
    above = [part for part in (namespace.k2, namespace.k1) if part]
    return ".".join([*above, f"{prefix}{namespace.k0}"])
