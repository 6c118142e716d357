"""One output of a notebook's cell, updated in place; no widgets."""

from __future__ import annotations

import contextvars
import sys
from typing import Any

from hevo_edge._progress.lines import Group, Line
from hevo_edge._progress.view import (
    columns_and_rows,
    interval_for,
    left_behind,
    shown,
    summaries,
    texts_of,
)
from hevo_edge._text import html
from hevo_edge._text.tables import table

FEW_INTERVAL = 1.0
"""Seconds between two updates of a few."""


class NotebookView:
    """Shows a table in the cell that has begun what is shown.

    Args:
        display: ``IPython.display.display``.
    """

    interval: float = FEW_INTERVAL

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        # A kernel knows by its context to which cell an output belongs.
        self._context = contextvars.copy_context()

    def opened(self, group: Group) -> None:
        """What began is shown with the next change or refresh."""

    def changed(self, line: Line, now: float) -> None:
        """Show the first change at once; the others with the next refresh."""
        if self._handle is None and line.group is not None:
            self.refresh([line.group], now)

    def refresh(self, groups: list[Group], now: float) -> None:
        """Show what is under way now."""
        self.interval = interval_for(groups, FEW_INTERVAL)
        bundle = _bundle(groups, now)
        if self._handle is None:
            show = self._display
            self._handle = self._context.run(show, bundle, raw=True, display_id=True)
        else:
            self._context.run(self._handle.update, bundle, raw=True)

    def closed(self, groups: list[Group], now: float) -> None:
        """Show how it ended."""
        self.refresh(groups, now)


def notebook_view() -> NotebookView | None:
    """Return a view for the running kernel; None outside of one."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 -- a kernel has it
    from IPython.display import display  # noqa: PLC0415

    shell: Any = get_ipython()
    return None if getattr(shell, "kernel", None) is None else NotebookView(display)


def _bundle(groups: list[Group], now: float) -> dict[str, str]:
    lines, sentences = shown(groups), [*summaries(groups, now), *left_behind(groups)]
    columns, rows = columns_and_rows(lines, now)
    plain = table(columns, texts_of(rows), None)
    title = "; ".join(sentences)
    return {
        "text/html": html.table(rows, len(rows), title) if rows else html.paragraph(title),
        "text/plain": "\n".join([*sentences, *plain]),
    }
