"""The line of one trigger."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager

from hevo_edge._common.per_loop import loop_time
from hevo_edge._progress.display import Display, display_of_loop
from hevo_edge._progress.lines import Line, NameOf
from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import short
from hevo_edge.observing._events import BudgetEvent, TriggerEvent, TriggerPhase
from hevo_edge.observing._observer import Observer, Observers

_NOTICEABLE = 1.0
"""Seconds beyond which a wait for the call budget is shown; a lock in use takes no longer."""
_LEFT_BEHIND = {
    TriggerPhase.POSTING: "may have started in Hevo",
    TriggerPhase.SEARCHING: "goes on in Hevo",
}
"""What an interrupt in a phase leaves behind."""
_WORTH_A_LINE = frozenset({TriggerPhase.WAITING, TriggerPhase.SEARCHING})
"""The phases that may take long."""


class TriggerLine(Line, Observer):
    """One trigger: an observer of its client that picks what is about it.

    Args:
        ticket_id: The trigger's ticket.
        what: What it triggers, such as ``SYNC_NOW``.
        pipeline_id: The Pipeline.
        name_of: Returns a Pipeline's name.
        display: Shows it.
    """

    def __init__(
        self,
        ticket_id: str,
        what: str,
        pipeline_id: int,
        name_of: NameOf,
        display: Display,
    ) -> None:
        super().__init__(pipeline_id, name_of, loop_time())
        self._ticket_id = ticket_id
        self._what = what
        self._display = display
        self._phase = TriggerPhase.STARTED
        self._doing = "starting"
        self._budget_until: float | None = None
        self._job_id: str | None = None
        self._certainty: str | None = None

    @property
    def job(self) -> str:
        """The id of the Job that it has found."""
        return "" if self._job_id is None else short(self._job_id)

    @property
    def type(self) -> str:
        """What it triggers."""
        return self._what

    @property
    def job_key(self) -> tuple[int, str] | None:
        """The Job that it has found."""
        return None if self._job_id is None else (self.pipeline_id, self._job_id)

    def state(self, now: float) -> str:
        """Return what it is doing."""
        if self._budget_until is None:
            return self._doing
        left = format_duration(max(1.0, self._budget_until - now))
        return f"waiting for the call budget, about {left}"

    @property
    def kind(self) -> str:
        """What it is counted as."""
        if self._budget_until is not None:
            return "waiting for the call budget"
        return re.sub(r"Job \S+", "a Job", self._doing)

    def text(self, now: float) -> str:
        """Return the line to print, for what may take long and for the end."""
        name = f"Pipeline {self.pipeline} {self._what}"
        if self.outcome is not None:
            return f"{name}: {self.outcome}, after {format_duration(self.elapsed(now))}"
        if self._budget_until is None and self._phase not in _WORTH_A_LINE:
            return ""
        return f"{name}: {self.state(now)}"

    def row(self, now: float) -> dict[str, object]:
        """Return what a table shows of it; the Job that was found has a column of its own."""
        row = super().row(now)
        if self._job_id is not None:
            row["State"] = f"started ({self._certainty})"
        return row

    # -- what it observes -------------------------------------------------------------------------

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Take the phase that the trigger has entered."""
        if event.ticket_id != self._ticket_id:
            return
        waits_for_budget, self._budget_until = self._budget_until is not None, None
        if event.phase is TriggerPhase.ENDED:
            self._job_id, self._certainty = event.job_id, event.certainty
            is_sending = self._phase is TriggerPhase.POSTING and waits_for_budget
            is_interrupted = isinstance(event.error, asyncio.CancelledError)
            is_posted = is_interrupted and not is_sending
            fate = _LEFT_BEHIND.get(self._phase, "") if is_posted else ""
            failed = event.error is not None
            self._display.end(self, _outcome(event, fate), failed=failed, fate=fate)
        else:
            self._phase, self._doing = event.phase, event.doing
            self._display.changed(self)

    def on_budget(self, event: BudgetEvent, /) -> None:
        """Take that the trigger has to wait for the call budget, or does so no longer."""
        # Triggers of one Pipeline never interleave, and polls have a priority of their own.
        if event.pipeline_id != self.pipeline_id or event.priority == "poll":
            return
        if event.waited is not None:
            self._budget_until = None
        elif event.expected > _NOTICEABLE:
            self._budget_until = loop_time() + event.expected
        else:
            return
        self._display.changed(self)


@contextmanager
def trigger_shown(
    observers: Observers, ticket_id: str, what: str, pipeline_id: int, name_of: NameOf
) -> Generator[None, None, None]:
    """Show the trigger in the block; for the arguments, see ``TriggerLine``."""
    display = display_of_loop()
    line = TriggerLine(ticket_id, what, pipeline_id, name_of, display)
    display.begin(line, display.shared_group("triggers"))
    try:
        with observers.added(line):
            yield
    finally:
        display.end(line, "ended", failed=True)  # unless its last event has told the end


def _outcome(event: TriggerEvent, fate: str) -> str:
    if isinstance(event.error, asyncio.CancelledError):
        return f"{fate or 'nothing was started'}; interrupted"
    if event.error is not None:
        return f"ended by {type(event.error).__name__}"
    if event.job_id is None:
        return "ended"
    return f"became Job {short(event.job_id)} ({event.certainty})"
