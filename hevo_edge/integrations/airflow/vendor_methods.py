"""The vendor's method names, by which whoever comes from its hooks changes imports alone."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.enums import JobStatus, JobType, OpenEnum, ResyncMode
from hevo_edge.errors import ConfigurationError, NotFound
from hevo_edge.integrations.airflow import parameters
from hevo_edge.integrations.airflow.records import Record, job_record, plain, record
from hevo_edge.orchestration import run

if TYPE_CHECKING:
    from hevo_edge import HevoClient

P = ParamSpec("P")
T = TypeVar("T")
HookT = TypeVar("HookT")


def in_sync(
    method: Callable[Concatenate[HookT, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[HookT, P], T]:
    """Return the ``_sync`` form of an ``_async`` method, of the same signature."""
    name = method.__name__

    @wraps(method)
    def call(self: HookT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # By its name: a subclass may have its own.
        coroutine: Coroutine[Any, Any, T] = getattr(self, name)(*args, **kwargs)
        return run(coroutine)

    call.__name__ = f"{name.removesuffix('_async')}_sync"
    call.__qualname__ = f"{method.__qualname__.removesuffix(name)}{call.__name__}"
    return call


class JobCompletionStatus(OpenEnum):
    """How a Job stands, in the vendor's four words."""

    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    FAILED = "failed"
    PENDING = "pending"


