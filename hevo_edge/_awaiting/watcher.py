"""One watcher per client: it polls for all who wait, so that waits for one Job share its polls.

It knows no HTTP: a ``JobReader`` reads for it. A poll that fails for a transient reason (the
network, 429, 5xx, an unreadable body) is never an outcome; the next poll comes on schedule.
"""

from __future__ import annotations

from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.loop_watcher import LoopWatcher
from hevo_edge._awaiting.poll_target import JobReader, PollTarget, Subscriber
from hevo_edge._awaiting.watch_report import WatchReport
from hevo_edge._awaiting.watched_job import JobKey
from hevo_edge._common.clock import Clock
from hevo_edge._common.contexts import without_context
from hevo_edge._common.per_loop import PerLoop
from hevo_edge.errors import HevoError
from hevo_edge.models import JobData
from hevo_edge.observing._observer import Observers


class Watcher:
    """Polls what is waited for, each target at its subscribers' shortest interval.

    Beyond the call budget, polls go where their value is highest; no Job whose poll is due waits
    for longer than four times as many polls as are due.

    Args:
        reader: Reads Jobs and lists.
        clock: Time, and randomness.
        observers: Those who are told of polls and of new statuses.
    """

    def __init__(self, reader: JobReader, clock: Clock, observers: Observers | None = None) -> None:
        self.history: DurationHistory = DurationHistory()
        report = WatchReport(Observers() if observers is None else observers, clock)
        self._loops: PerLoop[LoopWatcher] = PerLoop(
            lambda: LoopWatcher(reader, clock, self.history, report)
        )

    def subscribe(
        self,
        subscriber: Subscriber,
        key_or_target: JobKey | PollTarget,
        seen: tuple[JobData, float] | None = None,
        deadline: float | None = None,
    ) -> None:
        """Poll a Job, or another target, for a subscriber until it unsubscribes.

        Args:
            subscriber: Is given what is read. It is also given, once, what its schedule raises
                and what makes further polls pointless.
            key_or_target: Pipeline id and Job id, to share the Job's polls; or a target that
                nobody else polls.
            seen: A snapshot of the Job and the loop time at which it was taken, if there is one.
                Without it, the first poll comes at once, unless another one is recent enough.
            deadline: The loop time at which a final poll is made for the subscriber.
        """
        watcher = self._loops.get()
        without_context(watcher.subscribe, subscriber, key_or_target, seen, deadline)

    def publish(self, key: JobKey, snapshot: JobData) -> None:
        """Take in a snapshot that was just read elsewhere; it saves a poll."""
        watcher = self._loops.peek()
        if watcher is not None:
            without_context(watcher.publish, key, snapshot)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop polling for a subscriber. Unsubscribing twice does nothing."""
        watcher = self._loops.peek()
        if watcher is not None:
            without_context(watcher.unsubscribe, subscriber)

    @property
    def is_unsettled(self) -> bool:
        """Whether polls that nobody needs any more have not ended yet."""
        watcher = self._loops.peek()
        return watcher is not None and watcher.is_unsettled

    async def settle(self) -> None:
        """Wait until the polls that nobody needs any more have ended."""
        watcher = self._loops.peek()
        if watcher is not None:
            await watcher.settle()

    async def close(self) -> None:
        """End all waits of the running loop with an error."""
        watcher = self._loops.peek()
        if watcher is not None:
            closed = HevoError("this HevoClient was closed while a Job was awaited")
            without_context(watcher.close, closed)
            await watcher.settle()
