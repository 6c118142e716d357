"""One poll, what its failure means, and the record of all polls in flight."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from hevo_edge._awaiting.poll_target import JobReader, PollTarget
from hevo_edge._common.per_loop import loop_time
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import RequestError

__all__ = ["MAX_IN_FLIGHT", "JobReader", "Poll", "PollsInFlight"]

log: logging.Logger = get_logger("hevo_edge.awaiting")

MAX_IN_FLIGHT = 50
"""How many polls are in flight at once, at most; more would only queue in the server."""


class Poll:
    """A poll of one target, or of several by one call.

    Attributes:
        targets: What it polls.
        is_final: Whether it is the final poll before somebody's deadline ends the wait.
        task: What runs it.
    """

    __slots__ = ("is_final", "targets", "task")

    def __init__(self, targets: Sequence[PollTarget], *, is_final: bool) -> None:
        self.targets: Sequence[PollTarget] = targets
        self.is_final: bool = is_final
        self.task: asyncio.Task[None] | None = None

    async def run(self, reader: JobReader, on_slot: Callable[[], None]) -> Exception | None:
        """Poll, and let the target publish what was read.

        Returns the error that makes further polls pointless, if there is one; see ``failures``.
        """
        target = self.targets[0]
        try:
            await target.poll(reader, final=self.is_final, on_slot=on_slot)
        except RequestError as error:
            if target.record_failure(error, loop_time(), final=self.is_final):
                return error
            log.debug("a poll of %s failed and will be repeated: %s", target.label, error)
        except Exception as error:  # noqa: BLE001 -- handed to the subscribers
            return error
        return None


class PollsInFlight:
    """The one record of which polls are in flight, and of which targets.

    A target may be polled on schedule and, at a deadline, by a final poll at the same time.

    Args:
        reader: Knows how many polls could be sent at once.
    """

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader
        self._polls: set[Poll] = set()
        # Both by ``is_final``.
        self._by_target: dict[bool, dict[PollTarget, Poll]] = {False: {}, True: {}}
        self._without_slot: dict[bool, set[Poll]] = {False: set(), True: set()}

    def has_capacity(self, *, final: bool) -> bool:
        """Say whether a poll can be sent at once, or at least be the one that waits for a slot."""
        if len(self._polls) >= MAX_IN_FLIGHT * (1 + final):
            return False
        waiting = len(self._without_slot[final])
        return waiting == 0 or waiting < self._reader.free_slots(final=final)

    def includes(self, target: PollTarget, *, final: bool) -> bool:
        """Say whether a poll of a target, on schedule or final, is in flight."""
        return target in self._by_target[final]

    def add(self, poll: Poll) -> None:
        """Record that a poll has begun; it has no slot in the call budget yet."""
        self._polls.add(poll)
        by_target = self._by_target[poll.is_final]
        for target in poll.targets:
            by_target[target] = poll
        self._without_slot[poll.is_final].add(poll)

    def got_slot(self, poll: Poll) -> bool:
        """Record that a poll has its slot; return False if it had one."""
        waiting = self._without_slot[poll.is_final]
        if poll not in waiting:
            return False
        waiting.discard(poll)
        return True

    def remove(self, poll: Poll) -> None:
        """Record that a poll is over."""
        self._polls.discard(poll)
        self._without_slot[poll.is_final].discard(poll)
        by_target = self._by_target[poll.is_final]
        for target in poll.targets:
            del by_target[target]

    def of_task(self, task: asyncio.Task[None]) -> list[Poll]:
        """Return what a task was running when it was cancelled."""
        return [poll for poll in self._polls if poll.task is task]

    def cancel_unneeded(self, target: PollTarget) -> list[asyncio.Task[None]]:
        """Cancel the polls of a closed target that poll nothing else; return their tasks."""
        cancelled = []
        for by_target in self._by_target.values():
            poll = by_target.get(target)
            if poll is None or poll.task is None or not all(t.is_closed for t in poll.targets):
                continue
            poll.task.cancel()
            cancelled.append(poll.task)
        return cancelled
