"""How values of replies are read, and the bases of all models."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field

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
from hevo_edge.enums import JobStatus, JobType, PipelineStatus, SyncType

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


def as_datetime(since_epoch: int | None) -> datetime | None:
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
    """Creation, in ms since 1970 by Hevo's clock; ``created_at`` is read too. [vendor code]"""
    updated_ts: EpochMs = Field(
        default=None, validation_alias=AliasChoices("updated_ts", "updated_at")
    )
    """Last change, in ms since 1970 by Hevo's clock; ``updated_at`` is read too. [vendor code]"""

    @property
    def created(self) -> datetime | None:
        """``created_ts`` as an aware datetime in UTC."""
        return as_datetime(self.created_ts)

    @property
    def updated(self) -> datetime | None:
        """``updated_ts`` as an aware datetime in UTC."""
        return as_datetime(self.updated_ts)
