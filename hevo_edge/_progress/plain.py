"""Lines on stderr: one for each change of a few, a count now and then of many."""

from __future__ import annotations

import sys

from hevo_edge._progress.lines import Group, Line
from hevo_edge._text.printable import printable

MAX_FAILED = 20
"""Up to so many of a group that is counted get a line when they end by an error."""
COUNT_INTERVAL = 10.0
"""Seconds between the lines that count many."""


class PlainView:
    """Writes to stderr, wherever that leads."""

    interval: float = COUNT_INTERVAL

    def __init__(self) -> None:
        self._printed: dict[Group, tuple[float, object]] = {}
        self._last: dict[Line, str] = {}

    def opened(self, group: Group) -> None:
        """Say how many there are."""
        if group.is_counted:
            _print(f"waiting for {group.total:,} Jobs")
            self._printed[group] = group.began, _counts(group)

    def changed(self, line: Line, now: float) -> None:
        """Print a line, or count it."""
        group = line.group
        if group is None:
            return
        if group.is_counted:
            printed_at, _ = self._printed.get(group, (group.began, None))
            is_time = now >= printed_at + COUNT_INTERVAL and not line.is_left
            if line.is_failed and group.failed <= MAX_FAILED:
                _print(line.text(now))
            if line.outcome is not None and (not group.active or is_time):
                self._count(group, now)
            if not group.active:
                self._printed.pop(group, None)
                for sentence in group.left_behind():
                    _print(sentence)
            return
        text = line.text(now)
        if text and self._last.get(line) != text:
            _print(text)
            self._last[line] = text
        if line.outcome is not None:
            self._last.pop(line, None)

    def refresh(self, groups: list[Group], now: float) -> None:
        """Count the groups in which something has changed."""
        for group in groups:
            printed_at, counts = self._printed.get(group, (group.began, None))
            is_time = group.active and now >= printed_at + COUNT_INTERVAL
            if group.is_counted and is_time and counts != _counts(group):
                self._count(group, now)

    def closed(self, groups: list[Group], now: float) -> None:
        """All is printed."""

    def _count(self, group: Group, now: float) -> None:
        self._printed[group] = now, _counts(group)
        _print(group.text(now))


def _counts(group: Group) -> tuple[int, dict[str, int]]:
    """Return what is worth a line when it has changed: a poll that fails is not."""
    return group.over, group.kinds() if group.noun == "triggers" else {}


def _print(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{printable(text)}\n")
