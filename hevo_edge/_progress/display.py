"""The display of one event loop: which lines there are, and when their view is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakKeyDictionary

from hevo_edge._common.contexts import without_context
from hevo_edge._common.per_loop import has_loop, loop_time, running_loop
from hevo_edge._progress.choice import choose_view
from hevo_edge._progress.lines import Group, Line
from hevo_edge._progress.view import View

MAX_OVER = 5
"""How many groups stay that are over, while others are under way."""


class Display:
    """Shows what is under way in one event loop; it has a view, and a timer, only meanwhile."""

    def __init__(self) -> None:
        self._view: View | None = None
        self._groups: list[Group] = []
        self._shared: dict[str, Group] = {}
        self._timer: asyncio.TimerHandle | None = None

    def shared_group(self, noun: str) -> Group:
        """Return the group of all single ones of a kind that are under way."""
        group = self._shared.get(noun)
        if group is None or not group.active:
            group = self._shared[noun] = self.group(noun)
        return group

    def group(self, noun: str, total: int = 0) -> Group:
        """Begin a group of its own."""
        over = [each for each in self._groups if not each.active][-MAX_OVER:]
        self._groups = [each for each in self._groups if each.active or each in over]
        group = Group(noun, loop_time(), total)
        self._groups.append(group)
        if self._view is None:
            self._view = choose_view()
            self._arm(self._view)
        if total:
            self._tell(lambda view: view.opened(group))
        return group

    def begin(self, line: Line, group: Group) -> None:
        """Add a line."""
        line.group = group
        group.add(line)
        if line.job_key is not None:
            for each in self._groups:
                each.replace(line.job_key)

    def changed(self, line: Line) -> None:
        """Show that a line has changed."""
        now = loop_time()
        self._tell(lambda view: view.changed(line, now))

    def end(
        self, line: Line, outcome: str, *, failed: bool = False, left: bool = False, fate: str = ""
    ) -> None:
        """Show that a line is over. Ending it twice does nothing.

        Args:
            line: The line.
            outcome: How it has ended.
            failed: Whether that is an error.
            left: Whether it is only no longer waited for.
            fate: What becomes of what it leaves behind in Hevo, if there is something.
        """
        group = line.group
        if group is None or line not in group.active or not has_loop():
            return
        line.outcome, line.ended_at = outcome, loop_time()
        line.is_failed, line.is_left, line.fate = failed, left, fate
        group.end(line)
        self.changed(line)
        # A trigger is followed by a wait: that shall be one display.
        without_context(running_loop().call_soon, self._close_if_idle)

    # -- inside -----------------------------------------------------------------------------------

    def _tell(self, what: Callable[[View], None]) -> None:
        # A service has no stderr, and in a notebook it may be anything.
        with suppress(Exception):
            if self._view is not None:
                what(self._view)

    def _arm(self, view: View) -> None:
        self._timer = without_context(running_loop().call_later, view.interval, self._refresh)

    def _refresh(self) -> None:
        now = loop_time()
        self._tell(lambda view: view.refresh(self._groups, now))
        if self._view is not None:
            self._arm(self._view)

    def _close_if_idle(self) -> None:
        if self._view is None or any(each.active for each in self._groups):
            return
        groups, now = self._groups, loop_time()
        if self._timer is not None:
            self._timer.cancel()
        self._tell(lambda view: view.closed(groups, now))
        self._view, self._timer, self._groups = None, None, []
        self._shared.clear()


_displays: WeakKeyDictionary[asyncio.AbstractEventLoop, Display] = WeakKeyDictionary()


def display_of_loop() -> Display:
    """Return the display of the running event loop."""
    return _displays.setdefault(running_loop(), Display())
