"""What the API sends, as tolerant pydantic models.

Only ids are required. Unknown fields are kept (``model_extra``), missing ones are None, unknown
enum values stay raw strings. Times and durations are milliseconds, as on the wire (``*_ts``,
``duration``), with aware datetimes and seconds as properties beside them.

Each field says what it means, its unit, and in brackets how it is known: vendor code (its fixtures
too, of any generation), a weak fixture (one that nothing reads), Hevo docs, inferred; see
``docs/api-knowledge.md``. ``help(JobData)`` shows these docstrings too.
"""

from __future__ import annotations

from hevo_edge.models._base import Timestamped, WireModel
from hevo_edge.models._job import JobData
from hevo_edge.models._objects import JobObjectData, NamespaceData, ObjectData
from hevo_edge.models._page import Page
from hevo_edge.models._pipeline import (
    ConnectorData,
    DestinationData,
    PipelineData,
    ScheduleData,
    SourceData,
)

__all__ = [
    "ConnectorData",
    "DestinationData",
    "JobData",
    "JobObjectData",
    "NamespaceData",
    "ObjectData",
    "Page",
    "PipelineData",
    "ScheduleData",
    "SourceData",
    "Timestamped",
    "WireModel",
]

# Where they are imported from, and what a pickle names: their files may be cut anew.
for _model in (globals()[_name] for _name in __all__):
    _model.__module__ = __name__
