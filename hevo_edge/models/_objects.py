"""An object, such as a table: of a Pipeline, and what a Job did with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import AliasChoices, Field

from hevo_edge.models._base import Count, WireModel


class NamespaceData(WireModel):
    """Where an object lives: k0 is the table, k1 the schema, k2 the database."""

    k0: str | None = None
    """The table. [vendor code]"""
    k1: str | None = None
    """The schema; None where there is none. [vendor code]"""
    k2: str | None = None
    """The database; None where there is none. [vendor code]"""

    @property
    def path(self) -> str:
        """Database, schema and table, as far as they are known, with dots."""
        return ".".join(filter(None, (self.k2, self.k1, self.k0)))


class ObjectData(WireModel):
    """An object of a Pipeline, such as a table; the rows of a list lack some of the fields."""

    object_id: str = Field(
        validation_alias=AliasChoices("object_id", "id"), coerce_numbers_to_str=True, min_length=1
    )
    """The object's id, a UUID in the fixtures; ``id`` is read too. [vendor code]"""
    object_name: str | None = None
    """Its name in the source; the rows of a list lack it, see ``name``. [vendor code]"""
    status: str | None = None
    """Whether it is included: ACTIVE, or one of BLOCKED, DELETED, DISABLED, INACCESSIBLE, INACTIVE,
    INCONSISTENT and RESETTING. [vendor code; meanings: Hevo docs]
    """
    replication_status: str | None = None
    """How its replication stands: PENDING, REPLICATED, CANCELLED, BLOCKED, FAILED or INCONSISTENT.
    [vendor code]
    """
    source_namespace: NamespaceData | None = None
    """Where it lies in the source. [vendor code]"""
    destination_namespace: NamespaceData | None = None
    """Where its table lies in the Destination. [vendor code]"""
    destination_table_name: str | None = None
    """Its table in the Destination; the rows of a list lack it. [vendor code]"""
    load_mode: str | None = None
    """APPEND, MERGE or OVERWRITE; the rows of a list lack it. [vendor code]"""
    field_count: Count = None
    """How many fields (columns) it has. [vendor code]"""
    fields: list[dict[str, Any]] | None = None
    """Its fields, as Hevo sends them: ``source_name``, ``source_type``, ``destination_name``,
    ``destination_type``, ``status``, ``primary_key``; the rows of a list lack them. [vendor code]
    """

    @property
    def name(self) -> str:
        """Its name as Hevo's page shows it: the table, without its schema and its database."""
        table = None if self.source_namespace is None else self.source_namespace.k0
        return self.object_name or table or self.destination_table_name or self.object_id

    @property
    def schema_name(self) -> str | None:
        """Its schema in the source, in a column of its own on Hevo's page."""
        return None if self.source_namespace is None else self.source_namespace.k1

    @property
    def database_name(self) -> str | None:
        """Its database in the source, in a column of its own on Hevo's page."""
        return None if self.source_namespace is None else self.source_namespace.k2

    @property
    def path(self) -> str:
        """Database, schema and table, as far as they are known, with dots; else its name."""
        path = "" if self.source_namespace is None else self.source_namespace.path
        return path or self.name

    @property
    def is_active(self) -> bool:
        """Whether it is included, and loaded by each run."""
        return self.status is not None and self.status.upper() == "ACTIVE"

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield "name", self.name
        yield from super().__repr_args__()


class JobObjectData(WireModel):
    """What a Job did with one object. The field names are weakly known."""

    object_name: str | None = None
    """The object's name. [weak fixture]"""
    object_id: str | None = Field(
        default=None,
        validation_alias=AliasChoices("object_id", "id"),
        coerce_numbers_to_str=True,
    )
    """The object's id, as in ``ObjectData``; in no source, and read if it is sent. [assumed]"""
    status: str | None = None
    """What the Job is doing with it, or how that ended, in the words of ``JobStatus``.
    [weak fixture, Hevo docs]
    """
    rows_processed: Count = None
    """How many rows were processed so far. [weak fixture]"""
    rows_failed: Count = None
    """How many rows failed so far. [weak fixture]"""

    @property
    def has_failed(self) -> bool:
        """Whether some rows or the whole object failed; FAILED and COMPLETED_WITH_FAILURES do."""
        return bool(self.rows_failed) or "FAIL" in (self.status or "").upper()
