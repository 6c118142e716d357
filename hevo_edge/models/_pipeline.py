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
    connector_id: str | None = None
    source_type: str | None = None
    config: dict[str, Any] | None = None


class DestinationData(Timestamped):
    """A destination, as embedded in a Pipeline and as listed on its own."""

    id: Count = None
    name: str | None = None
    connector_id: str | None = None
    destination_type: str | None = Field(
        default=None, validation_alias=AliasChoices("destination_type", "type")
    )
    status: str | None = None
    config: dict[str, Any] | None = None


class ScheduleData(WireModel):
    """When Hevo starts runs of a Pipeline."""

    sync_type: OpenSyncType | None = None
    frequency_minutes: Count = None


class PipelineData(Timestamped):
    """A Pipeline."""

    id: Annotated[int, BeforeValidator(count)]
    name: str | None = None
    status: OpenPipelineStatus = PipelineStatus.UNKNOWN
    source: SourceData | None = None
    destination: DestinationData | None = None
    destination_prefix: str | None = None
    replication_type: str | None = None
    load_mode: str | None = None
    schema_evolution: str | None = None
    schedule: ScheduleData | None = None
    failure_handling_policy: dict[str, Any] | None = None
    source_schema_status: dict[str, Any] | None = None
    latency_alert: dict[str, Any] | None = None
    created_by_email: str | None = None
    updated_by_email: str | None = None


class ConnectorData(WireModel):
    """A kind of source or destination that Hevo can connect to."""

    type: str | None = None
    name: str | None = None
    category: str | None = None
    capabilities: list[str] | None = None
