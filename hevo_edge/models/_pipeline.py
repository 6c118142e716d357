"""A Pipeline, its source, its destination, its schedule; and the kinds of both ends."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from hevo_edge._wire_values import count
from hevo_edge.enums import PipelineStatus
from hevo_edge.models._base import (
    Count,
    OpenPipelineStatus,
    OpenSyncType,
    Timestamped,
    WireModel,
)


class SourceData(WireModel):
    """The source of a Pipeline."""

    name: str | None = None
    """The source's name. [vendor code]"""
    connector_id: str | None = None
    """Which connector reads it. [vendor code]"""
    source_type: str | None = None
    """What it is, such as PostgreSQL. [vendor code]"""
    config: dict[str, Any] | None = None
    """How it is reached, as Hevo sends it; it may hold hosts and users. [vendor code]"""


class DestinationData(Timestamped):
    """A destination, as embedded in a Pipeline and as listed on its own."""

    id: Count = None
    """The destination's id. [vendor code]"""
    name: str | None = None
    """Its name. [vendor code]"""
    connector_id: str | None = None
    """Which connector writes to it. [vendor code]"""
    destination_type: str | None = Field(
        default=None, validation_alias=AliasChoices("destination_type", "type")
    )
    """What it is, such as Snowflake; ``type`` is read too. [vendor code, weak fixture]"""
    status: str | None = None
    """Its status; ACTIVE is the only one seen. [vendor code]"""
    config: dict[str, Any] | None = None
    """How it is reached, as Hevo sends it; it may hold hosts and users. [weak fixture]"""


class ScheduleData(WireModel):
    """When Hevo starts runs of a Pipeline."""

    sync_type: OpenSyncType | None = None
    """ON_DEMAND, or SCHEDULED; a plain string for a word that is not known. [vendor code]"""
    frequency_minutes: Count = None
    """How often it runs, in minutes; None on demand. [vendor code]"""


class PipelineData(Timestamped):
    """A Pipeline."""

    id: Annotated[int, BeforeValidator(count)]
    """The Pipeline's id. [vendor code]"""
    name: str | None = None
    """Its name. [vendor code]"""
    status: OpenPipelineStatus = PipelineStatus.UNKNOWN
    """Whether it can run; a plain string for a word that is not known, UNKNOWN if missing.
    [vendor code]
    """
    source: SourceData | None = None
    """What it reads. [vendor code]"""
    destination: DestinationData | None = None
    """What it writes to. [vendor code]"""
    destination_prefix: str | None = None
    """What the names of the tables in the Destination begin with. [vendor code]"""
    replication_type: str | None = None
    """HISTORICAL_AND_INCREMENTAL, or INCREMENTAL_ONLY. [vendor code]"""
    load_mode: str | None = None
    """APPEND, or MERGE. [vendor code]"""
    schema_evolution: str | None = None
    """What it does with changes of the source's schema: ALLOW_ALL, BLOCK_ALL or ALLOW_COLUMN_LEVEL.
    [vendor code]
    """
    schedule: ScheduleData | None = None
    """When Hevo starts its runs. [vendor code]"""
    failure_handling_policy: dict[str, Any] | None = None
    """``object_failure_level``, and ``object_failure_threshold``, the number of objects that may
    fail before Hevo acts. [vendor code]
    """
    source_schema_status: dict[str, Any] | None = None
    """``status``, SYNCED is the only one seen, and ``refreshed_ts``, when Hevo last read the
    source's schema, in ms since 1970. [vendor code]
    """
    latency_alert: dict[str, Any] | None = None
    """``enabled``, and ``threshold_minutes``, in minutes. [vendor code]"""
    created_by_email: str | None = None
    """Who created it. [vendor code]"""
    updated_by_email: str | None = None
    """Who changed it last. [vendor code]"""


class ConnectorData(WireModel):
    """A kind of source or destination that Hevo can connect to."""

    type: str | None = None
    """What it is, such as MYSQL. [weak fixture]"""
    name: str | None = None
    """Its name. [weak fixture]"""
    category: str | None = None
    """DATABASE, or DATA_WAREHOUSE for a destination. [weak fixture]"""
    capabilities: list[str] | None = None
    """INCREMENTAL and HISTORICAL of a source, BATCH and STREAMING of a destination.
    [weak fixture]
    """
