"""Waits for Jobs, one or ten thousand, as one thing: no task and no timer for each.

A wait hears of its Job from the watcher, hands each snapshot to the callbacks, and ends with the
Job or with an error. What hears must not wait, so a wait is a small state machine that is driven by
what it hears; only a callback that is a coroutine function, and a cancel in Hevo, run in tasks.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from hevo_edge._awaiting import progress
from hevo_edge._awaiting.outcomes import failed_outcome
from hevo_edge._awaiting.watched_job import Follower
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._jobs.handle import (
    JobHandle,
    key_of,
    label_of,
    last_snapshot,
    update_snapshot,
)
from hevo_edge.errors import JobTimeout
from hevo_edge.models import JobData
from hevo_edge.options import WaitOptions

log: logging.Logger = logging.getLogger("hevo_edge.job")

JobT = TypeVar("JobT", bound=JobHandle)
OnUpdate = Callable[[Any], Any]


class Canceller(Protocol):
    """What cancels Jobs in Hevo."""

    async def cancel_within_budget(self, job: JobHandle) -> Exception | None:
        """Ask Hevo to cancel when the call budget allows; return why that failed, if so."""
        ...

    async def cancel_on_interrupt(self, job: JobHandle) -> None:
        """Cancel in Hevo while being cancelled here; raises nothing."""
        ...


class Waits(Generic[JobT]):
    """Waits for Jobs; use it as an async context manager, which leaves nothing behind.

    Args:
        watcher: Tells of the Jobs.
        canceller: Cancels them, where the options ask for it.
        jobs: The Jobs.
        options: How to wait for each.
        deadline: The loop time (seconds) at which ``options.timeout`` ends.
    """

    __slots__ = (
        "_busy",
        "_callbacks",
        "_canceller",
        "_context",
        "_loop",
        "_news",
        "_results",
        "_tally",
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
    ) -> None:
        self.options: WaitOptions = options
        self._watcher = watcher
        self._canceller = canceller
        self._loop = asyncio.get_running_loop()
        # Callbacks run as if the one who waits had called them.
        self._context = contextvars.copy_context()
        # A wait for one Job has these too, so each is what weighs least while it is empty.
        self._results: list[tuple[int, JobT | BaseException]] = []
        self._news: asyncio.Future[tuple[int, JobT | BaseException] | None] | None = None
        self._waits: dict[_Wait[JobT], None] = {}
        self._busy: dict[asyncio.Task[None], None] = {}
        self._callbacks = () if options.on_update is None else (options.on_update,)
        self._tally: progress.Tally | None = None
        if options.progress and len(jobs) > progress.FEW:
            self._tally = progress.Tally(len(jobs), self._loop.time())
        elif options.progress:
            self._callbacks = (progress.show, *self._callbacks)
        for place, job in enumerate(jobs):
            if job.data is not None and options.is_ended_by(job.data.status):
                self._report(place, self._outcome(job, job.data))
                continue
            wait = _Wait(self, job, place)
            self._waits[wait] = None
            watcher.follow(wait, key_of(job), last_snapshot(job), deadline)

    def next(self) -> asyncio.Future[tuple[int, JobT | BaseException] | None]:
        """Return the place and the outcome of the next Job to end; None after the last.

        Await it before the next call.
        """
        # A future and no coroutine: of a thousand waits for one Job each, each sits here.
        news: asyncio.Future[tuple[int, JobT | BaseException] | None] = self._loop.create_future()
        if self._results:
            news.set_result(self._results.pop(0))
        elif self._waits:
            self._news = news
        else:
            news.set_result(None)
        return news

    async def __aenter__(self) -> Waits[JobT]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left = [wait.job for wait in self._waits]
        for wait in self._waits:
            self._watcher.leave(wait)
        self._waits = {}
        for task in self._busy:
            task.cancel()
        try:
            if kind is not None and issubclass(kind, asyncio.CancelledError):
                await self._interrupted(left)
        finally:
            if self._busy:
                await asyncio.wait(self._busy)
            await self._watcher.settle()

    async def _interrupted(self, jobs: list[JobT]) -> None:
        if self.options.cancel_on_interrupt:
            await asyncio.gather(*map(self._canceller.cancel_on_interrupt, jobs))
            return
        for job in jobs:
            log.info("no longer waiting for %s; it goes on in Hevo", label_of(job))

    # -- what a wait does when it hears -----------------------------------------------------------

    def wake(self, wait: _Wait[JobT]) -> None:
        """Let a wait take in what it has heard, soon."""
        self._loop.call_soon(self._step, wait, context=self._context)

    def _step(self, wait: _Wait[JobT]) -> None:
        try:
            self._take_in(wait)
        except Exception as error:  # noqa: BLE001 -- nothing that goes wrong may leave it waiting
            self._end(wait, error)

    def _take_in(self, wait: _Wait[JobT]) -> None:
        wait.is_woken = False
        if wait not in self._waits or wait.is_busy:
            return
        snapshot, wait.newest = wait.newest, None
        if snapshot is not None:
            update_snapshot(wait.job, snapshot, self._loop.time())
            self._tell(wait, snapshot)
        elif wait.failure is not None:
            self._end(wait, wait.failure)
        elif wait.time_has_come:
            self._time_out(wait)

    def _tell(self, wait: _Wait[JobT], snapshot: JobData) -> None:
        """Call the callbacks, then see what the snapshot means."""
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
                self._run(wait, self._tell_patiently(wait, snapshot, result, rest))
                return
        self._judge(wait, snapshot)

    async def _tell_patiently(
        self,
        wait: _Wait[JobT],
        snapshot: JobData,
        first: Awaitable[None],
        rest: list[OnUpdate],
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
            self._judge(wait, snapshot)

    def _call(self, callback: OnUpdate, job: JobT) -> Awaitable[None] | None:
        began = time.perf_counter()
        result: Awaitable[None] | None = callback(job)
        took = time.perf_counter() - began
        if self._loop.get_debug() and took > self._loop.slow_callback_duration:
            log.warning(
                "on_update %r blocked the event loop for %.2f s at %s; everything else waits "
                "meanwhile. Make it a coroutine function that awaits, or use asyncio.to_thread",
                callback,
                took,
                label_of(job),
            )
        return result

    def _judge(self, wait: _Wait[JobT], snapshot: JobData) -> None:
        if self.options.is_ended_by(snapshot.status):
            self._end(wait, self._outcome(wait.job, snapshot))
        elif wait.has_news:
            self.wake(wait)

    def _outcome(self, job: JobT, data: JobData) -> JobT | Exception:
        if data.status in self.options.accept:
            return job
        return failed_outcome(job, data, label_of(job))

    def _time_out(self, wait: _Wait[JobT]) -> None:
        job = wait.job
        why = None if wait.watched is None else wait.watched.failure
        if self.options.on_timeout == "return":
            self._end(wait, job)
        elif self.options.on_timeout == "cancel":
            self._run(wait, self._cancel(wait, why))
        else:
            self._end(wait, self._timed_out(job, "It goes on in Hevo.", why))

    async def _cancel(self, wait: _Wait[JobT], why: Exception | None) -> None:
        job = wait.job
        failure = await self._canceller.cancel_within_budget(job)
        then = f"Cancelling it failed: {failure}" if failure else "Hevo was asked to cancel it."
        self._end(wait, self._timed_out(job, then, failure or why))

    def _timed_out(self, job: JobT, then: str, why: Exception | None) -> JobTimeout:
        waited = f" after waiting {self.options.timeout:g} s" if self.options.timeout else ""
        resource: Any = job  # errors carry the resource, whose class is not known here
        error = JobTimeout(
            f"{label_of(job)} is still {job.status or 'unseen'}{waited}. {then}", job=resource
        )
        error.__cause__ = why
        return error

    def _run(self, wait: _Wait[JobT], work: Coroutine[Any, Any, None]) -> None:
        """Let a wait do something that takes time; what it hears meanwhile comes afterwards."""
        wait.is_busy = True
        task = self._loop.create_task(work)
        self._busy[task] = None

        def is_done(task: asyncio.Task[None]) -> None:
            wait.is_busy = False
            self._busy.pop(task, None)
            if not task.cancelled() and task.exception() is not None:
                self._end(wait, task.exception() or asyncio.CancelledError())
            self.wake(wait)

        task.add_done_callback(is_done)

    def _end(self, wait: _Wait[JobT], result: JobT | BaseException) -> None:
        """Let go of the Job, and report."""
        if wait not in self._waits:
            return
        del self._waits[wait]
        self._watcher.leave(wait)
        self._report(wait.place, result)

    def _report(self, place: int, result: JobT | BaseException) -> None:
        if self._news is None or self._news.done():
            self._results.append((place, result))
        else:
            self._news.set_result((place, result))
        if self._tally is not None:
            failed = isinstance(result, BaseException)
            self._tally.count(failed=failed, now=self._loop.time())


class _Wait(Follower, Generic[JobT]):
    """The wait for one Job: what was heard and not yet taken in."""

    __slots__ = (
        "failure",
        "is_busy",
        "is_woken",
        "job",
        "newest",
        "place",
        "time_has_come",
        "waits",
    )

    def __init__(self, waits: Waits[JobT], job: JobT, place: int) -> None:
        super().__init__(waits.options.schedule)
        self.waits: Waits[JobT] = waits
        self.job: JobT = job
        self.place: int = place
        self.newest: JobData | None = None
        self.failure: Exception | None = None
        self.time_has_come: bool = False
        self.is_busy: bool = False
        self.is_woken: bool = False

    @property
    def has_news(self) -> bool:
        return self.newest is not None or self.failure is not None or self.time_has_come

    def hear(self, news: JobData | Exception) -> None:
        if self.time_has_come:
            return  # the last look was the last
        if isinstance(news, Exception):
            self.failure = news
        else:
            self.newest = news
        self._wake()

    def time_is_up(self) -> None:
        self.time_has_come = True
        self._wake()

    def _wake(self) -> None:
        if not self.is_woken:
            self.is_woken = True
            self.waits.wake(self)
