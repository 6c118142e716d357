"""The hook: an Airflow connection as a HevoClient, and the vendor's method names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge import HevoClient, Job, JobStatus, JobType, Pipeline, ResyncMode, api
from hevo_edge.errors import HevoError, NotFound
from hevo_edge.integrations.airflow import connections, parameters
from hevo_edge.integrations.airflow.provider import CONNECTION_ID, CONNECTION_TYPE, FORM
from hevo_edge.models import JobData, JobObjectData, ObjectData, PipelineData
from hevo_edge.orchestration import Account, run, validation

if TYPE_CHECKING:
    # The shim is not typed.
    from airflow.sdk import BaseHook
else:
    from airflow.providers.common.compat.sdk import BaseHook


class HevoHook(BaseHook):
    """A connection to Hevo, for tasks of one's own.

    ``hook.client()`` is all there is to it: a ``HevoClient`` for ``asyncio.run`` or an async task.
    The vendor's method names are there as well, each with ``_async`` and ``_sync`` appended, and
    forward to it.

    Args:
        connection_id: The Airflow connection: login is the API key, password the API secret, host
            a region or a URL; extra may hold ``headers``, ``proxy``, ``verify``, ``rate_limit``
            (calls a minute), ``timeout``, ``dialect`` and ``insecure``.
        timeout: Seconds for a request.
        retry_limit: Accepted as the vendor's provider has it, without effect: the client repeats
            what may be repeated, with backoff, and nothing else.
        retry_delay: See ``retry_limit``.
        retryable_status_codes: See ``retry_limit``.
        pipeline_id: See ``retry_limit``; an older generation of the vendor's had it.
        extra_headers: More headers for every request, beside the connection's.
        extra_kwargs: See ``pipeline_id``.
    """

    conn_name_attr = "connection_id"
    default_conn_name = CONNECTION_ID
    conn_type = CONNECTION_TYPE
    hook_name = "Hevo Edge"

    def __init__(  # noqa: PLR0917 -- the vendor's, in the vendor's order
        self,
        connection_id: str = CONNECTION_ID,
        retry_limit: int = 3,
        retry_delay: float = 2,
        timeout: float | None = None,
        retryable_status_codes: Collection[int] | None = None,
        pipeline_id: int | None = None,
        extra_headers: dict[str, str] | None = None,
        extra_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_id = pipeline_id
        self.extra_headers = extra_headers
        self.extra_kwargs = extra_kwargs
        self.connection_id: str = connection_id or CONNECTION_ID
        self.retry_limit = retry_limit
        self.retry_delay = retry_delay
        self.timeout = timeout
        self.retryable_status_codes = retryable_status_codes

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection's form looks."""
        # In Airflow's other spelling: the provider's description has hyphens.
        return {key.replace("-", "_"): value for key, value in FORM.items()}

    # -- the client -------------------------------------------------------------------------------

    def client(self) -> HevoClient:
        """Read the connection, and make a client. Blocks; in a coroutine use ``aclient``.

        Raises:
            AirflowNotFoundException: when there is no such connection.
            AirflowFailException: when it lacks something.
        """
        with parameters.at_run(self.connection_id):
            return self._client(connections.read(self.connection_id))

    get_conn = client

    async def aclient(self) -> HevoClient:
        """Read the connection without blocking the event loop, and make a client."""
        with parameters.at_run(self.connection_id):
            return self._client(await connections.read_async(self.connection_id))

    def _client(self, account: Account) -> HevoClient:
        timeout = {} if self.timeout is None else {"timeout": self.timeout}
        return account.client(headers=self.extra_headers, **timeout)

    def test_connection(self) -> tuple[bool, str]:
        """Read the first Pipeline; say whether that worked, and what was seen."""
        try:
            return True, run(self._first_pipeline())
        except (HevoError, AirflowException) as error:
            return False, str(error)

    async def _first_pipeline(self) -> str:
        async with await self.aclient() as hevo:
            async for pipeline in hevo.list_pipelines():
                return f"{hevo.base_url} answers; Pipeline {pipeline.id} is {pipeline.status}"
            return f"{hevo.base_url} answers; the account has no Pipelines"

    # -- the vendor's names -----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the ``_sync`` form of an ``_async`` method."""
        if name.startswith("_") or not name.endswith("_sync"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method = getattr(type(self), f"{name.removesuffix('_sync')}_async", None)
        if method is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return partial(self._run, method)

    def _run(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with parameters.at_run(self.connection_id):
            return run(method(self, *args, **kwargs))

    async def get_pipeline_async(self, pipeline_id: int) -> Pipeline[PipelineData]:
        """Read a Pipeline."""
        async with await self.aclient() as hevo:
            return await hevo.get_pipeline(pipeline_id)

    async def validate_pipeline_async(self, pipeline_id: int) -> Pipeline[PipelineData]:
        """Read a Pipeline, and refuse one on which no run can be started.

        Raises:
            AirflowException: when there is none, or its state allows no run.
        """
        async with await self.aclient() as hevo:
            try:
                await hevo.pipeline(pipeline_id).prepare_trigger(if_running="join")
                return await hevo.get_pipeline(pipeline_id)
            except NotFound as error:
                raise AirflowException(
                    f"Pipeline {pipeline_id} does not exist, please ensure the id is correct: "
                    f"{error}"
                ) from error

    async def trigger_pipeline_sync_async(
        self, pipeline_id: int, ensure_new_job: bool = True
    ) -> Job[JobData]:
        """Start a sync, and return its Job."""
        async with await self.aclient() as hevo:
            policy = parameters.if_running(None, ensure_new_job)
            return await hevo.pipeline(pipeline_id).sync_now(if_running=policy)

    async def resync_pipeline_async(
        self,
        pipeline_id: int,
        resync_mode: ResyncMode | str | None = None,
        drop_and_load: bool = False,
    ) -> Job[JobData]:
        """Restart the historical load, and return its Job."""
        async with await self.aclient() as hevo:
            drop = parameters.drops(drop_and_load, resync_mode)
            return await hevo.pipeline(pipeline_id).resync(drop_and_load=drop)

    async def find_active_job_by_type_async(
        self,
        pipeline_id: int,
        job_type: JobType | str | None = JobType.INCREMENTAL,
        page_limit: int = 10,  # noqa: ARG002 -- in the vendor's signature; the client knows
    ) -> Job[JobData] | None:
        """Return the Job of a type that runs now, or None."""
        async with await self.aclient() as hevo:
            return await hevo.pipeline(pipeline_id).active_job(job_type)

    async def get_job_completion_status_async(
        self, pipeline_id: int, job_id: str, accept_completed_with_failures: bool = False
    ) -> str:
        """Return how a Job stands, in the vendor's four words.

        They are ``completed``, ``completed_with_failures``, ``failed`` and ``pending``; the second
        only when that is accepted, else it is ``failed``.
        """
        async with await self.aclient() as hevo:
            job = await hevo.pipeline(pipeline_id).job(job_id).refresh()
        if not job.is_terminal:
            return "pending"
        if job.status == JobStatus.COMPLETED:
            return "completed"
        accepted = accept_completed_with_failures
        if job.status == JobStatus.COMPLETED_WITH_FAILURES and accepted:
            return "completed_with_failures"
        return "failed"

    async def update_pipeline_async(
        self, pipeline_id: int, payload: dict[str, Any]
    ) -> Pipeline[PipelineData]:
        """Change fields of a Pipeline."""
        async with await self.aclient() as hevo:
            return await hevo.pipeline(pipeline_id).update(**payload)

    async def update_pipeline_sources_async(
        self, pipeline_id: int, payload: dict[str, Any]
    ) -> Pipeline[PipelineData]:
        """Change fields of a Pipeline's source."""
        async with await self.aclient() as hevo:
            await hevo.send(api.update_sources(validation.pipeline_id(pipeline_id), payload))
            return await hevo.get_pipeline(pipeline_id)

    async def enable_pipeline_async(self, pipeline_id: int) -> None:
        """Enable a Pipeline."""
        async with await self.aclient() as hevo:
            await hevo.pipeline(pipeline_id).enable()

    async def disable_pipeline_async(
        self, pipeline_id: int, cancel_active_jobs: bool = False
    ) -> None:
        """Disable a Pipeline."""
        async with await self.aclient() as hevo:
            await hevo.pipeline(pipeline_id).disable(cancel_active_jobs=cancel_active_jobs)

    async def cancel_job_async(self, pipeline_id: int, job_id: str) -> Job:
        """Ask Hevo to cancel a Job."""
        async with await self.aclient() as hevo:
            return await hevo.pipeline(pipeline_id).job(job_id).cancel()

    async def get_job_objects_async(
        self,
        pipeline_id: int,
        job_id: str,
        limit: int = 100,
        cursor: str | None = None,  # noqa: ARG002 -- in the vendor's signature; pages are followed
    ) -> list[JobObjectData]:
        """Return what a Job did with each object, ``limit`` of them at most."""
        async with await self.aclient() as hevo:
            job = hevo.pipeline(pipeline_id).job(job_id)
            rows: list[JobObjectData] = []
            async for row in job.list_objects():
                rows.append(row)
                if len(rows) == limit:
                    break
            return rows

    async def list_objects_async(self, pipeline_id: int) -> list[ObjectData]:
        """Return the objects of a Pipeline."""
        async with await self.aclient() as hevo:
            return [row async for row in hevo.pipeline(pipeline_id).list_objects()]

    async def get_object_async(self, pipeline_id: int, object_id: str) -> ObjectData:
        """Return an object of a Pipeline."""
        async with await self.aclient() as hevo:
            return await hevo.pipeline(pipeline_id).get_object(object_id)

    list_pipeline_objects_async = list_objects_async
    get_pipeline_object_async = get_object_async

    async def refresh_schema_async(self, pipeline_id: int) -> None:
        """Let Hevo read the source's schema anew."""
        async with await self.aclient() as hevo:
            await hevo.pipeline(pipeline_id).refresh_schema()

    async def resync_objects_async(
        self, pipeline_id: int, object_ids: Collection[str], drop_and_load: bool = False
    ) -> Job[JobData]:
        """Restart the historical load of some objects, and return its Job."""
        async with await self.aclient() as hevo:
            pipeline = hevo.pipeline(pipeline_id)
            return await pipeline.resync_objects(object_ids, drop_and_load=drop_and_load)


HevoPipelineHook = HevoObjectHook = HevoHook
"""The vendor's two hooks."""
