"""What a Pipeline reads and writes, in OpenLineage's names but none of its types."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from hevo_edge._text.field_docs import show_fields
from hevo_edge._text.logger import get_logger
from hevo_edge.client import HevoClient
from hevo_edge.errors import HevoError
from hevo_edge.models import NamespaceData, ObjectData, PipelineData

__all__ = [
    "Dataset",
    "Lineage",
    "lineage_of",
    "read_lineage",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")

MAX_OBJECTS = 300
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


@show_fields
class Dataset(NamedTuple):
    """A table, as OpenLineage names it."""

    namespace: str
    """Its scheme and host, such as ``postgres://db.example.com:5432``."""
    name: str
    """Database, schema and table, as far as they are known."""


@show_fields
class Lineage(NamedTuple):
    """What a Pipeline reads, and what it writes."""

    inputs: list[Dataset]
    """The tables that it reads."""
    outputs: list[Dataset]
    """The tables that it writes."""


async def read_lineage(hevo: HevoClient, pipeline_id: int | str) -> Lineage:
    """Read a Pipeline and its objects, and return what it reads and writes.

    Takes four calls at most: the objects after the first 300 are left out, with a warning.

    Raises:
        NotFound: when there is no such Pipeline.
        RequestError: when it could not be read.
    """
    pipeline = await hevo.get_pipeline(pipeline_id)
    objects: list[ObjectData] = []
    async for row in pipeline.list_objects():
        objects.append(row)
        if len(objects) == MAX_OBJECTS:
            log.warning("lineage of Pipeline %s ends after %d objects", pipeline.id, len(objects))
            break
    if pipeline.data is None:
        raise HevoError(f"Pipeline {pipeline.id} could not be read")
    return lineage_of(pipeline.data, objects)


def lineage_of(pipeline: PipelineData, objects: Iterable[ObjectData]) -> Lineage:
    """Return what a Pipeline reads and writes, of what was read of it."""
    source = _namespace(pipeline.source, "source_type")
    destination = _namespace(pipeline.destination, "destination_type")
    prefix = pipeline.destination_prefix or ""
    rows = list(objects)
    return Lineage(
        [Dataset(source, name) for row in rows if (name := _name(row.source_namespace))],
        [
            Dataset(destination, name)
            for row in rows
            if (name := _name(row.destination_namespace or row.source_namespace, prefix))
        ],
    )


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
