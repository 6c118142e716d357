"""A Job: one run of a Pipeline, to await, watch or cancel."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

from hevo_edge import api
from hevo_edge.awaiting import JobKey
from hevo_edge.cancelling import cancel_job
from hevo_edge.enums import PUT_ASIDE_STATUSES, Certainty, JobStatus
from hevo_edge.errors import HevoError, JobTimeout
from hevo_edge.history import rows
from hevo_edge.models import JobData, JobObjectData, Page
from hevo_edge.outcomes import failed_outcome
from hevo_edge.ratelimit import Priority
from hevo_edge.schedules import Schedule, as_schedule
from hevo_edge.waiting import POLL_INTERVAL, OnUpdate, WaitOptions

if TYPE_CHECKING:
    from hevo_edge.client import HevoClient

log: logging.Logger = logging.getLogger("hevo_edge.job")

CANCEL_PATIENCE = 10.0
"""Seconds that an interrupted wait gives the remote cancel."""


class Job:
    """One run of a Pipeline. Made by the client, never by hand.

    Attributes:
        id: The Job's id.
        pipeline_id: Its Pipeline's id.
        data: The last snapshot; None until something was read.
        certainty: How surely the trigger that returned this Job has started it, a ``Certainty``;
            None when it does not come of a trigger.
    """

    def __init__(
        self,
        hevo: HevoClient | None,
        pipeline_id: int,
        job_id: str,
        data: JobData | None = None,
        *,
        certainty: Certainty | None = None,
    ) -> None:
        self.id = job_id
        self.pipeline_id = pipeline_id
        self.data = data
        self.certainty = certainty
        self._hevo = hevo
        self._seen_at = None if data is None or hevo is None else hevo.clock.now()

    @property
    def status(self) -> JobStatus | str | None:
        """The status in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.status

    @property
    def type(self) -> str | None:
        """The type in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.type

    @property
    def is_terminal(self) -> bool:
        """Whether the last snapshot shows that the Job has ended."""
        return self.data is not None and self.data.is_terminal

    @property
    def adopted(self) -> bool:
        """True when the Job was running already, or when it cannot be known that the call which
        returned it has started it; ``certainty`` tells more.
        """
        return self.certainty not in {None, Certainty.CERTAIN}

    @property
    def ref(self) -> str:
        """A plain string that ``HevoClient.job(ref)`` accepts, in this or another process."""
        return f"{self.pipeline_id}:{self.id}"

    async def refresh(self) -> Job:
        """Read the Job anew. Returns itself.

        Raises:
            NotFound: when there is no such Job.
            RequestError: when it could not be read.
        """
        self._saw(await self._client.send(api.get_job(*self._key), priority=Priority.LOOK))
        return self

    async def await_completion(
        self,
        *,
        poll_interval: float | Schedule = POLL_INTERVAL,
        timeout: float | None = None,
        accept_completed_with_failures: bool = False,
        accept: Iterable[JobStatus | str] = (),
        on_timeout: str = "raise",
        cancel_on_interrupt: bool = False,
        on_update: OnUpdate | None = None,
        progress: bool = False,
    ) -> Job:
        """Wait until the Job has ended. Returns itself, with the final counts in ``data``.

        Network trouble, 429, 5xx and unreadable replies while looking are never taken for a
        failed Job; looking goes on until the deadline. Cancelling this await stops looking at
        once and leaves the Job alone.

        Args:
            poll_interval: Seconds between looks, or a ``schedules.Schedule``. Everybody who waits
                for this Job shares the looks.
            timeout: Seconds to wait at most; one last look comes before giving up. None: no limit.
            accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
            accept: More statuses to take for success.
            on_timeout: ``"raise"`` JobTimeout, ``"return"`` the unfinished Job, or ``"cancel"``
                it in Hevo and raise.
            cancel_on_interrupt: When this await is cancelled, cancel the Job in Hevo as well.
            on_update: Called with the Job at each change; may be a coroutine function. What it
                raises ends the wait. It must not block.
            progress: Print a line to stderr at each change.

        Raises:
            JobFailed, JobCompletedWithFailures, JobCancelled, JobSkipped, JobDeferred: by status.
            JobTimeout: when the deadline passed first.
            NotFound, AuthenticationError, PermissionDenied: when looking is pointless.
            ConfigurationError: for wrong options.
        """
        options = WaitOptions.check(
            poll_interval=poll_interval,
            timeout=timeout,
            accept_completed_with_failures=accept_completed_with_failures,
            accept=accept,
            on_timeout=on_timeout,
            cancel_on_interrupt=cancel_on_interrupt,
            on_update=on_update,
            progress=progress,
        )
        return await self.wait(options)

    async def wait(self, options: WaitOptions, deadline: float | None = None) -> Job:
        """Await with options that are checked already; see ``await_completion``.

        Args:
            options: The options.
            deadline: The loop time (seconds) at which ``options.timeout`` ends, if it has begun.
        """
        if deadline is None and options.timeout is not None:
            deadline = self._client.clock.now() + options.timeout
        last = None if self.data is None or not options.ended_by(self.data) else self.data
        last_failure = None
        try:
            if last is None:
                last, last_failure = await self._follow(options, deadline)
        except asyncio.CancelledError:
            if options.cancel_on_interrupt:
                await self.cancel_despite_interrupt()
            else:
                log.info("no longer waiting for %s; it goes on in Hevo", self._name())
            raise
        if last is None or not options.ended_by(last):
            return await self._timed_out(options, last_failure)
        if last.status in options.accept:
            return self
        raise failed_outcome(self, last, self._name())

    async def watch(
        self, *, poll_interval: float | Schedule = POLL_INTERVAL
    ) -> AsyncGenerator[JobData, None]:
        """Yield a snapshot at each change, the present one first, until the Job has ended.

        A slow consumer misses nothing and delays nobody.

        Args:
            poll_interval: Seconds between looks, or a ``schedules.Schedule``.

        Raises:
            NotFound, AuthenticationError, PermissionDenied: when looking is pointless.
        """
        schedule = as_schedule(poll_interval)
        async with self._client.watcher.follow(self._key, schedule) as follower:
            while True:
                snapshot = await follower.next(None)
                if snapshot is not None:
                    self._saw(snapshot)
                    yield snapshot
                    if snapshot.is_terminal:
                        return

    async def cancel(self, *, wait: bool = False) -> Job:
        """Ask Hevo to cancel the Job; a Job that has ended is left alone. Returns itself.

        Cancelling is asynchronous: the Job goes through CANCELLING, finishes critical tasks, and
        is then CANCELLED.

        Args:
            wait: Wait until the Job has ended, in whatever status.

        Raises:
            RequestError: when the request failed and the Job is still running.
        """
        # A Job that was put aside ends a wait, but Hevo may take it up again.
        put_aside = self.status in PUT_ASIDE_STATUSES and self.status != JobStatus.SKIPPED
        if self.is_terminal and not put_aside:
            return self
        seen = await cancel_job(self._client.transport, self._key)
        if seen is not None:
            self._saw(seen)
        if wait and not self.is_terminal:
            self._saw(await self._client.watcher.until_over(self._key, as_schedule(3.0)))
        return self

    async def list_objects(self) -> AsyncGenerator[JobObjectData, None]:
        """Yield what the Job did with each object."""

        async def fetch(cursor: str | None) -> Page[JobObjectData]:
            return await self._client.send(api.list_job_objects(*self._key, cursor=cursor))

        async for row in rows(fetch):
            yield row

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _key(self) -> JobKey:
        return (self.pipeline_id, self.id)

    @property
    def _client(self) -> HevoClient:
        if self._hevo is None:
            raise HevoError(
                f"this Job came from a pickle and has no client; use HevoClient.job({self.ref!r})"
            )
        return self._hevo

    def _saw(self, data: JobData) -> None:
        """Keep a snapshot, unless what is kept is newer: several may read one Job at once."""
        if self.data is not None and _is_older(data, self.data):
            return
        self.data = data
        self._seen_at = self._client.clock.now()

    async def _follow(
        self, options: WaitOptions, deadline: float | None
    ) -> tuple[JobData | None, Exception | None]:
        """Follow the Job to its end or to the deadline.

        Returns the last snapshot, and why the last look failed, if so.
        """
        clock = self._client.clock
        last, seen = self.data, None
        if self.data is not None and self._seen_at is not None:
            seen = (self.data, self._seen_at)
        async with self._client.watcher.follow(self._key, options.schedule, seen) as follower:
            while True:
                late = deadline is not None and clock.now() >= deadline
                if late:
                    snapshot = await follower.last_look()
                else:
                    snapshot = await follower.newest(deadline)
                if snapshot is not None:
                    last = snapshot
                    await self._update(snapshot, options)
                    if options.ended_by(snapshot):
                        return last, None
                if late:
                    return last, follower.last_failure

    async def _update(self, snapshot: JobData, options: WaitOptions) -> None:
        self._saw(snapshot)
        for callback in options.on_update:
            result = callback(self)
            if inspect.isawaitable(result):
                await result

    async def _timed_out(self, options: WaitOptions, last_failure: Exception | None) -> Job:
        if options.on_timeout == "return":
            return self
        then = "It goes on in Hevo."
        if options.on_timeout == "cancel":
            failure = await self._cancel_quickly()
            then = f"Cancelling it failed: {failure}" if failure else "Hevo was asked to cancel it."
            last_failure = failure or last_failure
        raise JobTimeout(
            f"{self._name()} is still {self.status or 'unseen'} after waiting "
            f"{options.timeout or 0:g} s. {then}",
            job=self,
        ) from last_failure

    async def cancel_despite_interrupt(self) -> None:
        """Cancel in Hevo while being cancelled here: within ten seconds, and nothing raised."""
        if self.is_terminal:
            return
        failure = await self._cancel_quickly()
        if failure is None:
            log.info("Hevo was asked to cancel %s", self._name())
        else:
            log.warning("%s could not be cancelled: %s", self._name(), failure)

    async def _cancel_quickly(self) -> Exception | None:
        """Ask Hevo to cancel, for ten seconds at most; return why that failed, if so."""
        cancelling = asyncio.get_running_loop().create_task(self.cancel())
        try:
            await asyncio.wait({cancelling}, timeout=CANCEL_PATIENCE)
        finally:
            cancelling.cancel()
            await asyncio.wait({cancelling})
        if cancelling.cancelled():
            return HevoError(f"Hevo did not answer within {CANCEL_PATIENCE:g} s")
        error = cancelling.exception()
        return error if isinstance(error, Exception) else None

    def _name(self) -> str:
        return f"{self.type or 'the'} Job {self.id} of Pipeline {self.pipeline_id}"

    def __repr__(self) -> str:
        return f"Job({self.ref!r}, type={_quoted(self.type)}, status={_quoted(self.status)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        # Crosses process borders without the client, which holds credentials.
        return _unpickle, (self.pipeline_id, self.id, self.data, self.certainty)


def _is_older(data: JobData, kept: JobData) -> bool:
    """Say whether a snapshot was taken before another, by what Hevo says of both."""
    if kept.is_terminal and not data.is_terminal and kept.status not in PUT_ASIDE_STATUSES:
        return True
    if data.updated_ts is None or kept.updated_ts is None:
        return False
    return data.updated_ts < kept.updated_ts


def _quoted(value: str | None) -> str:
    return "None" if value is None else repr(str(value))


def _unpickle(
    pipeline_id: int, job_id: str, data: JobData | None, certainty: Certainty | None
) -> Job:
    return Job(None, pipeline_id, job_id, data, certainty=certainty)
