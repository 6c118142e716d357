"""The fields of a Pipeline and of its objects, as the API sends them."""

from __future__ import annotations

from typing import Any

from hevo_edge.enums import SyncType


def pipeline_fields(
    pipeline_id: int, name: str, status: str, *, created: float, every_minutes: float | None
) -> dict[str, Any]:
    """Return a Pipeline's fields; ``created`` is in seconds since 1970."""
    schedule: dict[str, Any] = {"sync_type": str(SyncType.ON_DEMAND)}
    if every_minutes is not None:
        schedule = {"sync_type": str(SyncType.SCHEDULED), "frequency_minutes": every_minutes}
    created_ms = round(created * 1000)
    return {
        "id": pipeline_id,
        "name": name,
        "status": str(status),
        **_source_and_destination(),
        "destination_prefix": "",
        "replication_type": "HISTORICAL_AND_INCREMENTAL",
        "load_mode": "MERGE",
        "schema_evolution": "ALLOW_ALL",
        "schedule": schedule,
        "failure_handling_policy": {
            "object_failure_level": "PIPELINE",
            "object_failure_threshold": 3,
        },
        "source_schema_status": {"status": "SYNCED", "refreshed_ts": created_ms},
        "latency_alert": {"enabled": False, "threshold_minutes": 60},
        "created_ts": created_ms,
        "updated_ts": created_ms,
    }


def object_fields(object_id: str, name: str, status: str, *, whole: bool) -> dict[str, Any]:
    """Return an object's fields: the few of the list, or the whole."""
    fields: dict[str, Any] = {
        "object_id": object_id,
        "source_namespace": {"k0": name, "k1": "public", "k2": "app"},
        "destination_namespace": {"k0": name, "k1": "hevo", "k2": "warehouse"},
        "field_count": 1,
        "status": status,
        "replication_status": "REPLICATED",
    }
    if whole:
        column = {
            "source_name": "id",
            "source_type": "INTEGER",
            "destination_name": "id",
            "destination_type": "BIGINT",
            "status": "ACTIVE",
            "primary_key": True,
        }
        fields.update(
            object_name=name, destination_table_name=name, load_mode="MERGE", fields=[column]
        )
    return fields


def _source_and_destination() -> dict[str, Any]:
    return {
        "source": {
            "name": "PostgreSQL source",
            "connector_id": "postgresql",
            "source_type": "POSTGRESQL",
            "config": {},
        },
        "destination": {
            "id": 1,
            "name": "Snowflake destination",
            "connector_id": "snowflake",
            "destination_type": "SNOWFLAKE",
            "status": "ACTIVE",
        },
    }
