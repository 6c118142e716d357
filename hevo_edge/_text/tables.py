"""Tables as plain text, in as many columns as the terminal has room for."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

GAP = 2
"""Spaces between columns."""
MIN_SHRUNK = 12
"""Cells, at least, of a column that is cut."""
MIN_TABLE = 40
"""Cells below which nothing is a table: each value gets a line."""


class Column(NamedTuple):
    """A column.

    Attributes:
        title: Its title.
        rank: Where there is no room, the column of the highest rank is left out first; one of rank
            0 never.
        may_shrink: Whether its texts may be cut.
        least: To how many cells they are cut, at least, while a column can be left out.
    """

    title: str
    rank: int = 0
    may_shrink: bool = False
    least: int = MIN_SHRUNK


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table: at most ``width`` cells each; None for no limit."""
    if not rows:
        return []
    if width is not None and width < MIN_TABLE:
        return _records(columns, rows, width)
    widths = {
        place: max(cells(column.title), *(cells(row[place]) for row in rows))
        for place, column in enumerate(columns)
    }
    if width is not None and not _narrow(columns, widths, width):
        return _records(columns, rows, width)
    lines = [_line([columns[place].title for place in widths], widths)]
    return lines + [_line([row[place] for place in widths], widths) for row in rows]


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def cut(text: str, width: int) -> str:
    """Return a text of at most so many cells; dots show that it was cut."""
    if cells(text) <= width:
        return text
    room, kept = width - 2, ""
    for character in text:
        room -= _cells_of(character)
        if room < 0:
            break
        kept += character
    return f"{kept}.."


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _narrow(columns: Sequence[Column], widths: dict[int, int], width: int) -> bool:
    """Cut columns and leave others out until all fit, and say whether they do."""
    while not _fit(columns, widths, width):
        if not _leave_out(columns, widths):
            return _fit([each._replace(least=MIN_SHRUNK) for each in columns], widths, width)
    return True


def _fit(columns: Sequence[Column], widths: dict[int, int], width: int) -> bool:
    """Cut columns until all fit, and say whether they do; else leave them as they are."""
    over = sum(widths.values()) + GAP * (len(widths) - 1) - width
    spare = {
        place: max(0, each - columns[place].least)
        for place, each in widths.items()
        if columns[place].may_shrink
    }
    if over > sum(spare.values()):
        return False
    for place, room in spare.items():
        less = max(0, min(room, over))
        widths[place] -= less
        over -= less
    return True


def _leave_out(columns: Sequence[Column], widths: dict[int, int]) -> bool:
    place = max(widths, key=lambda place: columns[place].rank)
    if not columns[place].rank:
        return False
    del widths[place]
    return True


def _line(texts: Sequence[str], widths: dict[int, int]) -> str:
    parts = []
    for text, width in zip(texts, widths.values(), strict=True):
        shown = cut(text, width)
        parts.append(shown + " " * (width - cells(shown)))
    return (" " * GAP).join(parts).rstrip()


def _records(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return each row as lines of a title and a value, broken where they are too long."""
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        for column, text in zip(columns, row, strict=True):
            if text:
                lines += textwrap.wrap(
                    f"{column.title}: {text}",
                    max(8, width),
                    subsequent_indent="  ",
                    break_long_words=False,  # an id must stay one to be copied
                    break_on_hyphens=False,
                )
    return lines
