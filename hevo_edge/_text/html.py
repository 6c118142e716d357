"""HTML for notebooks: small tables of other people's words.

Everything is made printable and escaped. There is no script, no style sheet, no address that is
loaded, and no colour but the page's own, so that it can be read on light and on dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from html import escape
from itertools import islice

from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import printable, short

MAX_ROWS = 50
"""How many rows of a table are shown."""
# The classes keep MathJax from making formulas of names with dollar signs.
_BOX = '<div class="tex2jax_ignore mathjax_ignore" style="color:inherit;overflow-x:auto">'
_TABLE = '<table style="color:inherit;border-collapse:collapse">'
# A reference of a Job has room in one line; one long name pushes no column out of sight.
_CELL = "padding:.2em .7em;border:1px solid currentColor;max-width:24em;overflow-wrap:break-word"


class Link(str):
    """An address to be clicked; anything but http and https is shown as text."""

    __slots__ = ()


def facts(values: Mapping[str, object], title: str = "") -> str:
    """Return a table of two columns, names and values, without the values that are None."""
    rows = [
        f"<tr>{_cell('th', name, 'left')}{_cell('td', value, 'left')}</tr>"
        for name, value in values.items()
        if value is not None
    ]
    return f"{_BOX}{_text(title)}{_TABLE}<tbody>{''.join(rows)}</tbody></table></div>"


def table(rows: Iterable[Mapping[str, object]], total: int, title: str = "") -> str:
    """Return a table of the first rows, and how many more there are.

    Args:
        rows: What is in each row, by the column's name; a column exists when one row has it.
        total: How many rows there are.
        title: What to write above it.
    """
    shown = list(islice(rows, MAX_ROWS))
    columns = list(dict.fromkeys(name for row in shown for name in row))
    head = "".join(_cell("th", name, "left") for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell('td', row.get(name)) for name in columns)}</tr>" for row in shown
    )
    more = f"… {total - len(shown):,} more" if total > len(shown) else ""
    inner = f"{_TABLE}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{_BOX}{_text(title)}{inner}{_text(more)}</div>"


def paragraph(text: object) -> str:
    """Return a paragraph of text."""
    return f"{_BOX}{_text(text)}</div>"


def cell_text(value: object) -> str:
    """Return what is written for a value: UTC for a time, ``3m05s`` for a duration."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return short(value)


def _cell(tag: str, value: object, align: str = "") -> str:
    is_number = isinstance(value, (int, timedelta)) and not isinstance(value, bool)
    text = escape(cell_text(value))
    if isinstance(value, Link) and value.startswith(("https://", "http://")):
        text = f'<a href="{escape(printable(value))}" rel="noopener noreferrer">{text}</a>'
    align = align or ("right" if is_number else "left")
    return f'<{tag} style="{_CELL};text-align:{align}">{text}</{tag}>'


def _text(text: object) -> str:
    return f'<p style="margin:.3em 0">{escape(printable(text))}</p>' if text else ""