class VendorMethods:
    """What the vendor's two hooks have, for a hook with a connection.

    Each has all the names that it has had: ``..._async``, and for synchronous code ``..._sync`` and
    the one without an ending. They return plain JSON, and raise Airflow's errors.
    """

    def _connected(self) -> AbstractAsyncContextManager[HevoClient]:
        raise NotImplementedError

    async def get_pipeline_async(self, pipeline_id: int) -> Record | None:
        """Read a Pipeline; None when there is none."""
        async with self._connected() as hevo:
            try:
                return record((await hevo.get_pipeline(pipeline_id)).data)
            except NotFound:
                return None

    async def validate_pipeline_async(
        self, pipeline_id: int, sync_type: str | None = None
    ) -> Record:
        """Read a Pipeline, and refuse one on which no run can be started.

        Args:
            pipeline_id: The Pipeline.
            sync_type: Refuse one of another sync type too, ``SyncType`` or its word.

        Raises:
            AirflowException: when there is none, or its state allows no run.
        """
        async with self._connected() as hevo:
            try:
                await hevo.pipeline(pipeline_id).prepare_trigger(if_running="join")
                read = record((await hevo.get_pipeline(pipeline_id)).data)
            except NotFound as error:
                raise AirflowException(
                    f"Pipeline {pipeline_id} does not exist, please ensure the id is correct: "
                    f"{error}"
                ) from error
        if sync_type is not None and (read["schedule"] or {}).get("sync_type") != sync_type:
            raise AirflowException(f"Pipeline {pipeline_id} is not of sync type {sync_type}")
        return read

    async def trigger_pipeline_sync_async(
        self, pipeline_id: int, ensure_new_job: bool = True
    ) -> Record:
        """Start a sync, and return its Job. Called again, by a retry too, it starts another."""
        async with self._connected() as hevo:
            policy = parameters.if_running(None, ensure_new_job=ensure_new_job)
            return job_record(await hevo.pipeline(pipeline_id).sync_now(if_running=policy))

    async def resync_pipeline_async(
        self,
        pipeline_id: int,
        resync_mode: ResyncMode | str | bool | None = None,
        drop_and_load: bool = False,
    ) -> Record:
        """Restart the historical load, and return its Job.

        Args:
            pipeline_id: The Pipeline.
            resync_mode: ``ResyncMode`` or its word; or, as it was, True to drop and load.
            drop_and_load: The same by its earlier name.
        """
        async with self._connected() as hevo:
            if isinstance(resync_mode, bool):
                resync_mode, drop_and_load = None, resync_mode or drop_and_load
            drop = parameters.drops(drop_and_load, resync_mode)
            return job_record(await hevo.pipeline(pipeline_id).resync(drop_and_load=drop))

    async def find_active_job_by_type_async(
        self,
        pipeline_id: int,
        job_type: JobType | str | None = JobType.INCREMENTAL,
        page_limit: int = 10,  # noqa: ARG002 -- in the vendor's signature; the client knows
    ) -> Record:
        """Return the Job of a type, or of any if that is None, that runs now.

        Raises:
            AirflowException: when none does.
        """
        async with self._connected() as hevo:
            job = await hevo.pipeline(pipeline_id).active_job(job_type)
        if job is None:
            of_type = "" if job_type is None else f" of type {job_type}"
            raise AirflowException(f"Pipeline {pipeline_id} has no active Job{of_type}")
        return job_record(job)

    async def get_job_completion_status_async(
        self, pipeline_id: int, job_id: str, accept_completed_with_failures: bool = False
    ) -> JobCompletionStatus:
        """Return how a Job stands; COMPLETED_WITH_FAILURES only if it is accepted, else FAILED."""
        async with self._connected() as hevo:
            job = await hevo.pipeline(pipeline_id).job(job_id).refresh()
        if not job.is_terminal:
            return JobCompletionStatus.PENDING
        if job.status == JobStatus.COMPLETED:
            return JobCompletionStatus.COMPLETED
        accepted = accept_completed_with_failures
        if job.status == JobStatus.COMPLETED_WITH_FAILURES and accepted:
            return JobCompletionStatus.COMPLETED_WITH_FAILURES
        return JobCompletionStatus.FAILED

    async def update_pipeline_async(
        self, pipeline_id: int, pipeline_config: Mapping[str, Any]
    ) -> Record:
        """Change fields of a Pipeline, and return it."""
        async with self._connected() as hevo:
            pipeline = await hevo.pipeline(pipeline_id).update(**pipeline_config)
            return record(pipeline.data)

    async def update_pipeline_sources_async(
        self, pipeline_id: int, sources_config: Mapping[str, Any]
    ) -> Any:
        """Change fields of a Pipeline's source, and return Hevo's answer, by all signs a dict."""
        from hevo_edge import api  # noqa: PLC0415 -- DAG files import this module

        async with self._connected() as hevo:
            return plain(await hevo.send(api.update_sources(pipeline_id, sources_config)))

    async def enable_pipeline_async(self, pipeline_id: int) -> None:
        """Enable a Pipeline."""
        async with self._connected() as hevo:
            await hevo.pipeline(pipeline_id).enable()

    async def disable_pipeline_async(
        self, pipeline_id: int, cancel_active_jobs: bool = False
    ) -> None:
        """Disable a Pipeline."""
        async with self._connected() as hevo:
            await hevo.pipeline(pipeline_id).disable(cancel_active_jobs=cancel_active_jobs)

    async def cancel_job_async(self, pipeline_id: int, job_id: str) -> Record:
        """Ask Hevo to cancel a Job; its status is there if it had to be read."""
        async with self._connected() as hevo:
            return job_record(await hevo.pipeline(pipeline_id).job(job_id).cancel())

    async def get_job_objects_async(
        self, pipeline_id: int, job_id: str, limit: int = 100, cursor: str | None = None
    ) -> Record:
        """Return a page of what a Job did with each object: data, has_more, next_cursor."""
        from hevo_edge import api  # noqa: PLC0415 -- as above

        async with self._connected() as hevo:
            page = await hevo.send(
                api.list_job_objects(pipeline_id, job_id, limit=limit, cursor=cursor)
            )
        return record(page)

    async def list_objects_async(
        self, pipeline_id: int, limit: int = 100, cursor: str | None = None
    ) -> Record:
        """Return a page of the objects of a Pipeline: data, has_more, next_cursor."""
        from hevo_edge import api  # noqa: PLC0415 -- as above

        async with self._connected() as hevo:
            page = await hevo.send(api.list_objects(pipeline_id, limit=limit, cursor=cursor))
        return record(page)

    async def get_object_async(self, pipeline_id: int, object_id: str) -> Record:
        """Return an object of a Pipeline."""
        async with self._connected() as hevo:
            return record(await hevo.pipeline(pipeline_id).get_object(object_id))

    async def refresh_schema_async(
        self, pipeline_id: int, refresh_config: Mapping[str, Any] | None = None
    ) -> None:
        """Let Hevo read the source's schema anew; what is given is sent as it is."""
        from hevo_edge import api  # noqa: PLC0415 -- as above

        async with self._connected() as hevo:
            await hevo.send(replace(api.refresh_schema(pipeline_id), body=refresh_config or None))

    async def resync_objects_async(
        self,
        pipeline_id: int,
        resync_config: Mapping[str, Any] | Iterable[str],
        drop_and_load: bool = False,
    ) -> Record:
        """Restart the historical load of some objects, and return its Job.

        Args:
            pipeline_id: The Pipeline.
            resync_config: Ids or names of objects; or as the vendor has it, a dict with these as
                ``objects`` or ``object_ids``, and ``drop_and_load``.
            drop_and_load: Drop and recreate their tables.
        """
        async with self._connected() as hevo:
            objects, drop = _objects_of(resync_config, drop_and_load)
            pipeline = hevo.pipeline(pipeline_id)
            return job_record(await pipeline.resync_objects(objects, drop_and_load=drop))

    # -- the same for synchronous code ------------------------------------------------------------

    get_pipeline = get_pipeline_sync = in_sync(get_pipeline_async)
    validate_pipeline = validate_pipeline_sync = in_sync(validate_pipeline_async)
    trigger_pipeline_sync = trigger_pipeline_sync_sync = in_sync(trigger_pipeline_sync_async)
    resync_pipeline = resync_pipeline_sync = in_sync(resync_pipeline_async)
    find_active_job_by_type = find_active_job_by_type_sync = in_sync(find_active_job_by_type_async)
    get_job_completion_status = get_job_completion_status_sync = in_sync(
        get_job_completion_status_async
    )
    update_pipeline = update_pipeline_sync = in_sync(update_pipeline_async)
    update_pipeline_sources = update_pipeline_sources_sync = in_sync(update_pipeline_sources_async)
    enable_pipeline = enable_pipeline_sync = in_sync(enable_pipeline_async)
    disable_pipeline = disable_pipeline_sync = in_sync(disable_pipeline_async)
    cancel_job = cancel_job_sync = in_sync(cancel_job_async)
    get_job_objects = get_job_objects_sync = in_sync(get_job_objects_async)
    list_objects = list_objects_sync = in_sync(list_objects_async)
    get_object = get_object_sync = in_sync(get_object_async)
    refresh_schema = refresh_schema_sync = in_sync(refresh_schema_async)
    resync_objects = resync_objects_sync = in_sync(resync_objects_async)

    # What the vendor's Pipeline hook calls those of its object hook.
    list_pipeline_objects_async = list_objects_async
    list_pipeline_objects = list_pipeline_objects_sync = list_objects
    get_pipeline_object_async = get_object_async
    get_pipeline_object = get_pipeline_object_sync = get_object


def _objects_of(config: Mapping[str, Any] | Iterable[str], drop: bool) -> tuple[Any, bool]:
    """Return the objects to resync, and whether to drop their tables."""
    if not isinstance(config, Mapping):
        return config, drop
    given = dict(config)
    named = [*given.pop("objects", ()), *given.pop("object_ids", ())]
    drop = given.pop("drop_and_load", drop)
    if given:
        raise ConfigurationError(
            f"resync_config may hold objects, object_ids and drop_and_load, not {', '.join(given)}"
        )
    return named, drop
