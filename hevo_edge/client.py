"""The client: hands out Pipelines and Jobs, and waits for many at once."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, overload

from hevo_edge import api
from hevo_edge._common import validation
from hevo_edge._common.async_context import AsyncContext
from hevo_edge._common.pagination import rows
from hevo_edge._common.signatures import with_options
from hevo_edge._common.validation import Duration
from hevo_edge._core import Core
from hevo_edge._http.config import CLIENT_DEFAULTS, ClientKeywords, Config, EnvKeywords
from hevo_edge._http.ratelimit import Priority
from hevo_edge._job_list import JobList
from hevo_edge._triggering.ticket import OnTicket, TriggerTicket
from hevo_edge.budget import Budget
from hevo_edge.errors import ConfigurationError, HevoError
from hevo_edge.job import Job, WaitKeywords
from hevo_edge.models import JobData, Page, PipelineData
from hevo_edge.options import WAIT_DEFAULTS, WaitOptions
from hevo_edge.pipeline import Pipeline

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["ClientKeywords", "EnvKeywords", "HevoClient"]

T = TypeVar("T")


def _as_job(core: Core, pipeline_id: int, data: JobData) -> Job[JobData]:
    return Job(core, pipeline_id, data.job_id, data)


class HevoClient(AsyncContext):
    """A client of one Hevo account.

    Use it as an async context manager, or call ``close`` when done. It opens one HTTP session, on
    first use, and may be used in several event loops one after another. Make one client and share
    it: everything that uses it shares the connections, the polls and the call budget.

    Args:
        api_key: The API key (Hevo's "API username"). With the secret from
            ``https://{region}.hevodata.com/account/api-keys``.
        api_secret: The API secret (Hevo's "API key").
        region: The first part of the host you log in at: ``"us"``, ``"eu"``, ``"in"``, ...
        base_url: The whole base URL, instead of a region.
        rate_limit: The share of Hevo's 100 calls a minute that this client may use; None turns
            limiting off.
        timeout: Seconds for one HTTP request.
        max_retries: How often what may be repeated is repeated.
        headers: More headers for every request.
        proxy: The URL of an HTTP proxy to go through; by default what the environment says.
        trust_env: Whether to take the proxy from ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
            ``NO_PROXY``, when the client is made. Addresses of this machine need none.
        ssl: How to check Hevo's certificate: an ``ssl.SSLContext``; the path of a file of CAs to
            trust besides the system's; or False not to check it.
        session: An aiohttp session to use, with its own proxy and TLS; it is not closed.
        dialect: The generation of request bodies to send, see ``Dialect``.
        insecure: Allow plain http to hosts other than this machine.
        observer: Is told of requests, polls, triggers, statuses and waits; or several of them. See
            ``hevo_edge.observing``.
        clock: Time and jitter, for tests.

    Raises:
        ConfigurationError: when a parameter is missing or wrong.
    """

    base_url: str = ""
    """The base URL of Hevo, without a trailing slash."""

    @with_options(ClientKeywords, CLIENT_DEFAULTS)
    def __init__(
        self,
        api_key: str | None = None,
        api_secret: str | None = None,
        **options: Unpack[ClientKeywords],
    ) -> None:
        config = Config(api_key, api_secret, **options)
        self.base_url = config.base_url
        self._core = Core(config, _as_job)

    @classmethod
    def from_env(cls, **overrides: Unpack[EnvKeywords]) -> Self:
        """Make a client from ``HEVO_API_KEY``, ``HEVO_API_SECRET``, and ``HEVO_REGION`` or
        ``HEVO_BASE_URL``.

        ``HEVO_RATE_LIMIT_STORE``, where it is set, is the ``shared`` of its ``RateLimit``, and
        ``HEVO_RATE_LIMIT_NAME`` its ``shared_name``.

        Args:
            **overrides: Arguments of the client; they win over the environment.

        Raises:
            ConfigurationError: naming the variable that is missing or wrong.
        """
        return cls(**Config.env(overrides))

    # -- resources --------------------------------------------------------------------------------

    def pipeline(self, pipeline_id: int | str) -> Pipeline:
        """Return a handle of a Pipeline, without any request.

        Raises:
            ConfigurationError: unless the id is a positive integer, or a string of digits.
        """
        return Pipeline(self._core, validation.pipeline_id(pipeline_id), None)

    async def get_pipeline(self, pipeline_id: int | str) -> Pipeline[PipelineData]:
        """Read a Pipeline.

        Raises:
            NotFound: when there is no such Pipeline.
        """
        return await self.pipeline(pipeline_id).refresh()

    async def list_pipelines(self) -> AsyncGenerator[Pipeline[PipelineData], None]:
        """Yield all Pipelines of the account, reading pages as they are needed."""

        async def fetch(cursor: str | None) -> Page[PipelineData]:
            return await self.send(api.list_pipelines(cursor=cursor))

        async for data in rows(fetch):
            yield Pipeline(self._core, data.id, data)

    @overload
    def job(self, ref: str, /) -> Job: ...
    @overload
    def job(self, pipeline_id: int | str, job_id: str, /) -> Job: ...
    def job(self, ref: int | str, job_id: str | None = None, /) -> Job:
        """Return a handle of a Job, without any request.

        Args:
            ref: A ``Job.ref``; or the Pipeline's id, with
            job_id: the Job's id.

        Raises:
            ConfigurationError: when the ref or an id is invalid.
        """
        if job_id is None:
            pipeline, job_id = validation.job_ref(ref)
            return Job(self._core, pipeline, job_id, None)
        job_id = validation.identifier(job_id, "job_id")
        return Job(self._core, validation.pipeline_id(ref), job_id, None)

    # -- many jobs --------------------------------------------------------------------------------

    @overload
    async def await_all(
        self,
        jobs: Iterable[Job | str],
        *,
        on_failure: Literal["raise"] = "raise",
        **wait: Unpack[WaitKeywords],
    ) -> list[Job[JobData]]: ...
    @overload
    async def await_all(
        self,
        jobs: Iterable[Job | str],
        *,
        on_failure: Literal["return"],
        **wait: Unpack[WaitKeywords],
    ) -> list[Job[JobData] | HevoError]: ...
    @with_options(WaitKeywords, WAIT_DEFAULTS)
    async def await_all(
        self, jobs: Iterable[Job | str], *, on_failure: str = "raise", **wait: Unpack[WaitKeywords]
    ) -> list[Job[JobData]] | list[Job[JobData] | HevoError]:
        """Await many Jobs at once, of any Pipelines.

        Args:
            jobs: Jobs or their refs.
            on_failure: ``"raise"``: the first failure ends all waits, and is raised.
                ``"return"``: wait for all; the result has the error in its Job's place.
            **wait: The keywords of ``Job.await_completion``, for each.

        Returns:
            The Jobs in the order given; with ``on_failure="return"``, the HevoError of each that
            did not succeed. A notebook shows the list as a table.
        """
        validation.one_of(on_failure, "on_failure", ("raise", "return"))
        given = self._jobs(jobs)
        async with aclosing(self._ended(given, WaitOptions.check(**wait), on_failure)) as ended:
            results = {place: result async for place, result in ended}
        return JobList(results[place] for place in range(len(given)))

    @overload
    def as_completed(
        self,
        jobs: Iterable[Job | str],
        *,
        on_failure: Literal["raise"] = "raise",
        **wait: Unpack[WaitKeywords],
    ) -> AsyncGenerator[Job[JobData], None]: ...
    @overload
    def as_completed(
        self,
        jobs: Iterable[Job | str],
        *,
        on_failure: Literal["return"],
        **wait: Unpack[WaitKeywords],
    ) -> AsyncGenerator[Job[JobData] | HevoError, None]: ...
    @with_options(WaitKeywords, WAIT_DEFAULTS)
    async def as_completed(
        self, jobs: Iterable[Job | str], *, on_failure: str = "raise", **wait: Unpack[WaitKeywords]
    ) -> AsyncGenerator[Job[JobData] | HevoError, None]:
        """Yield Jobs as they end.

        Args:
            jobs: Jobs or their refs.
            on_failure: ``"raise"`` the first failure, which ends the iteration; or ``"return"``:
                yield the HevoError of a Job that did not succeed (``error.job`` is the Job).
            **wait: The keywords of ``Job.await_completion``, for each.
        """
        validation.one_of(on_failure, "on_failure", ("raise", "return"))
        given = self._jobs(jobs)
        async with aclosing(self._ended(given, WaitOptions.check(**wait), on_failure)) as ended:
            async for _, result in ended:
                yield result

    # -- trigger in three steps -------------------------------------------------------------------

    async def fire(
        self,
        ticket: TriggerTicket,
        *,
        timeout: Duration | None = None,
        on_ticket: OnTicket | None = None,
        first: bool = False,
    ) -> Job:
        """Post a ticket once, and return the Job that it started.

        A ticket whose POST may have arrived is not posted again, unless ``reconcile`` has returned
        None for it; firing it again returns its Job. A ticket that another process stored may have
        been fired there, so its Job is searched for, for its ``discovery_timeout`` (seconds),
        before it is posted; unless you know that it was not, and say so by ``first``.

        Args:
            ticket: From ``prepare_trigger``, an error, or the store.
            timeout: Seconds for all phases together, see ``Pipeline.trigger``.
            on_ticket: Called with the ticket to store it, see ``Pipeline.trigger``.
            first: That no other process has fired this ticket before, as an engine knows that
                counts its attempts. It is posted without a search then, unless the ticket itself,
                or this client, knows of a POST: that counts more. If another process has fired it
                all the same, the Pipeline may run twice.

        Raises: as ``Pipeline.trigger``.
        """
        validation.callback(on_ticket, "on_ticket")
        first = validation.parse_bool(first, "first")
        deadline = self._core.deadline(validation.optional_seconds(timeout, "timeout"))
        found = await self._core.triggers.fire(
            self._ticket(ticket), deadline, on_ticket, first=first
        )
        return Job._found(self._core, ticket.pipeline_id, found)

    async def reconcile(
        self, ticket: TriggerTicket, *, timeout: Duration | None = None
    ) -> Job | None:
        """Search only: return the Job that a ticket started, or None when it started none.

        Polls for as long as the ticket's ``discovery_timeout`` (seconds) before it returns None;
        then the ticket may be fired again.

        Args:
            ticket: From ``prepare_trigger``, an error, or the store.
            timeout: Seconds for all of it at most; a search that it cuts short returns no None.

        Raises:
            TriggerOutcomeUnknown: when the Jobs could not be listed, or not for long enough.
            JobNotFoundAfterTrigger: when Hevo accepted the POST, and no Job is listed yet.
        """
        deadline = self._core.deadline(validation.optional_seconds(timeout, "timeout"))
        found = await self._core.triggers.reconcile(self._ticket(ticket), deadline)
        return None if found is None else Job._found(self._core, ticket.pipeline_id, found)

    # -- the wire ---------------------------------------------------------------------------------

    async def send(self, request: api.Request[T], *, priority: Priority | None = None) -> T:
        """Send any request of ``hevo_edge.api``, for endpoints that have no method here.

        Args:
            request: What to send.
            priority: Its priority in the call budget; by default the lowest for a read, and that
                of a trigger for everything else.

        Raises:
            RequestError: one of its subclasses.
            HevoError: when the client is closed.
        """
        return await self._core.send(request, priority)

    async def budget(self) -> Budget:
        """Return the state of the call budget: what is used and free, and who uses it.

        It makes no call of Hevo's. Where the budget is shared, all who share it are counted.
        """
        return await self._core.limiter.budget()

    async def close(self) -> None:
        """End all waits, and close what was opened. Calling it again does nothing."""
        await self._core.close()

    async def _leave(self, _: BaseException | None, /) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"HevoClient(base_url={self.base_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a HevoClient is not picklable: it holds credentials. Pass Job.ref or "
            "TriggerTicket.dumps() to the other process and make a client there."
        )

    # -- inside -----------------------------------------------------------------------------------

    def _jobs(self, jobs: Iterable[Job | str]) -> list[Job]:
        if isinstance(jobs, (str, Job)) or not isinstance(jobs, Iterable):
            raise ConfigurationError("jobs must be several Jobs or refs, such as a list of them")
        return [self._one_of(job) for job in jobs]

    def _one_of(self, job: Any) -> Job:
        if isinstance(job, str):
            return self.job(job)
        if isinstance(job, Job):
            self._core.check_account(
                job._account, f"{job!r} cannot be awaited here, but HevoClient.job(job.ref) can"
            )
            if job._core_or_none is None:  # it was unpickled
                job._core_or_none, job._account = self._core, self._core.account
            return job
        hint = "; await it first" if inspect.isawaitable(job) else ""
        raise ConfigurationError(f"jobs must be Jobs or their refs, not {job!r}{hint}")

    def _ticket(self, ticket: Any) -> TriggerTicket:
        if not isinstance(ticket, TriggerTicket):
            raise ConfigurationError(
                f"this takes a TriggerTicket, not {type(ticket).__name__}; a stored one is read by "
                "TriggerTicket.loads(text)"
            )
        self._core.check_account(
            ticket.account,
            "this ticket cannot be used here, unless only the key was renewed and you pass "
            'ticket.model_copy(update={"account": None})',
        )
        return ticket

    async def _ended(
        self, jobs: list[Job], options: WaitOptions, on_failure: str
    ) -> AsyncGenerator[tuple[int, Job[JobData] | HevoError], None]:
        """Yield each Job's place and outcome as it ends; raise the errors that are not returned."""
        core = self._core
        deadline = core.deadline(options.timeout)
        async with core.waits(jobs, options, deadline) as waits:
            while (ended := await waits.next()) is not None:
                place, result = ended
                if isinstance(result, HevoError) and on_failure == "return":
                    yield place, result
                    continue
                if isinstance(result, BaseException):
                    raise result
                yield place, result._with_data()
