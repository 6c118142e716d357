"""The part of a Pipeline that switches it on and off."""

from __future__ import annotations

from hevo_edge import api
from hevo_edge._common.has_data import PipelineDataT_co
from hevo_edge._pipeline_handle import PipelineHandle


class CanBeSwitched(PipelineHandle[PipelineDataT_co]):
    """Enable and disable a Pipeline."""

    async def enable(self) -> None:
        """Enable the Pipeline. ``refresh`` shows when it is ready."""
        await self._core.send(api.enable_pipeline(self.id))

    async def disable(self, *, cancel_active_jobs: bool = False) -> None:
        """Disable the Pipeline: no run starts any more.

        Args:
            cancel_active_jobs: Cancel the running Job; staged data that is not loaded yet is
                discarded. By default a running Job completes.
        """
        await self._core.send(api.disable_pipeline(self.id, cancel_active_jobs=cancel_active_jobs))
