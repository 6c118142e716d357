"""What a Job did with each object, and which table that is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hevo_edge.integrations.dagster.tables import HevoTable

if TYPE_CHECKING:
    from hevo_edge.models import JobObjectData

PARTLY = frozenset({"COMPLETED", "COMPLETED_WITH_FAILURES", "DEFERRED", "DEFERRED_WITH_FAILURES"})
"""How Jobs end that have loaded some of the tables, if not all."""


def rows_of(table: HevoTable, rows: Iterable[JobObjectData]) -> list[JobObjectData]:
    """Return what a Job did with a table; several rows where its name is not enough to tell."""
    names = {table.name, ".".join(table.source), ".".join(table.destination)}
    return [
        row
        for row in rows
        if (
            row.object_id == table.object_id
            if row.object_id and table.object_id
            else row.object_name in names
        )
    ]


def has_loaded(
    status: Any, its_rows: Sequence[JobObjectData], rows: Sequence[JobObjectData] | None
) -> bool:
    """Say whether a Job that has ended has loaded a table: its status alone tells without rows.

    Args:
        status: How the Job ended.
        its_rows: What it did with the table.
        rows: What it did with each object; None when that could not be read.
    """
    return status in PARTLY and bool(its_rows or not rows) and not has_failed(its_rows)


def has_failed(rows: Iterable[JobObjectData]) -> bool:
    """Say whether a table, or one of its name, has failed."""
    return any(row.has_failed for row in rows)
