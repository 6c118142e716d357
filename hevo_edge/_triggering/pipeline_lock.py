"""One trigger of a Pipeline at a time in an event loop; others hear when it has started a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

from hevo_edge._common.per_loop import running_loop
from hevo_edge._common.timeouts import locked

_locks: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[str, int], PipelineLock]
] = WeakKeyDictionary()


class PipelineLock:
    """A Pipeline's lock: one trigger reads, posts and searches at a time."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        # Its result is the id of the ticket.
        self._run_started: asyncio.Future[str] | None = None

    @property
    def is_held(self) -> bool:
        """Whether an attempt holds it now."""
        return self._lock.locked()

    def mark_run_started(self, ticket_id: str) -> None:
        """Say that Hevo has accepted the POST of the holder's ticket: a run is under way."""
        started = self._announcement()
        if not started.done():
            started.set_result(ticket_id)

    @asynccontextmanager
    async def held(
        self, deadline: float | None, *, unless_run_started: bool = False
    ) -> AsyncGenerator[None, None]:
        """Hold the lock, if it can be acquired before a loop time (seconds).

        Args:
            deadline: The loop time; None for no limit.
            unless_run_started: Stop waiting when the trigger that holds it has started a run.

        Raises:
            DeadlinePassed: when the deadline passed first.
            Overtaken: when a run was started first, by the ticket of that id.
        """
        unless = self._announcement() if unless_run_started else None
        async with locked(self._lock, deadline, unless=unless):
            try:
                yield
            finally:
                if self._run_started is not None and self._run_started.done():
                    self._run_started = None

    def _announcement(self) -> asyncio.Future[str]:
        if self._run_started is None:
            self._run_started = running_loop().create_future()
        return self._run_started


def lock_of(scope: str, pipeline_id: int) -> PipelineLock:
    """Return the lock of a Pipeline under a base URL, one for all clients of this event loop.

    It lives as long as somebody holds a reference to it.
    """
    of_loop = _locks.setdefault(running_loop(), WeakValueDictionary())
    return of_loop.setdefault((scope, pipeline_id), PipelineLock())
