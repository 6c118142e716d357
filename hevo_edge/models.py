"""What the API sends, as tolerant pydantic models.

Only ids are required. Unknown fields are kept (``model_extra``), missing ones are None, unknown
enum values stay raw strings. Times and durations are milliseconds, as on the wire (``*_ts``,
``duration``), with aware datetimes and seconds as properties beside them.

Sources: the vendor's code and fixtures, all generations; see ``docs/api-knowledge.md``.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
)

from hevo_edge._text import lenient_json
from hevo_edge._text.model import PrintableModel
from hevo_edge._wire_values import (
    EPOCH,
    MAX_COUNT,
    MAX_MS,
    count,
    epoch_milliseconds,
    milliseconds,
    same,
    whole_milliseconds,
)
from hevo_edge.enums import (
    JobStatus,
    JobType,
    PipelineStatus,
    SyncType,
    is_known_status,
    is_terminal,
)

__all__ = [
    "ConnectorData",
    "DestinationData",
    "JobData",
    "JobObjectData",
    "NamespaceData",
    "ObjectData",
    "Page",
    "PipelineData",
    "ScheduleData",
    "SourceData",
    "Timestamped",
    "WireModel",
]


# What is plain comes first and is read by pydantic alone; the readers in Python see what is odd.
# None of them refuses anything: one odd value must not cost the page it is on a second reading.
_PlainCount = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
_PlainMs = Annotated[int, Field(strict=True, ge=0, le=MAX_MS)]
_LEFT_TO_RIGHT = Field(union_mode="left_to_right")
Count = Annotated[_PlainCount | Annotated[int | None, BeforeValidator(count)], _LEFT_TO_RIGHT]
DurationMs = Annotated[
    _PlainMs | Annotated[int | None, BeforeValidator(whole_milliseconds)], _LEFT_TO_RIGHT
]
EpochMs = Annotated[
    _PlainMs | Annotated[int | None, BeforeValidator(epoch_milliseconds)], _LEFT_TO_RIGHT
]
Latency = Annotated[float | None, BeforeValidator(milliseconds)]
_NoStatus = Annotated[JobStatus, BeforeValidator(lambda _: JobStatus.UNKNOWN)]
OpenJobStatus = Annotated[JobStatus | str | _NoStatus, _LEFT_TO_RIGHT]
OpenJobType = Annotated[JobType | str, _LEFT_TO_RIGHT]
OpenPipelineStatus = Annotated[PipelineStatus | str, _LEFT_TO_RIGHT]
OpenSyncType = Annotated[SyncType | str, _LEFT_TO_RIGHT]


def _datetime(since_epoch: int | None) -> datetime | None:
    # A sum of two that are fine alone may be past the last year of the calendar.
    if since_epoch is None or since_epoch > MAX_MS:
        return None
    return EPOCH + timedelta(milliseconds=since_epoch)


class WireModel(PrintableModel):  # noqa: PLW1641 -- frozen, so pydantic makes a hash
    """A snapshot of something on the server: frozen, with unknown fields kept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", frozen=True, populate_by_name=True
    )

    def __eq__(self, other: object) -> bool:
        """Compare all fields, unknown ones too; NaN equals NaN, or each poll would be a change."""
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, WireModel)  # noqa: S101 -- for the type checkers
        if super().__eq__(other) is True:
            return True
        return same(vars(self), vars(other)) and same(self.model_extra, other.model_extra)


class Timestamped(WireModel):
    """Something with a time of creation and of the last change."""

    created_ts: EpochMs = Field(
        default=None, validation_alias=AliasChoices("created_ts", "created_at")
    )
    """Creation, in ms since 1970 by Hevo's clock."""
    updated_ts: EpochMs = Field(
        default=None, validation_alias=AliasChoices("updated_ts", "updated_at")
    )
    """Last change, in ms since 1970 by Hevo's clock."""

    @property
    def created(self) -> datetime | None:
        """``created_ts`` as an aware datetime in UTC."""
        return _datetime(self.created_ts)

    @property
    def updated(self) -> datetime | None:
        """``updated_ts`` as an aware datetime in UTC."""
        return _datetime(self.updated_ts)


_MAX_LAG_MS = 60_000
"""Milliseconds by which one snapshot of a running Job may lag behind another, judged by the times
of their last changes."""
_MAX_SHARED = 100
"""Of how many names a set is shared; a Job has twenty fields."""


@lru_cache(maxsize=64)
def _shared_set(names: frozenset[str]) -> set[str]:
    return set(names)


