"""The tasks and the flow for async flows, by the same names as those for synchronous ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hevo_edge.integrations.prefect import operations
from hevo_edge.integrations.prefect.operations import Credentials, SyncKeywords, WaitKeywords
from hevo_edge.integrations.prefect.task_type import hevo_task

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ensure_fresh", "sync_and_wait", "trigger_sync", "wait_for_job"]


@hevo_task
async def trigger_sync(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Do what ``tasks.trigger_sync`` does."""
    return cast("dict[str, Any]", await operations.trigger(credentials, pipeline_id, **options))


@hevo_task
async def wait_for_job(
    credentials: Credentials, job: dict[str, Any] | str, **options: Unpack[WaitKeywords]
) -> dict[str, Any]:
    """Do what ``tasks.wait_for_job`` does."""
    return cast("dict[str, Any]", await operations.wait(credentials, job, **options))


@hevo_task
async def sync_and_wait(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Do what ``tasks.sync_and_wait`` does."""
    return cast("dict[str, Any]", await operations.sync(credentials, pipeline_id, **options))


@hevo_task
async def ensure_fresh(
    credentials: Credentials, pipeline_id: int, within: float, **options: Unpack[SyncKeywords]
) -> dict[str, Any]:
    """Do what ``tasks.ensure_fresh`` does."""
    fresh: SyncKeywords = {**options, "fresh_within": within}
    return cast("dict[str, Any]", await operations.sync(credentials, pipeline_id, **fresh))
