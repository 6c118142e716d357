"""What shows lines: in a notebook, in a terminal, or line by line."""

from __future__ import annotations

from typing import Protocol

from hevo_edge._progress.lines import MAX_LINE_EACH, MAX_SHOWN, Group, Line
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
"""Seconds between two drawings of many."""
ID_WIDTH = 36
"""Cells of a UUID, which must stay whole to be copied."""
COLUMNS = (
    Column("Pipeline", may_shrink=True),
    Column("Type", 6),
    Column("Job", 2, may_shrink=True, least=ID_WIDTH),
    Column("State", may_shrink=True, least=17),
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
        if group.is_shown:
            lines += sorted([*group.ended, *group.active], key=lambda line: line.began)
        else:
            lines += [line for line in group.ended if line.is_failed][-MAX_LINE_EACH:]
    return lines[-2 * MAX_SHOWN :]


def interval_for(groups: list[Group], few: float) -> float:
    """Return the seconds until a table is drawn again: drawing may cost more than polling."""
    return MANY_INTERVAL if any(not group.is_shown for group in groups) else few


def summaries(groups: list[Group], now: float) -> list[str]:
    """Return a sentence for each group of many."""
    return [group.text(now) for group in groups if not group.is_shown]


def left_behind(groups: list[Group]) -> list[str]:
    """Return what is left behind in Hevo."""
    return [sentence for group in groups for sentence in group.left_behind()]


def columns_and_rows(lines: list[Line], now: float) -> tuple[list[Column], list[dict[str, object]]]:
    """Return the columns in which something stands, and what stands there in each line."""
    rows = [line.row(now) for line in lines]
    columns = [column for column in COLUMNS if any(row.get(column.title) for row in rows)]
    titles = [column.title for column in columns]
    return columns, [{title: row.get(title) for title in titles} for row in rows]


def texts_of(rows: list[dict[str, object]]) -> list[list[str]]:
    """Return what is written in each row."""
    return [[cell_text(value) for value in row.values()] for row in rows]
