"""The part of a Pipeline that sends nothing: its id, its last snapshot, how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge._common.has_data import HasData, PipelineDataT_co
from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import quoted
from hevo_edge.enums import PipelineStatus
from hevo_edge.models import PipelineData

if TYPE_CHECKING:
    from hevo_edge._core import Core


class PipelineHandle(HasData[PipelineDataT_co], HasMimeBundle):
    """Id and last snapshot of a Pipeline; ``hevo_edge.pipeline.Pipeline`` adds the verbs.

    Attributes:
        id: The Pipeline's id.
    """

    def __init__(self, core: Core, pipeline_id: int, data: PipelineDataT_co) -> None:
        self.id = pipeline_id
        self._data = data
        self._core = core
        if data is not None:
            core.names.note(data)

    @property
    def name(self) -> str | None:
        """The name in the last snapshot."""
        return None if self.data is None else self.data.name

    @property
    def status(self) -> PipelineStatus | str | None:
        """The status in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.status

    @property
    def url(self) -> str:
        """The address of the Pipeline's page in Hevo, assumed to be as for standard Pipelines."""
        return f"{self._core.base_url}/pipeline/{self.id}/overview"

    def __repr__(self) -> str:
        name = "" if self.name is None else f", name={quoted(self.name)}"
        status = "" if self.status is None else f", status={quoted(str(self.status))}"
        return f"Pipeline({self.id}{name}{status})"

    def _html(self) -> str:
        shown: dict[str, object] = {
            "Pipeline": str(self.id),
            "Name": self.name,
            "Status": self.status or "not read yet",
        }
        return html.facts({**shown, **_details(self.data), "Page": html.Link(self.url)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineHandle) and other._identity == self._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[int, str]:
        return (self.id, self._core.account)


def _details(data: PipelineData | None) -> dict[str, object]:
    if data is None:
        return {}
    schedule = data.schedule
    every = None if schedule is None else schedule.frequency_minutes
    return {
        "Source": data.source and data.source.name,
        "Destination": data.destination and data.destination.name,
        "Schedule": schedule and schedule.sync_type,
        "Runs every": None if every is None else f"{every} min",
    }
