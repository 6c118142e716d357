"""A Job, as it was at one moment."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import AliasChoices, Field

from hevo_edge.enums import JobStatus, JobType, is_known_status, is_terminal
from hevo_edge.models._base import (
    Count,
    DurationMs,
    Latency,
    OpenJobStatus,
    OpenJobType,
    Timestamped,
    as_datetime,
)

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
    """The Job's id, a UUID in the fixtures; ``id`` is read too. [vendor code]"""
    type: OpenJobType = JobType.UNKNOWN
    """What it does; a plain string for a word that is not known, UNKNOWN if missing.
    [vendor code, Hevo docs]
    """
    status: OpenJobStatus = JobStatus.UNKNOWN
    """What it is doing, or how it ended; else as ``type``. [vendor code, Hevo docs]"""
    events_ingested: Count = None
    """How many Events were read from the source so far. [vendor code; meaning inferred]"""
    events_loaded: Count = None
    """How many Events were loaded into the Destination so far. [vendor code; meaning inferred]"""
    events_failed: Count = None
    """How many Events failed so far. [vendor code; meaning inferred]"""
    objects_success: Count = None
    """How many objects are done, without failures. [vendor code; meaning inferred]"""
    objects_queued: Count = None
    """How many objects are not done yet. [vendor code; meaning inferred]"""
    objects_skipped: Count = None
    """How many objects were left out. [vendor code; meaning inferred]"""
    objects_failed: Count = None
    """How many objects failed. [vendor code; meaning inferred]"""
    billable_events: Count = None
    """How many Events are billed. [vendor code: an earlier generation only]"""
    non_billable_events: Count = None
    """How many Events are not billed. [vendor code: an earlier generation only]"""
    duration: DurationMs = None
    """How long the Job has run, in ms. [vendor code]"""
    min_latency: DurationMs = None
    """The shortest latency of its Events, in ms; no source says from when to when. [vendor code]"""
    max_latency: DurationMs = None
    """The longest, in ms. [vendor code]"""
    mean_latency: Latency = None
    """The mean, in ms. [vendor code]"""

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
        return as_datetime(self.ended_ts)

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
