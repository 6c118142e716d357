"""A live table in a terminal, drawn by rich."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from hevo_edge._progress.lines import Group, Line
from hevo_edge._progress.view import (
    columns_and_rows,
    interval_for,
    left_behind,
    shown,
    summaries,
    texts_of,
)
from hevo_edge._text.logger import get_logger
from hevo_edge._text.tables import cut, table
from hevo_edge.enums import PUT_ASIDE_STATUSES

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

FEW_INTERVAL = 0.5
"""Seconds between two drawings of a few."""
ECHO = len("^C")
"""Cells that stay free at the end of a row: if what a terminal echoes there made a row of its own,
the table would be drawn anew a row too low."""
_terminal = threading.Lock()
"""Held by the view that draws: a terminal has room for one."""


class TerminalView:
    """Redraws a table in place, until all is over; its last state stays.

    Args:
        live: rich's display, which is started.
        text: rich's class of texts, which takes no markup from what it is given.
    """

    interval: float = FEW_INTERVAL

    def __init__(self, live: Live, text: type[Text]) -> None:
        self._live = live
        self._text = text

    def opened(self, group: Group) -> None:
        """What began is drawn with the next refresh."""

    def changed(self, line: Line, now: float) -> None:
        """It is drawn with the next refresh."""

    def refresh(self, groups: list[Group], now: float) -> None:
        """Draw what is under way now."""
        self.interval = interval_for(groups, FEW_INTERVAL)
        drawn = self._text(no_wrap=True, overflow="ellipsis")
        width = self._live.console.width - ECHO
        for place, (content, style) in enumerate(_lines(groups, now, width)):
            drawn.append("\n" if place else "")
            drawn.append(content, style=style)
        self._live.update(drawn, refresh=True)

    def closed(self, groups: list[Group], now: float) -> None:
        """Draw how it ended, and leave the terminal as it was."""
        try:
            self.refresh(groups, now)
        finally:
            self._live.stop()
            _terminal.release()
        for sentence in left_behind(groups):
            self._live.console.print(self._text(sentence), soft_wrap=True)


def terminal_view() -> TerminalView | None:
    """Return a view that draws on stderr.

    None where stderr is no terminal that can be redrawn, log records go there as well, another view
    draws on it, or rich is not installed.
    """
    if not _is_live(sys.stderr) or os.environ.get("TERM", "dumb") == "dumb" or _logs_to_terminal():
        return None
    try:
        from rich.console import Console  # noqa: PLC0415 -- only for those who have it
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415
    except ImportError:
        return None
    if not _terminal.acquire(blocking=False):
        return None
    try:
        # What is printed meanwhile goes above the table, but not what goes to a file or a pipe.
        live = Live(
            console=Console(stderr=True),
            auto_refresh=False,
            redirect_stdout=_is_live(sys.stdout),
        )
        live.start()
    except BaseException:
        _terminal.release()
        raise
    return TerminalView(live, Text)


def _lines(groups: list[Group], now: float, width: int) -> list[tuple[str, str]]:
    """Return what to draw: texts, and the style of each."""
    lines = shown(groups)
    columns, rows = columns_and_rows(lines, now)
    drawn = table(columns, texts_of(rows), width)
    styles = ["bold", *map(_style, lines)]
    if len(drawn) != len(styles):  # too narrow for a table
        styles = [""] * len(drawn)
    told = [*((text, "") for text in summaries(groups, now)), *zip(drawn, styles, strict=True)]
    return [(cut(text, width), style) for text, style in told]


def _style(line: Line) -> str:
    if line.outcome is None:
        return ""
    if line.is_left or line.outcome in PUT_ASIDE_STATUSES:
        return "yellow"
    return "red" if line.is_failed else "green"


def _is_live(stream: Any) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def _logs_to_terminal() -> bool:
    """Say whether log records are written to a terminal, where they would break the table."""
    handlers = [*logging.root.handlers, *get_logger("hevo_edge").handlers]
    return any(_is_live(getattr(handler, "stream", None)) for handler in handlers)
