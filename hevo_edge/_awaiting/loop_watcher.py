"""All that is polled in one event loop: what is due, what has a deadline, what is in flight.

A Job that is waited for costs memory, but no task and no timer: one timer waits for whatever is due
next, and a task lives as long as a poll is in flight. When the call budget is used up, one poll
waits for a slot; which target is next is decided when that poll has been sent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.list_poll import PipelineLists
from hevo_edge._awaiting.poll import Poll, PollsInFlight
from hevo_edge._awaiting.poll_target import JobReader, PollTarget, Subscriber
from hevo_edge._awaiting.queues import DueQueue, FairQueue
from hevo_edge._awaiting.spare_polls import SparePolls
from hevo_edge._awaiting.watch_report import WatchReport
from hevo_edge._awaiting.watched_job import JobKey, WatchedJob
from hevo_edge._common.cleanup import ended
from hevo_edge._common.clock import Clock
from hevo_edge._common.per_loop import running_loop
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import AuthenticationError, HevoError
from hevo_edge.models import JobData

log = get_logger("hevo_edge.awaiting")

TIMER_STEP = 0.005
"""Seconds within which what is due is done together: a wake-up for each would cost more."""


class LoopWatcher:
    """All that is polled in one event loop.

    A target is, at any time, in one of these places: scheduled for later (``_scheduled``), due and
    waiting for a slot (``_due``), or in flight. A final poll is queued and made beside that. What
    is scheduled for later may be polled earlier, if its subscribers are eager (``_spare``).

    It polls for many, so it is entered in no caller's context: see ``without_context``.
    """

    def __init__(
        self, reader: JobReader, clock: Clock, history: DurationHistory, report: WatchReport
    ) -> None:
        self._report = report
        self._reader = reader
        self._history = history
        self._loop = running_loop()
        self._now = self._loop.time
        self._jobs: dict[JobKey, WatchedJob] = {}
        self._other_targets: set[PollTarget] = set()
        self._lists = PipelineLists(history)
        self._scheduled: DueQueue[PollTarget] = DueQueue()
        self._deadlines: DueQueue[Subscriber] = DueQueue()
        self._due: FairQueue[PollTarget] = FairQueue(PollTarget.poll_value, clock.random)
        self._spare = SparePolls(reader, clock.random)
        self._final_queue: OrderedDict[PollTarget, None] = OrderedDict()
        self._in_flight = PollsInFlight(reader)
        self._cancelled: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")  # the timer of uvloop does not always know
        self._woke_at = float("-inf")
        self._is_filling = False

    # -- subscribers ------------------------------------------------------------------------------

    def subscribe(
        self,
        subscriber: Subscriber,
        key_or_target: JobKey | PollTarget,
        seen: tuple[JobData, float] | None,
        deadline: float | None,
    ) -> None:
        if isinstance(key_or_target, PollTarget):
            target = key_or_target
            self._other_targets.add(target)
        else:
            target = job = self._watched_job(key_or_target)
            job.catch_up(subscriber, seen, self._now())
        target.add(subscriber)
        if deadline is not None:
            self._deadlines.set(subscriber, deadline)
            self._arm(deadline)
        self._plan(target)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        target = subscriber.target
        if target is None:
            return
        self._deadlines.discard(subscriber)
        set_the_interval = target.remove(subscriber)
        if not target.subscribers:
            self._close(target)
        elif set_the_interval and not target.is_closed:
            self._plan(target)
        if not (self._jobs or self._other_targets):
            self._disarm()

    def publish(self, key: JobKey, snapshot: JobData) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.publish(snapshot, self._now())
            self._plan(job)

    def close(self, error: HevoError) -> None:
        for target in (*self._jobs.values(), *self._other_targets):
            self._fail(target, error)
        self._disarm()

    @property
    def is_unsettled(self) -> bool:
        return bool(self._cancelled)

    async def settle(self) -> None:
        if self._cancelled:
            await ended(self._cancelled, "ending polls")

    def _watched_job(self, key: JobKey) -> WatchedJob:
        """Return the Job that is watched under a key, else begin to watch it."""
        job = self._jobs.get(key)
        if job is not None and job.was_deferred_or_skipped:
            # Hevo may have resumed it since; a subscriber that has not left yet still holds it.
            self._close(job)
            job = None
        if job is None:
            on_status = self._report.status if self._report.is_observed else None
            self._jobs[key] = job = WatchedJob(key, self._now(), self._history, on_status)
            self._lists.add(job)
        return job

    def _fail(self, target: PollTarget, error: Exception) -> None:
        """End the waits for a target; whoever subscribes from now on begins anew."""
        self._close(target)
        target.notify(error)

    def _close(self, target: PollTarget) -> None:
        """Stop polling a target, and cancel a poll in flight that nothing else needs."""
        if target.is_closed:
            return
        target.is_closed = True
        if isinstance(target, WatchedJob):
            del self._jobs[target.key]
            self._lists.remove(target)
        else:
            self._other_targets.discard(target)
        self._unqueue(target)
        self._final_queue.pop(target, None)
        self._cancelled.update(self._in_flight.cancel_unneeded(target))

    # -- when to poll -----------------------------------------------------------------------------

    def _plan(self, target: PollTarget) -> None:
        """Schedule the next poll of a target, at its subscribers' shortest interval."""
        if target.is_closed or target.has_ended:
            self._unqueue(target)
            return
        if target in self._final_queue or self._in_flight.includes(target, final=False):
            return
        if target.polled_at is None:
            self._due.add(target, urgent=True)
            self._arm(self._now())
            return
        due = target.polled_at + target.gap(self._now())
        if due > self._now():
            self._due.discard(target)
            self._scheduled.set(target, due)
            self._spare.set(target, self._now())
            self._arm_for_spare()
        else:
            self._scheduled.discard(target)
            self._spare.discard(target)
            self._due.add(target)
        self._arm(due)

    def _unqueue(self, target: PollTarget) -> None:
        """Take a target out of the queues of polls on schedule and beyond."""
        self._scheduled.discard(target)
        self._due.discard(target)
        self._spare.discard(target)

    def _arm(self, at: float) -> None:
        """Wake up at a loop time, if not earlier; but not twice within one step."""
        at = max(at, self._woke_at + TIMER_STEP)
        if self._timer is None or self._timer_at > at:
            self._disarm()
            self._timer, self._timer_at = self._loop.call_at(at, self._wake), at

    def _arm_for_spare(self) -> None:
        upcoming = self._spare.next_at(self._now())
        if upcoming is not None:
            self._arm(upcoming)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        self._woke_at = now = self._now()
        for target in self._scheduled.pop_due(now):
            self._spare.discard(target)
            self._due.add(target)
        for subscriber in list(self._deadlines.pop_due(now)):
            self._on_deadline(subscriber, now)
        self._fill(now)
        for queue in (self._scheduled, self._deadlines):
            upcoming = queue.next_at()
            if upcoming is not None:
                self._arm(upcoming)
        self._arm_for_spare()

    def _on_deadline(self, subscriber: Subscriber, now: float) -> None:
        """Queue a final poll for a subscriber; or end its wait, if that takes too long."""
        target = subscriber.target
        if target is None or target.is_closed or target.has_ended or subscriber.awaits_final_poll:
            if target is not None and target.failure is None and not target.has_ended:
                target.failure = HevoError("the final poll could not be made in time")
            subscriber.on_deadline()
            return
        subscriber.awaits_final_poll = True
        if not self._in_flight.includes(target, final=True):
            # It goes first, and is as good as the poll that was due.
            self._final_queue.setdefault(target)
            self._due.discard(target)
            self._spare.discard(target)
        timeout = self._reader.final_poll_timeout(len(self._final_queue))
        self._deadlines.set(subscriber, now + timeout)

    # -- polling ----------------------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        """Start the polls that are next, as many as there is capacity for."""
        # An eager task runs inside create_task; when its poll has a slot, this loop goes on.
        while not self._is_filling and (poll := self._next_poll(now)) is not None:
            self._is_filling = True
            try:
                poll.task = self._loop.create_task(self._run(poll))
            finally:
                self._is_filling = False
            poll.task.add_done_callback(self._on_task_done)

    def _next_poll(self, now: float) -> Poll | None:
        """Begin the poll that is next, if there is capacity for it."""
        if self._final_queue and self._in_flight.has_capacity(final=True):
            target, _ = self._final_queue.popitem(last=False)
            return self._begin(Poll([target], is_final=True))
        if not self._in_flight.has_capacity(final=False):
            return None
        next_target = self._next_due(now) if self._due else self._spare.pop(now)
        if next_target is None:
            return None
        poll: Poll | None = None
        if isinstance(next_target, WatchedJob):
            poll = self._lists.poll_with(next_target, self._in_flight, now)
        return self._begin(poll or Poll([next_target], is_final=False))

    def _next_due(self, now: float) -> PollTarget:
        # Where there are slots for all, the order makes no difference.
        is_short = self._reader.free_slots(final=False) < len(self._due)
        return self._due.pop_next(now) if is_short else self._due.pop_oldest()

    def _begin(self, poll: Poll) -> Poll:
        for target in poll.targets:
            self._unqueue(target)
        self._in_flight.add(poll)
        return poll

    async def _run(self, first: Poll) -> None:
        """Make a poll, and then the one that is next, until there is none.

        A task for each would cost a good part of what the poll costs.
        """
        poll: Poll | None = first
        while poll is not None:
            poll.task = asyncio.current_task()
            await self._make(poll)
            poll = self._next_poll(self._now())

    async def _make(self, poll: Poll) -> None:
        def on_slot() -> None:
            if self._in_flight.got_slot(poll):
                self._fill(self._now())

        began = self._now()
        try:
            error = await poll.run(self._reader, on_slot)
        except Exception as raised:  # noqa: BLE001 -- a mistake in our own code, or a schedule's
            error = raised
        if self._report.is_observed:
            self._report.poll(poll, self._now() - began, error)
        self._in_flight.remove(poll)  # first, so that closing a target does not cancel this task
        if isinstance(error, AuthenticationError):
            self._end_all(error)
        elif error is not None:
            for target in poll.targets:
                self._fail(target, error)
        self._after(poll)

    def _end_all(self, refusal: AuthenticationError) -> None:
        """End all waits: each further poll would be refused too, and could lock the account."""
        targets = len(self._jobs) + len(self._other_targets)
        if targets > 1:
            log.warning(
                "the credentials of this client are refused, so its waits end, for %d Jobs and "
                "Pipelines: %s",
                targets,
                refusal,
            )
        self.close(refusal)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Tidy up after a task that was cancelled in the middle of a poll, or before it."""
        self._cancelled.discard(task)
        for poll in self._in_flight.of_task(task):
            self._in_flight.remove(poll)
            self._after(poll)
        self._fill(self._now())

    def _after(self, poll: Poll) -> None:
        """Plan the next polls; end the waits whose final poll this was."""
        for target in poll.targets:
            if poll.is_final and target not in self._final_queue:
                for subscriber in [s for s in target.subscribers if s.awaits_final_poll]:
                    subscriber.on_deadline()
            self._plan(target)
