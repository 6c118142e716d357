"""The tasks, for synchronous flows; the module ``aio`` has them for async ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hevo_edge.integrations.prefect import operations
from hevo_edge.integrations.prefect.operations import Credentials, SyncKeywords, WaitKeywords
from hevo_edge.integrations.prefect.task_type import hevo_task
from hevo_edge.orchestration import run_shared

if TYPE_CHECKING:
    from typing_extensions import Unpack


@hevo_task
def trigger_sync(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Start exactly one run of a Pipeline; return its Job as plain data, for ``wait_for_job``.

    Args:
        credentials: The block of credentials, or its name.
        pipeline_id: The Pipeline.
        **options: The fields of ``HevoPipeline``.
    """
    return cast(
        "dict[str, Any]", run_shared(operations.trigger(credentials, pipeline_id, **options))
    )


@hevo_task
def wait_for_job(
    credentials: Credentials, job: dict[str, Any] | str, **options: Unpack[WaitKeywords]
) -> dict[str, Any]:
    """Await a Job; return it as plain data.

    Args:
        credentials: The block of credentials, or its name.
        job: What ``trigger_sync`` has returned; or a ref such as ``"123:550e8400-..."``, whose Job
            is nobody's here, so that no cancellation of the flow run cancels it.
        **options: The fields of ``HevoPipeline`` that tell how to wait.
    """
    return cast("dict[str, Any]", run_shared(operations.wait(credentials, job, **options)))


@hevo_task
def sync_and_wait(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Start exactly one run of a Pipeline and await its Job; return that as plain data.

    Args:
        credentials: The block of credentials, or its name.
        pipeline_id: The Pipeline.
        **options: The fields of ``HevoPipeline``.
    """
    return cast("dict[str, Any]", run_shared(operations.sync(credentials, pipeline_id, **options)))


@hevo_task
def ensure_fresh(
    credentials: Credentials, pipeline_id: int, within: float, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Take the last Job that ended well within some seconds, else join or start one, and await it.

    The result's ``freshness`` says which: ``fresh``, ``joined`` or ``started``.

    Args:
        credentials: The block of credentials, or its name.
        pipeline_id: The Pipeline.
        within: Seconds.
        **options: The fields of ``HevoPipeline``.
    """
    fresh: SyncKeywords = {**options, "fresh_within": within}
    return cast("dict[str, Any]", run_shared(operations.sync(credentials, pipeline_id, **fresh)))
