"""Which view shows progress here."""

from __future__ import annotations

from hevo_edge._progress.notebook import notebook_view
from hevo_edge._progress.plain import PlainView
from hevo_edge._progress.terminal import terminal_view
from hevo_edge._progress.view import View


def choose_view() -> View:
    """Return the best view: a notebook's, a live terminal's, or plain lines on stderr."""
    for offered in (notebook_view, terminal_view):
        try:
            view: View | None = offered()
        except Exception:  # noqa: BLE001, S112 -- whatever is wrong there, plain lines can do without
            continue
        if view is not None:
            return view
    return PlainView()
