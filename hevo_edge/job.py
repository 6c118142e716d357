"""A Job: one run of a Pipeline, to await, watch or cancel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING, Any

from hevo_edge import api
from hevo_edge._awaiting.snapshots import SnapshotStream, until_ended
from hevo_edge._awaiting.wait_group import WaitGroup
from hevo_edge._awaiting.watched_job import JobKey
from hevo_edge._common.pagination import rows
from hevo_edge._http.ratelimit import Priority
from hevo_edge._jobs.cancel import cancel_job
from hevo_edge.enums import PUT_ASIDE_STATUSES, Certainty, JobStatus
from hevo_edge.errors import HevoError
from hevo_edge.models import JobData, JobObjectData, Page
from hevo_edge.options import POLL_INTERVAL, OnUpdate, WaitOptions
from hevo_edge.schedules import Fixed, PollInterval, fixed
from hevo_edge.schedules._basic import as_schedule

if TYPE_CHECKING:
    from hevo_edge.client import HevoClient

log: logging.Logger = logging.getLogger("hevo_edge.job")

UNTIL_CANCELLED: Fixed = fixed(3.0)
"""How often to look at a Job that is being cancelled."""
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
        data = await self._client.send(api.get_job(*self.key), priority=Priority.LOOK)
        self.saw(data)
        self._client.watcher.publish(self.key, data)
        return self

    async def await_completion(
        self,
        *,
        poll_interval: PollInterval = POLL_INTERVAL,
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
            poll_interval: Seconds between looks; or ``"auto"``, to learn from the Pipeline's
                finished Jobs when to look; or a ``schedules.Schedule``. Everybody who waits for
                this Job shares the looks. Where Jobs want more looks than the call budget has,
                looks thin out fairly.
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
        async with WaitGroup(self._client.watcher, [self], options, deadline) as waits:
            ended = await waits.next()
        assert ended is not None  # noqa: S101 -- there is one Job, so there is one end
        if isinstance(ended[1], BaseException):
            raise ended[1]
        return self

    async def watch(
        self, *, poll_interval: PollInterval = POLL_INTERVAL
    ) -> AsyncGenerator[JobData, None]:
        """Yield a snapshot at each change, the present one first, until the Job has ended.

        A slow consumer misses nothing and delays nobody.

        Args:
            poll_interval: Seconds between looks, ``"auto"``, or a ``schedules.Schedule``.

        Raises:
            NotFound, AuthenticationError, PermissionDenied: when looking is pointless.
        """
        schedule = as_schedule(poll_interval)
        async with SnapshotStream(self._client.watcher, self.key, schedule) as snapshots:
            while True:
                snapshot = await snapshots.next()
                self.saw(snapshot)
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
        await self._cancel()
        if wait and not self.is_terminal:
            self.saw(await until_ended(self._client.watcher, self.key, UNTIL_CANCELLED))
        return self

    async def list_objects(self) -> AsyncGenerator[JobObjectData, None]:
        """Yield what the Job did with each object."""

        async def fetch(cursor: str | None) -> Page[JobObjectData]:
            return await self._client.send(api.list_job_objects(*self.key, cursor=cursor))

        async for row in rows(fetch):
            yield row

    # -- inside -----------------------------------------------------------------------------------

    @property
    def key(self) -> JobKey:
        """Pipeline id and Job id."""
        return (self.pipeline_id, self.id)

    @property
    def _client(self) -> HevoClient:
        if self._hevo is None:
            raise HevoError(
                f"this Job came from a pickle and has no client; use HevoClient.job({self.ref!r})"
            )
        return self._hevo

    @property
    def seen(self) -> tuple[JobData, float] | None:
        """The last snapshot and the loop time (seconds) at which it was taken."""
        if self.data is None or self._seen_at is None:
            return None
        return self.data, self._seen_at

    @property
    def label(self) -> str:
        """What logs and errors call it."""
        return f"{self.type or 'the'} Job {self.id} of Pipeline {self.pipeline_id}"

    def bind(self, hevo: HevoClient) -> Job:
        """Give a Job that came from a pickle a client, if it has none. Returns itself."""
        if self._hevo is None:
            self._hevo = hevo
        return self

    def saw(self, data: JobData) -> None:
        """Keep a snapshot, unless what is kept is newer: several may read one Job at once."""
        if self.data is not None and data.is_older_than(self.data):
            return
        self.data = data
        self._seen_at = self._client.clock.now()

    async def _cancel(self, patience: float | None = None) -> None:
        # A Job that was put aside ends a wait, but Hevo may take it up again.
        put_aside = self.status in PUT_ASIDE_STATUSES and self.status != JobStatus.SKIPPED
        if self.is_terminal and not put_aside:
            return
        seen = await cancel_job(self._client.transport, self.key, patience)
        if seen is not None:
            self.saw(seen)

    async def cancel_despite_interrupt(self) -> None:
        """Cancel in Hevo while being cancelled here: within ten seconds, and nothing raised."""
        if self.is_terminal:
            return
        failure = await self._cancel_quickly()
        if failure is None:
            log.info("Hevo was asked to cancel %s", self.label)
        else:
            log.warning("%s could not be cancelled: %s", self.label, failure)

    async def cancel_in_turn(self) -> Exception | None:
        """Ask Hevo to cancel when the call budget allows; return why that failed, if so."""
        try:
            # One request to cancel, and perhaps one to see what has come of it.
            await self._cancel(CANCEL_PATIENCE / 2)
        except HevoError as error:
            return error
        return None

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

    def __repr__(self) -> str:
        return f"Job({self.ref!r}, type={_quoted(self.type)}, status={_quoted(self.status)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        # Crosses process borders without the client, which holds credentials.
        return _unpickle, (self.pipeline_id, self.id, self.data, self.certainty)


def _quoted(value: str | None) -> str:
    return "None" if value is None else repr(str(value))


def _unpickle(
    pipeline_id: int, job_id: str, data: JobData | None, certainty: Certainty | None
) -> Job:
    return Job(None, pipeline_id, job_id, data, certainty=certainty)
