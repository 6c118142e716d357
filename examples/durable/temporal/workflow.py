"""The workflow: steps whose results Temporal keeps.

It is a module of its own that imports nothing of hevo_edge, because Temporal runs it in a sandbox.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

# A crash is retried, as often as it takes; a run that has failed is not.
RETRIES = RetryPolicy(non_retryable_error_types=["RunFailed"])


def is_cancelled() -> bool:
    """Whether a cancel came as a step ended: then the step has not raised it."""
    return workflow.cancellation_reason() is not None


@workflow.defn
class SyncPipeline:
    """Sync a Pipeline once, and return how its Job ended."""

    @workflow.run
    async def run(self, pipeline_id: int) -> dict[str, Any]:
        prepared = await self._step("prepare", pipeline_id)
        if is_cancelled():
            raise asyncio.CancelledError
        started = await self._step("start", pipeline_id, prepared)
        if is_cancelled():
            await self._step("cancel", pipeline_id, started)
            raise asyncio.CancelledError
        outcome: dict[str, Any] = await self._step("wait", pipeline_id, started)
        return outcome

    async def _step(self, name: str, *args: object) -> Any:
        return await workflow.execute_activity(
            name,
            args=args,
            retry_policy=RETRIES,
            schedule_to_close_timeout=timedelta(hours=12),
            heartbeat_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
