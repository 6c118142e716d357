"""Pipelines and their tables, as assets need them: names and ids, and nothing secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    from typing_extensions import Self

    from hevo_edge.models import ObjectData, PipelineData


@dataclass(frozen=True)
class HevoPipeline:
    """A Pipeline.

    Attributes:
        id: Its id.
        name: Its name.
        status: Its status when it was read.
        source_type: The type of its source, such as ``"POSTGRES"``.
        destination_type: The type of its Destination, such as ``"SNOWFLAKE"``.
    """

    id: int
    name: str | None = None
    status: str | None = None
    source_type: str | None = None
    destination_type: str | None = None

    @classmethod
    def of(cls, data: PipelineData) -> Self:
        """Take what is needed of what the API sends."""
        source, destination = data.source, data.destination
        return cls(
            data.id,
            data.name,
            None if data.status is None else str(data.status),
            None if source is None else _word(source.source_type),
            None if destination is None else _word(destination.destination_type),
        )


@dataclass(frozen=True)
class HevoTable:
    """A table that a Pipeline loads.

    Attributes:
        pipeline: Its Pipeline.
        name: The object's name in Hevo, which is that of the table in the source.
        destination: Where it is in the Destination: database, schema, table, as far as known.
        source: Where it is in the source, likewise.
        object_id: The object's id, by which it can be resynced alone.
    """

    pipeline: HevoPipeline
    name: str
    destination: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    object_id: str | None = None

    @classmethod
    def of(cls, pipeline: HevoPipeline, row: ObjectData, prefix: str) -> Self:
        """Take what is needed of what the API sends."""
        source = _parts(row.source_namespace)
        destination = _parts(row.destination_namespace) or source
        if destination:
            destination = (*destination[:-1], f"{prefix}{destination[-1]}")
        return cls(pipeline, row.name, destination, source, row.object_id)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the Pipeline as plain JSON."""
        return {name: value for name, value in asdict(self).items() if name != "pipeline" and value}

    @classmethod
    def from_dict(cls, pipeline: HevoPipeline, stored: dict[str, Any]) -> Self:
        """Read what ``to_dict`` has made."""
        places = {name: tuple(stored.get(name, ())) for name in ("destination", "source")}
        return cls(pipeline, stored["name"], object_id=stored.get("object_id"), **places)


def given_tables(pipeline_id: int | str, tables: Iterable[HevoTable | str]) -> list[HevoTable]:
    """Return tables that were given by hand, as names or paths in the Destination, or whole.

    Raises:
        ConfigurationError: for anything else.
    """
    pipeline = HevoPipeline(validation.pipeline_id(pipeline_id))
    if isinstance(tables, str) or not isinstance(tables, Iterable):
        raise ConfigurationError(f"tables must be several names, not {tables!r}")
    return [_given(pipeline, each) for each in tables]


def _given(pipeline: HevoPipeline, table: Any) -> HevoTable:
    if isinstance(table, HevoTable):
        if table.pipeline.id != pipeline.id:
            raise ConfigurationError(f"tables: {table.name!r} is of another Pipeline")
        return table
    path = tuple(table.split(".")) if isinstance(table, str) else ()
    if not path or not all(path):
        raise ConfigurationError(f"tables must be names such as 'schema.table', not {table!r}")
    return HevoTable(pipeline, path[-1], path)


def _parts(namespace: Any) -> tuple[str, ...]:
    if namespace is None or not namespace.k0:
        return ()
    return tuple(part for part in (namespace.k2, namespace.k1, namespace.k0) if part)


def _word(value: Any) -> str | None:
    return None if value is None else str(value)
