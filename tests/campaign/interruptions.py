"""Interruptions at chosen requests: kills of the caller, outages of the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from hevo_edge.emulator import Journal, RecordedCall

from .scenario import Kill, PlannedFault

START_ENDPOINTS = ("sync_now", "resync_pipeline", "resync_objects")
RUNAWAY = 3000
"""The number of requests after which a trial counts as a hang, however little time they take."""
_NEXT = 1e-6  # virtual seconds: after everything that can run now has run


class ObservedJournal(Journal):
    """A journal that calls ``arrived`` with each request on its arrival."""

    def __init__(self, arrived: Callable[[RecordedCall], None]) -> None:
        super().__init__()
        self._arrived = arrived

    def append(self, call: RecordedCall) -> None:
        """Record a request."""
        super().append(call)
        self._arrived(call)


class Killer:
    """Cancels a task at the moment that a ``Kill`` names."""

    def __init__(self, kill: Kill | None, task: asyncio.Task[object]) -> None:
        self.kill = kill
        self.has_killed = False
        self._task = task
        self._seen = 0
        self._target: RecordedCall | None = None
        self._timers: list[asyncio.TimerHandle] = []
        if kill is not None and kill.moment == "offset":
            self._later(kill.seconds)

    def arrived(self, call: RecordedCall) -> None:
        """Handle the arrival of a request at the server."""
        if self.kill is None or (self.kill.on == "post" and call.endpoint not in START_ENDPOINTS):
            return
        self._seen += 1
        if self._seen == self.kill.nth:
            self._target = call
            if self.kill.moment == "arrived":
                self.kill_now()

    def answered(self, call: RecordedCall) -> None:
        """Handle a request whose answer is known, but not sent."""
        if self.kill is None or call is not self._target:
            return
        if self.kill.moment == "answered":
            self.kill_now()
        elif self.kill.moment == "received":
            self._later(_NEXT)

    def stored(self) -> None:
        """Handle that the ticket was stored, and not fired yet."""
        if self.kill is not None and self.kill.moment == "stored":
            self.kill_now()

    def kill_now(self) -> None:
        """Kill the process."""
        if not self._task.done():
            self.has_killed = True
            self._task.cancel()

    def disarm(self) -> None:
        """Cancel a kill that has not happened."""
        self.kill = None
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self.kill_now))


class Outages:
    """Stops the server after a request, and starts it again."""

    def __init__(self, faults: list[PlannedFault], stop_for: Callable[[float], None]) -> None:
        self._due = {(fault.on, fault.skip): fault.seconds for fault in faults}
        self._stop_for = stop_for
        self._seen: Counter[str] = Counter()

    def answered(self, call: RecordedCall) -> None:
        """Handle a request whose answer is known; it is sent before the server stops."""
        for name in ("any", call.endpoint):
            self._seen[name] += 1
            seconds = self._due.pop((name, self._seen[name]), None)
            if seconds is not None:
                # The reply is sent in this step of the loop; the next request comes steps later.
                asyncio.get_running_loop().call_soon(self._stop_for, seconds)
