"""Strikes at moments of the conversation: kills of the caller, outages of the server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from hevo_edge.emulator import Journal, RecordedCall

from .scenario import Kill, Trouble

START_ENDPOINTS = ("sync_now", "resync_pipeline", "resync_objects")
RUNAWAY = 3000
"""Requests after which a trial is taken for a hang, should it send them all in no time."""
_NEXT = 1e-6  # virtual seconds: when all that can be done at this moment has been done


class WatchedJournal(Journal):
    """A journal that tells of each request on its arrival."""

    def __init__(self, arrived: Callable[[RecordedCall], None]) -> None:
        super().__init__()
        self._arrived = arrived

    def append(self, call: RecordedCall) -> None:
        """Note a request."""
        super().append(call)
        self._arrived(call)


class Killer:
    """Kills a task at the moment that a ``Kill`` says."""

    def __init__(self, kill: Kill | None, task: asyncio.Task[object]) -> None:
        self.kill = kill
        self.has_struck = False
        self._task = task
        self._seen = 0
        self._target: RecordedCall | None = None
        self._timers: list[asyncio.TimerHandle] = []
        if kill is not None and kill.moment == "offset":
            self._later(kill.seconds)

    def arrived(self, call: RecordedCall) -> None:
        """Hear of a request that the server got."""
        if self.kill is None or (self.kill.on == "post" and call.endpoint not in START_ENDPOINTS):
            return
        self._seen += 1
        if self._seen == self.kill.nth:
            self._target = call
            if self.kill.moment == "arrived":
                self.strike()

    def answered(self, call: RecordedCall) -> None:
        """Hear of a request whose answer is known, but not sent."""
        if self.kill is None or call is not self._target:
            return
        if self.kill.moment == "answered":
            self.strike()
        elif self.kill.moment == "received":
            self._later(_NEXT)

    def stored(self) -> None:
        """Hear that the ticket is stored, and not fired yet."""
        if self.kill is not None and self.kill.moment == "stored":
            self.strike()

    def strike(self) -> None:
        """Kill."""
        if not self._task.done():
            self.has_struck = True
            self._task.cancel()

    def disarm(self) -> None:
        """Strike no more."""
        self.kill = None
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self.strike))


class Outages:
    """Stops the server after a request, and starts it again."""

    def __init__(self, troubles: list[Trouble], stop_for: Callable[[float], None]) -> None:
        self._due = {(trouble.on, trouble.skip): trouble.seconds for trouble in troubles}
        self._stop_for = stop_for
        self._seen: Counter[str] = Counter()

    def answered(self, call: RecordedCall) -> None:
        """Hear of a request whose answer is known; it is sent before the server goes."""
        for name in ("any", call.endpoint):
            self._seen[name] += 1
            seconds = self._due.pop((name, self._seen[name]), None)
            if seconds is not None:
                # The reply leaves in this step of the loop; the next request comes steps later.
                asyncio.get_running_loop().call_soon(self._stop_for, seconds)
