"""Waits for Jobs, one or ten thousand, as a group: no task and no timer for each.

A wait subscribes to its Job at the watcher, hands each snapshot to the callbacks, and ends with the
Job or with an error. A subscriber must not block, so a wait is a small state machine that is driven
by its updates; only a callback that is a coroutine function, and a cancel in Hevo, run in tasks.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from hevo_edge._awaiting.outcomes import outcome_error
from hevo_edge._awaiting.poll_target import Subscriber
from hevo_edge._awaiting.wait_report import WaitReporting
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.async_context import AsyncContext
from hevo_edge._common.cleanup import GRACE, add_note, finish_cleanup
from hevo_edge._common.per_loop import running_loop
from hevo_edge._jobs.handle import (
    JobHandle,
    key_of,
    label_of,
    last_snapshot,
    name_job,
    update_snapshot,
)
from hevo_edge._text.durations import format_seconds
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge.errors import JobTimeout
from hevo_edge.models import JobData
from hevo_edge.options import WaitOptions

log: logging.Logger = get_logger("hevo_edge.job")

JobT = TypeVar("JobT", bound=JobHandle)
OnUpdate = Callable[[Any], Any]


class Canceller(Protocol):
    """What cancels Jobs in Hevo."""

    async def cancel_within_budget(self, job: JobHandle) -> Exception | None:
        """Ask Hevo to cancel when the call budget allows; return why that failed, if so."""
        ...

    async def cancel_on_interrupt(self, jobs: Sequence[JobT], within: float) -> list[JobT]:
        """Cancel in Hevo within so many seconds; return the Jobs that may go on."""
        ...


class WaitGroup(AsyncContext, Generic[JobT]):
    """Waits for Jobs; use it as an async context manager, which leaves nothing behind.

    Args:
        watcher: Polls the Jobs.
        canceller: Cancels them, where the options ask for it.
        jobs: The Jobs.
        options: How to wait for each.
        deadline: The loop time (seconds) at which ``options.timeout`` ends.
        reporting: Who is told of the waits.
    """

    __slots__ = (
        "_callbacks",
        "_canceller",
        "_context",
        "_loop",
        "_next",
        "_report",
        "_results",
        "_tasks",
        "_waits",
        "_watcher",
        "options",
    )

    def __init__(
        self,
        watcher: Watcher,
        canceller: Canceller,
        jobs: Sequence[JobT],
        options: WaitOptions,
        deadline: float | None,
        *,
        reporting: WaitReporting,
    ) -> None:
        self.options: WaitOptions = options
        self._watcher = watcher
        self._canceller = canceller
        self._loop = running_loop()
        # Callbacks run as if the one who waits had called them.
        self._context = contextvars.copy_context()
        # A wait for one Job has these too, so each is of the type that is smallest when empty.
        self._results: list[tuple[int, JobT | BaseException]] = []
        self._next: asyncio.Future[tuple[int, JobT | BaseException] | None] | None = None
        self._waits: dict[_Wait[JobT], None] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._callbacks = () if options.on_update is None else (options.on_update,)
        self._report = reporting.of_group(jobs, progress=options.progress)
        for place, job in enumerate(jobs):
            if job.data is not None and options.is_ended_by(job.data.status):
                self._hand_over(place, self._outcome(job, job.data))
                continue
            wait = _Wait(self, job, place)
            self._waits[wait] = None
            if self._report is not None:
                self._report.awaits(place, wait)
            watcher.subscribe(wait, key_of(job), last_snapshot(job), deadline)

    def next(self) -> asyncio.Future[tuple[int, JobT | BaseException] | None]:
        """Return the place and the outcome of the next Job to end; None after the last.

        Await it before the next call.
        """
        # A future and no coroutine: of a thousand waits for one Job each, each is suspended here.
        ended: asyncio.Future[tuple[int, JobT | BaseException] | None] = self._loop.create_future()
        if self._results:
            ended.set_result(self._results.pop(0))
        elif self._waits:
            self._next = ended
        else:
            ended.set_result(None)
        return ended

    async def _leave(self, error: BaseException | None, /) -> None:
        left = [wait.job for wait in self._waits]
        for wait in self._waits:
            self._watcher.unsubscribe(wait)
        self._waits = {}
        for task in self._tasks:
            task.cancel()
        interrupt = error if isinstance(error, asyncio.CancelledError) else None
        to_cancel = interrupt if self.options.cancel_on_interrupt and left else None
        if self._report is not None:
            self._report.left(to_cancel=to_cancel is not None)
        if interrupt is not None and to_cancel is None:
            _log_left(left)
        if to_cancel is None and not self._tasks and not self._watcher.is_unsettled:
            return
        try:
            grace = GRACE + self.options.cancel_timeout
            await finish_cleanup(self._settle(to_cancel, left), "leaving a wait", grace)
        except asyncio.CancelledError:
            if interrupt is None:
                raise
            # Else the first interrupt goes on, with its notes.

    async def _settle(self, to_cancel: asyncio.CancelledError | None, left: list[JobT]) -> None:
        """End what was begun; after an interrupt that shall cancel the Jobs in Hevo, do so."""
        if to_cancel is not None:
            going_on = await self._canceller.cancel_on_interrupt(left, self.options.cancel_timeout)
            if going_on:
                refs = ", ".join(job.ref for job in going_on)
                add_note(to_cancel, f"{len(going_on)} of the Jobs may go on in Hevo: {refs}")
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._watcher.settle()

    # -- what a wait does with an update ----------------------------------------------------------

    def schedule(self, wait: _Wait[JobT]) -> None:
        """Process what a wait has received, soon."""
        self._loop.call_soon(self._step, wait, context=self._context)

    def _step(self, wait: _Wait[JobT]) -> None:
        try:
            self._process(wait)
        except Exception as error:  # noqa: BLE001 -- an unexpected error must not leave it waiting
            self._end(wait, error)

    def _process(self, wait: _Wait[JobT]) -> None:
        wait.is_scheduled = False
        if wait not in self._waits or wait.is_busy:
            return
        snapshot, wait.newest = wait.newest, None
        if snapshot is not None:
            update_snapshot(wait.job, snapshot, self._loop.time())
            if self._report is not None:
                self._report.updated(wait.place, snapshot)
            self._call_back(wait, snapshot)
        elif wait.failure is not None:
            name_job(wait.failure, wait.job)
            self._end(wait, wait.failure)
        elif wait.is_past_deadline:
            self._time_out(wait)

    def _call_back(self, wait: _Wait[JobT], snapshot: JobData) -> None:
        """Call the callbacks, then see whether the snapshot ends the wait."""
        pending = iter(self._callbacks)
        for callback in pending:
            try:
                result = self._call(callback, wait.job)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 -- handed on
                self._end(wait, error)
                return
            if inspect.isawaitable(result):
                rest = list(pending)
                task = self._run(wait, self._await_callbacks(wait, snapshot, result, rest))
                # Nobody has begun it, if the wait is cancelled before its task is.
                task.add_done_callback(partial(_close, result))
                return
        self._check_end(wait, snapshot)

    async def _await_callbacks(
        self, wait: _Wait[JobT], snapshot: JobData, first: Awaitable[None], rest: list[OnUpdate]
    ) -> None:
        try:
            await first
            for callback in rest:
                result = self._call(callback, wait.job)
                if inspect.isawaitable(result):
                    await result
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 -- handed on; a cancel by us ends it as well
            self._end(wait, error)
        else:
            self._check_end(wait, snapshot)

    def _call(self, callback: OnUpdate, job: JobT) -> Awaitable[None] | None:
        began = time.perf_counter()
        result: Awaitable[None] | None = callback(job)
        elapsed = time.perf_counter() - began
        if self._loop.get_debug() and elapsed > self._loop.slow_callback_duration:
            log.warning(
                "on_update %r blocked the event loop for %.2f s at %s; everything else waits "
                "meanwhile. Make it a coroutine function that awaits, or use asyncio.to_thread",
                callback,
                elapsed,
                label_of(job),
            )
        return result

    def _check_end(self, wait: _Wait[JobT], snapshot: JobData) -> None:
        if self.options.is_ended_by(snapshot.status):
            self._end(wait, self._outcome(wait.job, snapshot))
        elif wait.has_pending:
            self.schedule(wait)

    def _outcome(self, job: JobT, data: JobData) -> JobT | Exception:
        if self.options.accepts(data.status):
            return job
        return outcome_error(job, data, label_of(job))

    def _time_out(self, wait: _Wait[JobT]) -> None:
        job = wait.job
        cause = None if wait.target is None else wait.target.failure
        # Of a Job that no poll could read, nothing could be returned.
        if self.options.on_timeout == "return" and job.data is not None:
            self._end(wait, job)
        elif self.options.on_timeout == "cancel":
            self._run(wait, self._cancel(wait, cause))
        else:
            goes_on = "It goes on in Hevo." if cause is None and job.data is not None else ""
            self._end(wait, self._timeout_error(job, goes_on, cause))

    async def _cancel(self, wait: _Wait[JobT], cause: Exception | None) -> None:
        job = wait.job
        failure = await self._canceller.cancel_within_budget(job)
        fate = f"Cancelling it failed: {failure}" if failure else "Hevo was asked to cancel it."
        self._end(wait, self._timeout_error(job, fate, cause, failure))

    def _timeout_error(
        self,
        job: JobT,
        fate: str,
        cause: Exception | None,
        failed_cancel: Exception | None = None,
    ) -> JobTimeout:
        """Make the error of a deadline.

        Args:
            job: The Job.
            fate: What becomes of it, as a sentence.
            cause: Why the final poll failed, if it did.
            failed_cancel: Why the Job could not be cancelled, if that was tried.
        """
        timeout = self.options.timeout
        waited = f" after waiting {format_seconds(timeout)}" if timeout else ""
        seen = last_snapshot(job)
        if cause is None:
            state = f"is still {short(job.status or 'unseen')}{waited}"
        elif seen is None:
            state = f"could not be read{waited}, so whether it runs is not known: {cause}"
        else:
            age = self._loop.time() - seen[1]
            state = f"was {short(job.status)} when it was last read, {age:.0f} s ago, and may have "
            state += f"ended meanwhile; the final poll{waited} failed: {cause}"
        resource: Any = job  # errors carry the resource, whose class is not known here
        error = JobTimeout(f"{label_of(job)} {state}. {fate}".rstrip(), job=resource)
        error.__cause__ = failed_cancel or cause
        return error

    def _run(self, wait: _Wait[JobT], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that takes time; what the wait receives meanwhile is processed after it."""
        wait.is_busy = True
        task = self._loop.create_task(work)
        self._tasks[task] = None

        def on_done(task: asyncio.Task[None]) -> None:
            wait.is_busy = False
            self._tasks.pop(task, None)
            if not task.cancelled() and task.exception() is not None:
                self._end(wait, task.exception() or asyncio.CancelledError())
            self.schedule(wait)

        task.add_done_callback(on_done)
        return task

    def _end(self, wait: _Wait[JobT], result: JobT | BaseException) -> None:
        """Unsubscribe, and hand over the outcome."""
        if wait not in self._waits:
            return
        del self._waits[wait]
        self._watcher.unsubscribe(wait)
        self._hand_over(wait.place, result)

    def _hand_over(self, place: int, result: JobT | BaseException) -> None:
        if self._report is not None:
            self._report.ended(place, result if isinstance(result, BaseException) else None)
        if self._next is None or self._next.done():
            self._results.append((place, result))
        else:
            self._next.set_result((place, result))


