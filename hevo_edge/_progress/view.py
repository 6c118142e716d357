"""What shows lines: in a notebook, in a terminal, or line by line."""

from __future__ import annotations

from itertools import islice
from typing import Protocol

from hevo_edge._progress.lines import MAX_SHOWN, Group, Line
from hevo_edge._text.html import cell_text
from hevo_edge._text.tables import Column


class View(Protocol):
    """Where lines are shown. What it raises is dropped: no stream ends what is under way."""

    interval: float
    """Seconds between two calls of ``refresh``."""

    def opened(self, group: Group) -> None:
        """A group has begun, whose total is known."""
        ...

    def changed(self, line: Line, now: float) -> None:
        """A line has changed, or is over."""
        ...

    def refresh(self, groups: list[Group], now: float) -> None:
        """Some time has passed."""
        ...

    def closed(self, groups: list[Group], now: float) -> None:
        """All is over; what is shown stays."""
        ...


MANY_INTERVAL = 5.0
"""Seconds between two drawings where many are counted."""
COLUMNS = (
    Column("Pipeline", may_shrink=True),
    Column("Job", 2, may_shrink=True),
    Column("State", may_shrink=True),
    Column("Elapsed", 1),
    Column("Events", 3),
    Column("Objects", 4),
    Column("Left", 5),
)
"""The columns of a live table; where there is no room, the highest rank is left out first."""


def shown(groups: list[Group]) -> list[Line]:
    """Return the lines that a live table shows, those of each group by their beginning."""
    lines: list[Line] = []
    for group in groups:
        ended = [] if group.is_counted else group.ended
        lines += sorted([*ended, *islice(group.active, MAX_SHOWN)], key=lambda line: line.began)
    return lines[-MAX_SHOWN:]


def interval_for(groups: list[Group], few: float) -> float:
    """Return the seconds until a table is drawn again: drawing may cost more than polling."""
    return MANY_INTERVAL if any(group.is_counted for group in groups) else few


def summaries(groups: list[Group], now: float) -> list[str]:
    """Return a sentence for each group of many."""
    return [group.text(now) for group in groups if group.is_counted]


def texts(line: Line, now: float) -> list[str]:
    """Return the cells of a line, in the order of the columns."""
    row = line.row(now)
    return [cell_text(row.get(column.title)) for column in COLUMNS]
