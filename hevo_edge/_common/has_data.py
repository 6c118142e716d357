"""What a Job and a Pipeline have in common: a last snapshot, of which types say if it is there."""

from __future__ import annotations

from typing import Generic

from typing_extensions import TypeVar

from hevo_edge.models import JobData, PipelineData

DataT_co = TypeVar("DataT_co", covariant=True)
JobDataT_co = TypeVar("JobDataT_co", bound=JobData | None, covariant=True, default=JobData | None)
PipelineDataT_co = TypeVar(
    "PipelineDataT_co", bound=PipelineData | None, covariant=True, default=PipelineData | None
)


class HasData(Generic[DataT_co]):
    """Has a last snapshot, which only inner code sets: no one else can take back its type."""

    _data: DataT_co

    @property
    def data(self) -> DataT_co:
        """The last snapshot; None until something was read."""
        return self._data
