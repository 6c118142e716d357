"""The parts of a client, one of each; its Pipelines and Jobs hold a reference to them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from hevo_edge import api
from hevo_edge._awaiting.job_reader import HttpJobReader
from hevo_edge._awaiting.next_job import NextJobs
from hevo_edge._awaiting.wait_group import WaitGroup
from hevo_edge._awaiting.wait_report import WaitReporting
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.cleanup import finish_cleanup
from hevo_edge._common.clock import Clock
from hevo_edge._common.pagination import Fetch
from hevo_edge._common.per_loop import running_loop
from hevo_edge._http.config import Config
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.cancel import JobCanceller
from hevo_edge._jobs.handle import JobHandle
from hevo_edge._jobs.pipeline_names import PipelineNames
from hevo_edge._progress.trigger_line import trigger_shown
from hevo_edge._triggering.if_running import IfRunningPolicy
from hevo_edge._triggering.parts import TriggerParts
from hevo_edge._triggering.pipeline_reader import PipelineReader
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge._triggering.trigger import Triggers
from hevo_edge.enums import Dialect
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData, Page
from hevo_edge.observing._observer import Observers
from hevo_edge.options import WaitOptions

T = TypeVar("T")
JobT = TypeVar("JobT", bound=JobHandle)


class Core:
    """The parts of a client, wired to each other.

    Args:
        config: The checked options of the client.
        as_job: Makes the Job that an error carries, of this core, a Pipeline's id and a snapshot.
    """

    def __init__(self, config: Config, as_job: Callable[[Core, int, JobData], Any]) -> None:
        self.base_url: str = config.base_url
        self.account: str = config.fingerprint
        self.dialect: Dialect = config.dialect
        self.clock: Clock = config.clock
        self.observers: Observers = config.observers
        self.names: PipelineNames = PipelineNames()
        self.limiter: RateLimiter = RateLimiter(config.rate_limit, self.clock, config.fingerprint)
        self.transport: Transport = Transport(
            config, self.limiter, self.clock, config.session, self.observers
        )
        reader = HttpJobReader(self.transport, self.limiter)
        self.watcher: Watcher = Watcher(reader, self.clock, self.observers)
        self._reporting = WaitReporting(self.observers, self.names, self.watcher.history)
        self.next_jobs: NextJobs = NextJobs(self.watcher)
        self.canceller: JobCanceller = JobCanceller(self.transport, self.clock)
        policy = IfRunningPolicy(
            self.transport,
            self.watcher,
            self.clock,
            lambda pipeline_id, data: as_job(self, pipeline_id, data),
        )
        self.triggers: Triggers = Triggers(
            TriggerParts(
                transport=self.transport,
                limiter=self.limiter,
                reader=PipelineReader(self.transport, self.clock, self.names),
                policy=policy,
                clock=self.clock,
                dialect=config.dialect,
                scope=config.base_url,
                observers=self.observers,
            )
        )

    def check_account(self, account: str | None, what: str) -> None:
        """Check that something is of this client's account, by its fingerprint, if that is known.

        Args:
            account: The fingerprint; None when it is not known.
            what: What to call it, and how to pass it nevertheless.

        Raises:
            ConfigurationError: when it is of another account.
        """
        if account not in {None, self.account}:
            raise ConfigurationError(
                f"{what}: it is of another account of Hevo, or of another API key, than this client"
            )

    def waits(
        self, jobs: Sequence[JobT], options: WaitOptions, deadline: float | None
    ) -> WaitGroup[JobT]:
        """Return the waits for some Jobs, until a loop time (seconds)."""
        return WaitGroup(
            self.watcher, self.canceller, jobs, options, deadline, reporting=self._reporting
        )

    def shown(self, ticket: TriggerTicket, *, progress: bool) -> AbstractContextManager[None]:
        """Show the trigger of a ticket in a block, where that is wanted."""
        if not progress:
            return nullcontext()
        what, names = str(ticket.action), self.names.get
        return trigger_shown(self.observers, ticket.ticket_id, what, ticket.pipeline_id, names)

    def deadline(self, timeout: float | None) -> float | None:
        """Return the loop time (seconds) at which a time-out that begins now ends."""
        return None if timeout is None else self.clock.now() + timeout

    async def send(self, request: api.Request[T], priority: Priority | None = None) -> T:
        """Send a request; by default a read has the lowest priority, all else that of a trigger.

        Raises:
            RequestError: one of its subclasses.
            HevoError: when the client is closed.
        """
        if not isinstance(request, api.Request):
            raise ConfigurationError(f"send takes a request of hevo_edge.api, not {request!r}")
        if priority is None:
            priority = Priority.LIST if request.is_read else Priority.TRIGGER
        return (await self.transport.exchange(request, priority)).value

    def pages(self, pipeline_id: int, limit: int = api.PAGE_LIMIT) -> Fetch[JobData]:
        """Return a function that fetches a page of a Pipeline's Jobs, of so many rows."""

        async def fetch(cursor: str | None) -> Page[JobData]:
            return await self.send(api.list_jobs(pipeline_id, limit=limit, cursor=cursor))

        return fetch

    def timed_pages(
        self, pipeline_id: int
    ) -> Callable[[str | None], Coroutine[Any, Any, tuple[Page[JobData], float]]]:
        """Return a function that fetches a page of Jobs, and when it was read by Hevo's clock."""

        async def fetch(cursor: str | None) -> tuple[Page[JobData], float]:
            request = api.list_jobs(pipeline_id, cursor=cursor)
            reply = await self.transport.exchange(request, Priority.DISCOVERY)
            return reply.value, reply.server_time or self.clock.wall()

        return fetch

    async def close(self) -> None:
        """End all waits, and close what was opened, however often that is cancelled."""
        running_loop()  # before a coroutine is made that nobody would await
        await finish_cleanup(self._close(), "closing the client")

    async def _close(self) -> None:
        try:
            await self.watcher.close()
        finally:
            await self.transport.close()
