"""The parts of a client, one of each; its Pipelines and Jobs hold a reference to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hevo_edge import api
from hevo_edge._awaiting.job_reader import HttpJobReader
from hevo_edge._awaiting.next_job import NextJobs
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.cleanup import finish_cleanup
from hevo_edge._common.clock import Clock
from hevo_edge._common.per_loop import running_loop
from hevo_edge._http.config import Config
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.cancel import JobCanceller
from hevo_edge._triggering.attempt import TriggerParts
from hevo_edge._triggering.if_running import IfRunningPolicy
from hevo_edge._triggering.pipeline_reader import PipelineReader
from hevo_edge._triggering.trigger import Triggers
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData

T = TypeVar("T")


class Core:
    """The parts of a client, wired to each other.

    Args:
        config: The checked options of the client.
        as_job: Makes the Job that an error carries, of this core, a Pipeline's id and a snapshot.
    """

    def __init__(self, config: Config, as_job: Callable[[Core, int, JobData], Any]) -> None:
        self.base_url: str = config.base_url
        self.account: str = config.fingerprint
        self.clock: Clock = config.clock
        limiter = RateLimiter(config.rate_limit, self.clock, config.account)
        self.transport: Transport = Transport(config, limiter, self.clock, config.session)
        self.watcher: Watcher = Watcher(HttpJobReader(self.transport, limiter), self.clock)
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
                limiter=limiter,
                reader=PipelineReader(self.transport, self.clock),
                policy=policy,
                clock=self.clock,
                dialect=config.dialect,
                scope=config.base_url,
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

    async def close(self) -> None:
        """End all waits, and close what was opened, however often that is cancelled."""
        running_loop()  # before a coroutine is made that nobody would await
        await finish_cleanup(self._close(), "closing the client")

    async def _close(self) -> None:
        try:
            await self.watcher.close()
        finally:
            await self.transport.close()