def _close(work: Awaitable[None], _: object) -> None:
    if inspect.iscoroutine(work):
        work.close()


def _log_left(jobs: Sequence[JobHandle]) -> None:
    if len(jobs) == 1:
        log.info("no longer waiting for %s, which the wait does not cancel", label_of(jobs[0]))
    elif jobs:
        log.info("no longer waiting for %d Jobs, which the waits do not cancel", len(jobs))


class _Wait(Subscriber, Generic[JobT]):
    """The wait for one Job: what it has received and not yet processed."""

    __slots__ = (
        "failure",
        "group",
        "is_busy",
        "is_past_deadline",
        "is_scheduled",
        "job",
        "newest",
        "place",
    )

    def __init__(self, group: WaitGroup[JobT], job: JobT, place: int) -> None:
        super().__init__(group.options.schedule)
        self.group: WaitGroup[JobT] = group
        self.job: JobT = job
        self.place: int = place
        self.newest: JobData | None = None
        self.failure: Exception | None = None
        self.is_past_deadline: bool = False
        self.is_busy: bool = False
        self.is_scheduled: bool = False

    @property
    def has_pending(self) -> bool:
        return self.newest is not None or self.failure is not None or self.is_past_deadline

    def on_update(self, news: JobData | Exception) -> None:
        if self.is_past_deadline:
            return  # nothing counts after the final poll
        if isinstance(news, Exception):
            self.failure = news
        else:
            self.newest = news
        self._schedule()

    def on_deadline(self) -> None:
        self.is_past_deadline = True
        self._schedule()

    def _schedule(self) -> None:
        if not self.is_scheduled:
            self.is_scheduled = True
            self.group.schedule(self)
