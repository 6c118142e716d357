"""A Job: one run of a Pipeline, to await, watch or cancel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, overload

from hevo_edge import api
from hevo_edge._awaiting.snapshots import SnapshotStream, until_ended
from hevo_edge._common.copies import KeepsClient
from hevo_edge._common.has_data import JobDataT_co
from hevo_edge._common.pagination import rows
from hevo_edge._common.signatures import with_options
from hevo_edge._http.ratelimit import Priority
from hevo_edge._jobs.cancel import UNTIL_CANCELLED
from hevo_edge._jobs.handle import JobHandle, errors_about, key_of, update_snapshot
from hevo_edge._text.printable import quoted
from hevo_edge._triggering.attribution import Found
from hevo_edge.enums import Certainty, JobStatus
from hevo_edge.errors import HevoError
from hevo_edge.models import JobData, JobObjectData, Page
from hevo_edge.options import WAIT_DEFAULTS, WaitOptions
from hevo_edge.schedules import PollInterval
from hevo_edge.schedules._basic import as_schedule

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from hevo_edge._core import Core

__all__ = ["Job", "OnUpdate", "WaitKeywords"]

OnUpdate = Callable[["Job[JobData]"], Awaitable[None] | None]
"""Called with the Job at each change; an awaitable result is awaited."""


class WaitKeywords(TypedDict, total=False):
    """The keywords of ``Job.await_completion``, and of all that awaits Jobs."""

    poll_interval: PollInterval
    """Seconds between polls (15); or ``"auto"``, ``"eager"``; or a ``schedules.Schedule``."""
    timeout: float | timedelta | None
    """Seconds to wait at most; 0 polls once; None (the default) is no limit."""
    accept_completed_with_failures: bool
    """Count COMPLETED_WITH_FAILURES as success."""
    accept: Iterable[JobStatus | str]
    """More statuses that count as success."""
    on_timeout: Literal["raise", "return", "cancel"]
    """``"raise"`` JobTimeout, ``"return"`` the unfinished Job, or ``"cancel"`` it and raise."""
    cancel_on_interrupt: bool
    """When the await is cancelled, cancel the Job in Hevo as well."""
    cancel_timeout: float
    """Seconds that an interrupted await gives these cancels, all together (10)."""
    on_update: OnUpdate | None
    """Called with the Job at each change; may be a coroutine function."""
    progress: bool
    """Show how it goes: a live table in a notebook or terminal, or lines on stderr."""


class Job(KeepsClient, JobHandle[JobDataT_co]):
    """One run of a Pipeline. Made by the client, never by hand.

    To a type checker, ``Job[JobData]`` is one whose ``data`` was read, and ``Job`` one of which
    that is not known. Whatever reads returns the former: so take what ``refresh`` and
    ``await_completion`` return.

    Attributes:
        id: The Job's id.
        pipeline_id: Its Pipeline's id.
        certainty: How certain it is that the trigger which returned this Job started it; None when
            no trigger returned it.
        freshness: How ``Pipeline.ensure_fresh`` came to it; None when that did not return it.
    """

    def __init__(
        self,
        core: Core | None,
        pipeline_id: int,
        job_id: str,
        data: JobDataT_co,
        *,
        certainty: Certainty | None = None,
    ) -> None:
        super().__init__(
            pipeline_id,
            job_id,
            data,
            certainty=certainty,
            account=None if core is None else core.account,
        )
        self._core_or_none = core
        if core is not None and data is not None:
            update_snapshot(self, data, core.clock.now())

    async def refresh(self) -> Job[JobData]:
        """Read the Job again. Returns itself, with ``data``.

        Raises:
            NotFound: when there is no such Job.
            RequestError: when it could not be read.
        """
        with errors_about(self):
            data = await self._core.send(api.get_job(*key_of(self)), priority=Priority.POLL)
        self._saw(data)
        self._core.watcher.publish(key_of(self), data)
        return self._with_data()

    @with_options(WaitKeywords, WAIT_DEFAULTS)
    async def await_completion(self, **wait: Unpack[WaitKeywords]) -> Job[JobData]:
        """Wait until the Job has ended. Returns itself, with the final counts in ``data``.

        Network errors, 429, 5xx and unreadable replies never count as a failed Job; polling goes
        on until the deadline. What no time can mend ends the wait once it has lasted; the page
        "Errors" says when. Cancelling this await stops polling at once and does not cancel the
        Job.

        Args:
            poll_interval: Seconds between polls; or ``"auto"``, to learn from the Pipeline's
                finished Jobs when to poll; or ``"eager"``, to spend what is free of the call budget
                as well; or a ``schedules.Schedule``. All waits for this Job share its polls. When
                Jobs need more polls than the call budget has, each is polled less often, fairly.
            timeout: Seconds to wait at most; a final poll comes before the error. 0 polls once.
                None: no limit.
            accept_completed_with_failures: Count COMPLETED_WITH_FAILURES as success.
            accept: More statuses that count as success.
            on_timeout: ``"raise"`` JobTimeout, ``"return"`` the unfinished Job if it was ever read,
                or ``"cancel"`` it in Hevo and raise.
            cancel_on_interrupt: When this await is cancelled, cancel the Job in Hevo as well; of
                several Jobs the newest first. Further cancellations do not stop that. The refs of
                the Jobs that may go on are in the notes of the CancelledError.
            cancel_timeout: Seconds that this may take, for all Jobs together.
            on_update: Called with the Job at each change; may be a coroutine function. What it
                raises ends the wait. It must not block.
            progress: Show how it goes, with no request more: as a table that is kept up to date in
                a notebook, or in a terminal (with ``hevo-edge[progress]``); else by lines on
                stderr, one for each change of up to five Jobs, a count now and then for more.

        Raises:
            JobFailed, JobCompletedWithFailures, JobCancelled, JobSkipped, JobDeferred: by status.
            JobTimeout: when the deadline passed first; with ``on_timeout="return"``, when besides
                nothing of the Job could be read.
            NotFound, AuthenticationError, PermissionDenied: when further polls are pointless.
            ServerError, UnexpectedResponse, RequestNotSent, RequestOutcomeUnknown: when that lasts.
            ConfigurationError: for wrong options.
        """
        options = WaitOptions.check(**wait)
        return await self._wait(options, self._core.deadline(options.timeout))

    async def watch(
        self, *, poll_interval: PollInterval = WAIT_DEFAULTS["poll_interval"]
    ) -> AsyncGenerator[JobData, None]:
        """Yield a snapshot at each change, the current one first, until the Job has ended.

        A slow consumer delays no other wait, and misses nothing of the latest 10,000 snapshots.

        Args:
            poll_interval: Seconds between polls, ``"auto"``, ``"eager"``, or a
                ``schedules.Schedule``.

        Raises:
            NotFound, AuthenticationError, PermissionDenied: when further polls are pointless.
        """
        schedule = as_schedule(poll_interval)
        async with SnapshotStream(self._core.watcher, key_of(self), schedule) as reader:
            while True:
                with errors_about(self):
                    snapshot = await reader.next()
                self._saw(snapshot)
                yield snapshot
                if snapshot.is_terminal:
                    return

    @overload
    async def cancel(self, *, wait: Literal[True]) -> Job[JobData]: ...
    @overload
    async def cancel(self, *, wait: bool = False) -> Self: ...
    async def cancel(self, *, wait: bool = False) -> Job:
        """Ask Hevo to cancel the Job; nothing is sent when it has ended. Returns itself.

        Cancelling is asynchronous: the Job goes through CANCELLING, finishes critical tasks, and
        is then CANCELLED.

        Args:
            wait: Wait until the Job has ended, in whatever status; then there is ``data``.

        Raises:
            RequestError: when the request failed and the Job is still running.
        """
        with errors_about(self):
            await self._core.canceller.cancel(self)
            if wait and not self.is_terminal:
                self._saw(await until_ended(self._core.watcher, key_of(self), UNTIL_CANCELLED))
        return self

    async def list_objects(self) -> AsyncGenerator[JobObjectData, None]:
        """Yield the result of each object that the Job processed."""

        async def fetch(cursor: str | None) -> Page[JobObjectData]:
            with errors_about(self):
                return await self._core.send(api.list_job_objects(*key_of(self), cursor=cursor))

        async for row in rows(fetch):
            yield row

    # -- inside -----------------------------------------------------------------------------------

    @staticmethod
    def _found(core: Core, pipeline_id: int, found: Found) -> Job:
        """Make the Job that a trigger has found."""
        return Job(core, pipeline_id, found.job_id, found.job, certainty=found.certainty)

    @property
    def _core(self) -> Core:
        if self._core_or_none is None:
            raise HevoError(
                f"this Job was unpickled and has no client; use HevoClient.job({quoted(self.ref)})"
            )
        return self._core_or_none

    async def _wait(self, options: WaitOptions, deadline: float | None) -> Job[JobData]:
        """Await with checked options, until a loop time (seconds)."""
        async with self._core.waits([self], options, deadline) as waits:
            ended = await waits.next()
        assert ended is not None  # noqa: S101 -- there is one Job, so there is one end
        if isinstance(ended[1], BaseException):
            raise ended[1]
        return self._with_data()

    def _with_data(self) -> Job[JobData]:
        """Return itself, as the type checkers shall see it after something was read."""
        assert self.data is not None  # noqa: S101 -- who calls this has read it
        return cast("Job[JobData]", self)

    def _of_client(self, core: Core) -> Self:
        """Return the Job as another client's; its loop cannot tell when it was read."""
        same = copy(self)
        same._core_or_none, same._account, same._read_at = core, core.account, None
        return same

    def _saw(self, data: JobData) -> None:
        update_snapshot(self, data, self._core.clock.now())

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled without the client, which holds credentials.
        known = (self.certainty, self._account, self.freshness)
        return _unpickle, (self.pipeline_id, self.id, self.data, *known)


def _unpickle(
    pipeline_id: int,
    job_id: str,
    data: JobData | None,
    certainty: Certainty | None,
    *more: Any,
) -> Job:
    job = Job(None, pipeline_id, job_id, data, certainty=certainty)
    job._account, job.freshness = (*more, None, None)[:2]
    return job
