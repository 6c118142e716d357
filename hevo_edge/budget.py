"""The state of the call budget, as a user reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from hevo_edge._text import html
from hevo_edge._text.durations import format_duration
from hevo_edge._text.field_docs import show_fields
from hevo_edge._text.mime_bundle import HasMimeBundle

__all__ = ["Budget", "BudgetHolder"]


@show_fields
@dataclass(frozen=True, kw_only=True)
class BudgetHolder:
    """A process, and its calls that count in the window now."""

    owner: str
    """The process, as ``machine/pid``."""
    used: Mapping[str, int]
    """How many calls, by priority: a name of ``Priority``, in lower case; or ``"unknown"``."""


@show_fields
@dataclass(frozen=True, kw_only=True)
class Budget(HasMimeBundle):
    """The state of the call budget at one moment: of all processes that share it.

    A call counts from before it is sent until one period after its reply.
    """

    calls: int | None
    """The limit, in calls in any period; None without a limit."""
    period: float
    """The period in seconds."""
    used: int
    """How many calls count now."""
    free: Mapping[str, int]
    """How many calls may be made now, by priority: a name of ``Priority``, in lower case."""
    next_free: float | None
    """Seconds until the first of the calls that count does so no longer; None if none is known."""
    paused_until: float | None
    """The end of the pause after a 429, in seconds since 1970; None if there is none."""
    share: float
    """The part of the limit that polls and reads may use: below 1 for a while after a 429."""
    waiting: Mapping[str, int]
    """How many requests of this client wait for a call, by priority."""
    holders: tuple[BudgetHolder, ...]
    """Which processes have made the calls that count; those with the most come first."""
    shared_through: str | None
    """The file or the Redis through which it is shared, without secrets; None if it is not."""
    is_alone: bool
    """Whether that cannot be used now, so that this process keeps to a part by itself."""

    def __str__(self) -> str:
        if self.calls is None:
            return "no limit"
        parts = [f"{self.used} of {self.calls} calls in {self.period:g} s are used"]
        if self.paused_until is not None:
            until = datetime.fromtimestamp(self.paused_until, timezone.utc)
            parts.append(f"paused after a 429 until {until:%H:%M:%S} UTC")
        elif self.next_free is not None:
            parts.append(f"the next one comes free in {format_duration(self.next_free)}")
        if self.share < 1:
            parts.append(f"polls and reads may use {self.share:.0%} of the limit after a 429")
        if self.shared_through is not None:
            how = "NOT shared now through" if self.is_alone else "shared through"
            parts.append(f"{how} {self.shared_through}")
        return "; ".join(parts)

    def _html(self) -> str:
        rows = [{"Process": each.owner, **each.used} for each in self.holders]
        return html.table(rows, len(rows), str(self))
