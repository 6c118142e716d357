"""Who waits for a slot of the call budget in one event loop, and who is next."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.window import Slot

_POLLS_HEAD_START = 20.0
"""The more urgent always goes first, except that a list that has waited so many seconds longer
goes before a poll: polls would starve lists for ever."""


@dataclass(eq=False)
class SlotQueue:
    """Who waits for a slot in one event loop."""

    loop: asyncio.AbstractEventLoop
    waiting: dict[Priority, deque[tuple[float, asyncio.Future[Slot]]]] = field(
        default_factory=lambda: {priority: deque() for priority in Priority}
    )
    timer: asyncio.TimerHandle | None = None
    granting: asyncio.Task[None] | None = None
    is_stale: bool = False
    """Something has changed since ``granting`` began."""

    def heads(self) -> list[Priority]:
        """Return the priorities that wait, the one to serve first in front."""
        priorities = []
        for priority, line in self.waiting.items():
            while line and line[0][1].done():
                line.popleft()
            if line:
                priorities.append(priority)
        return sorted(priorities, key=self._order)

    def counts(self) -> dict[Priority, int]:
        """Return how many wait, by priority."""
        return {
            priority: sum(not granted.done() for _, granted in line)
            for priority, line in self.waiting.items()
        }

    def _order(self, priority: Priority) -> tuple[int, float]:
        head_start = _POLLS_HEAD_START if priority is Priority.LIST else 0.0
        return min(priority, Priority.POLL), self.waiting[priority][0][0] + head_start
