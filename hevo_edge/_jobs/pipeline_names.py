"""The names of the Pipelines that a client has read, to show them beside the ids."""

from __future__ import annotations

from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge.models import PipelineData

MAX_NAMES = 10_000


class PipelineNames:
    """What the Pipelines are called, as far as that was read; no request is made for it."""

    def __init__(self) -> None:
        self._names: BoundedDict[int, str] = BoundedDict(MAX_NAMES)

    def note(self, pipeline: PipelineData) -> None:
        """Take the name of a Pipeline that was read."""
        if pipeline.name:
            self._names.set(pipeline.id, pipeline.name, 0.0)

    def get(self, pipeline_id: int) -> str | None:
        """Return the name of a Pipeline, if it is known."""
        return self._names.get(pipeline_id)
