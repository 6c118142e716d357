"""What is told to observers of a call that triggers."""

from __future__ import annotations

from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from hevo_edge._common.clock import Clock
from hevo_edge._common.per_loop import has_loop
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge.observing._events import TriggerEvent, TriggerPhase
from hevo_edge.observing._observer import Observers

if TYPE_CHECKING:
    from typing_extensions import Self

FoundT = TypeVar("FoundT", bound="Found | None")
_calls = count(1)


class TriggerReport:
    """Tells how one call of ``trigger``, ``prepare``, ``fire`` or ``reconcile`` goes.

    Use it as a context manager around the call, which gives it the call's end.

    Args:
        observers: Those who are told.
        clock: Time.
        verb: Which of the four it is.
        ticket: Its ticket.
    """

    def __init__(
        self, observers: Observers, clock: Clock, verb: str, ticket: TriggerTicket
    ) -> None:
        self._observers = observers
        self._clock = clock
        self._verb = verb
        self._ticket = ticket
        self._call = next(_calls)
        self._began = clock.now()
        self._last: tuple[TriggerPhase, str] | None = None
        self._found: Found | None = None

    def phase(self, phase: TriggerPhase, doing: str) -> None:
        """Tell what the call is doing now, unless that was told last."""
        if self._observers and self._last != (phase, doing):
            self._last = (phase, doing)
            self._notify(phase, doing)

    def found(self, found: FoundT) -> FoundT:
        """Note what the call has found, and return it."""
        self._found = found
        return found

    def __enter__(self) -> Self:
        self.phase(TriggerPhase.STARTED, "starting")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._observers and has_loop():
            found = {}
            if self._found is not None:
                found = {"job_id": self._found.job_id, "certainty": self._found.certainty}
            self._notify(TriggerPhase.ENDED, "ended", error=error, **found)

    def _notify(self, phase: TriggerPhase, doing: str, **more: Any) -> None:
        self._observers.notify(
            TriggerEvent(
                call=self._call,
                verb=self._verb,
                ticket_id=self._ticket.ticket_id,
                pipeline_id=self._ticket.pipeline_id,
                action=self._ticket.action,
                phase=phase,
                doing=doing,
                elapsed=self._clock.now() - self._began,
                **more,
            )
        )
