"""The flows of the end-to-end tests, as a worker of Prefect loads them."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow

from hevo_edge.integrations.prefect import aio, cancel_jobs, sync_and_wait


@flow
def sync_flow(pipeline_id: int) -> dict[str, Any]:
    """A synchronous flow, whose task runs in the main thread."""
    return sync_and_wait("e2e", pipeline_id, poll_interval=0.5, report=False)


@flow
async def async_flow(pipeline_id: int) -> dict[str, Any]:
    """An async flow."""
    return await aio.sync_and_wait("e2e", pipeline_id, poll_interval=0.5, report=False)


@flow(on_cancellation=[cancel_jobs])
def mapped_flow(pipeline_id: int) -> list[Any]:
    """A flow whose task runs in a thread, which Prefect does not interrupt."""
    return sync_and_wait.map("e2e", [pipeline_id], poll_interval=0.5, report=False).result()


@flow
def parent_flow(pipeline_id: int) -> dict[str, Any]:
    """A flow that calls another one."""
    return sync_flow(pipeline_id)


@flow
async def at_once(pipeline_ids: list[int], credentials: str) -> int:
    """Many syncs in one event loop."""
    syncs = (aio.sync_and_wait(credentials, each, poll_interval=15) for each in pipeline_ids)
    return len(await asyncio.gather(*syncs))


@flow
def mapped(pipeline_ids: list[int], credentials: str) -> int:
    """Many syncs in a thread each."""
    return len(sync_and_wait.map(credentials, pipeline_ids, poll_interval=15).result())