class JobData(Timestamped):
    """A Job: one full run of a Pipeline, ingest and load."""

    job_id: str = Field(
        validation_alias=AliasChoices("job_id", "id"), coerce_numbers_to_str=True, min_length=1
    )
    type: OpenJobType = JobType.UNKNOWN
    status: OpenJobStatus = JobStatus.UNKNOWN
    events_ingested: Count = None
    events_loaded: Count = None
    events_failed: Count = None
    objects_success: Count = None
    objects_queued: Count = None
    objects_skipped: Count = None
    objects_failed: Count = None
    billable_events: Count = None
    non_billable_events: Count = None
    duration: DurationMs = None
    """How long the Job has run, in ms."""
    min_latency: DurationMs = None
    max_latency: DurationMs = None
    mean_latency: Latency = None
    """Latencies in ms."""

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 -- pydantic's signature
        """Share the set of the field names, nearly half of a snapshot's memory."""
        # Snapshots are frozen, so none changes the shared set; model_copy makes a copy of it.
        names = self.__pydantic_fields_set__
        if len(names) <= _MAX_SHARED:
            shared = _shared_set(frozenset(names))
            object.__setattr__(self, "__pydantic_fields_set__", shared)

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that the API sent; a copy, as snapshots share the set."""
        return set(self.__pydantic_fields_set__)

    @property
    def is_terminal(self) -> bool:
        """Whether the Job has ended. An unknown status has not."""
        return is_terminal(self.status)

    @property
    def has_known_status(self) -> bool:
        """Whether the status tells if the Job runs or has ended; one that is missing does not."""
        return is_known_status(self.status)

    @property
    def ended_ts(self) -> int | None:
        """When the Job ended, in ms since 1970 by Hevo's clock; None while it runs, or unknown.

        The API has no such field. It is the last change, or creation plus duration, whichever is
        earlier: a change long after the end must not make an old Job appear recent.
        """
        if not self.is_terminal:
            return None
        known = [] if self.updated_ts is None else [self.updated_ts]
        if self.created_ts is not None and self.duration is not None:
            known.append(self.created_ts + self.duration)
        return min(known, default=None)

    @property
    def ended(self) -> datetime | None:
        """``ended_ts`` as an aware datetime in UTC."""
        return _datetime(self.ended_ts)

    @property
    def duration_seconds(self) -> float | None:
        """``duration`` in seconds."""
        return None if self.duration is None else self.duration / 1000

    def is_older_than(self, other: JobData) -> bool:
        """Say whether this was taken before another snapshot of the Job, judged by their fields.

        What has ended stays so: no time overrules a terminal status, because the clocks of Hevo's
        nodes may differ. Of two that run, the one that was changed last is newer, unless the times
        are so far apart that they come of two clocks; of two that have ended, neither is older.
        """
        if self.is_terminal or other.is_terminal:
            return not self.is_terminal
        if self.updated_ts is None or other.updated_ts is None:
            return False
        return 0 < other.updated_ts - self.updated_ts <= _MAX_LAG_MS


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


class ConnectorData(WireModel):
    """A kind of source or destination that Hevo can connect to."""

    type: str | None = None
    name: str | None = None
    category: str | None = None
    capabilities: list[str] | None = None


MAX_PAGE_ROWS = 1000
"""How many rows a page may have: ten times as many as the API is known to send."""

ItemT = TypeVar("ItemT")


class Page(PrintableModel, Generic[ItemT]):
    """One page of a list, in the server's order."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", frozen=True)

    data: list[ItemT] = Field(max_length=MAX_PAGE_ROWS)
    has_more: bool | None = None
    next_cursor: str | None = Field(default=None, coerce_numbers_to_str=True)


_OF_A_PAGE = frozenset(
    {"data", "has_more", "next_cursor", "count", "page", "pagination", "limit", "total"}
)
"""What a page may say of itself, in the fixtures of Edge and of other lists of the vendor."""


_EMPTY_PAGE_BYTES = 4096


def without_rows(body: bytes) -> bytes | None:
    """Return a page whose ``data`` is null or missing as one without rows; None if it is no page.

    Servers leave empty lists out. But what says anything else, such as ``message``, or has rows by
    another name, is no empty list: that would mean that no Job runs.
    """
    try:
        raw = lenient_json.parse(lenient_json.decode(body[:_EMPTY_PAGE_BYTES]))
    except ValueError:
        return None
    if not isinstance(raw, dict) or not raw.keys() <= _OF_A_PAGE:
        return None
    if raw.get("data") is not None or raw.get("count"):
        return None
    return json.dumps({**raw, "data": []}).encode()
