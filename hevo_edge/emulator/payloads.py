"""The fields of a Pipeline, as the API sends them."""

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
        "latency_alert": {"enabled": False, "threshold_minutes": 60},
        "created_ts": created_ms,
        "updated_ts": created_ms,
    }


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
