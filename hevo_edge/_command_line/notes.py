"""What is said of waits before there is a Job: a silent command looks as if it hung."""

from __future__ import annotations

from time import monotonic

from hevo_edge._command_line.output import Console
from hevo_edge._text.durations import format_duration
from hevo_edge.observing import BudgetEvent, Observer, TriggerEvent, TriggerPhase

NOTICEABLE = 3.0
"""Seconds from which on a wait for the call budget is worth a line."""
SAID_BY_THE_COMMAND = (
    "polling for the Job of %s",
    "%s of Pipeline %s became %s",
    "waiting for %s to end",
    "no longer waiting for ",
)
"""How the package's log records begin that tell what the command says in words of its own."""
BETWEEN = 30.0
"""Seconds between two lines about the call budget, for which hundreds may wait at once."""


class WaitNotes(Observer):
    """Says what a trigger waits for, and that the call budget is used up.

    Args:
        console: Where to say it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._silent_until = 0.0

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Say what a trigger waits for; of a search for an earlier run's Job its command tells."""
        is_new_search = event.phase is TriggerPhase.SEARCHING and event.verb != "reconcile"
        if event.phase is TriggerPhase.WAITING or is_new_search:
            self._console.note(f"Pipeline {event.pipeline_id}: {event.doing}")

    def on_budget(self, event: BudgetEvent, /) -> None:
        """Say that a call has to wait, unless it is a poll: those are made to wait."""
        is_silent = monotonic() < self._silent_until
        if is_silent or event.priority == "poll" or event.expected < NOTICEABLE:
            return
        self._silent_until = monotonic() + BETWEEN
        left = format_duration(event.expected)
        self._console.note(f"waiting for the call budget, about {left}")
