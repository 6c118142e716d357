"""An object, such as a table: of a Pipeline, and what a Job did with it."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from hevo_edge.models._base import Count, WireModel


class NamespaceData(WireModel):
    """Where an object lives: k0 is the table, k1 the schema, k2 the database."""

    k0: str | None = None
    k1: str | None = None
    k2: str | None = None


class ObjectData(WireModel):
    """An object of a Pipeline, such as a table; the rows of a list lack some of the fields."""

    object_id: str = Field(
        validation_alias=AliasChoices("object_id", "id"), coerce_numbers_to_str=True, min_length=1
    )
    object_name: str | None = None
    status: str | None = None
    replication_status: str | None = None
    source_namespace: NamespaceData | None = None
    destination_namespace: NamespaceData | None = None
    destination_table_name: str | None = None
    load_mode: str | None = None
    field_count: Count = None
    fields: list[dict[str, Any]] | None = None


class JobObjectData(WireModel):
    """What a Job did with one object. The field names are weakly known."""

    object_name: str | None = None
    status: str | None = None
    rows_processed: Count = None
    rows_failed: Count = None

    @property
    def has_failed(self) -> bool:
        """Whether some rows or the whole object failed; FAILED and COMPLETED_WITH_FAILURES do."""
        return bool(self.rows_failed) or "FAIL" in (self.status or "").upper()
