"""Every endpoint of the Hevo Edge API as pure data: method, path, body, how to read the reply.

The list of the 26 endpoints is the navigation of the vendor's public reference; bodies and replies
come from vendor code and fixtures, because no endpoint page of that reference could be read. See
``docs/api-knowledge.md`` for how certain each is. No I/O happens here.

Each function checks its ids, so that a request can only go where its name says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote, urlencode

from pydantic import TypeAdapter, ValidationError

from hevo_edge._common import validation
from hevo_edge._text.reader import reader, strict
from hevo_edge.enums import Dialect, ResyncMode
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import (
    ConnectorData,
    DestinationData,
    JobData,
    JobObjectData,
    ObjectData,
    Page,
    PipelineData,
    without_rows,
)

__all__ = [
    "PAGE_LIMIT",
    "Request",
    "cancel_job",
    "create_destination",
    "create_pipeline",
    "delete_destination",
    "delete_pipeline",
    "disable_pipeline",
    "enable_pipeline",
    "get_destination",
    "get_job",
    "get_object",
    "get_pipeline",
    "list_destination_connectors",
    "list_destinations",
    "list_job_objects",
    "list_jobs",
    "list_objects",
    "list_pipelines",
    "list_source_connectors",
    "refresh_schema",
    "resync_objects",
    "resync_pipeline",
    "sync_now",
    "update_destination",
    "update_objects",
    "update_pipeline",
    "update_sources",
]

T = TypeVar("T")
Json = Mapping[str, Any]

PAGE_LIMIT = 100
"""The largest page the API is known to serve; its own default is 10."""

_BASE = "/api/v1"
_IDS = re.compile(
    _BASE + r"/(?:pipelines/(?P<pipeline_id>\d+)|destinations/(?P<destination_id>\d+))"
    r"(?:/jobs/(?P<job_id>[^/?]+)|/objects/(?P<object_id>[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}))?"
    r"(?P<rest>[/?].*)?"
)
"""The ids in a path. That of an object only as a UUID: its name may stand there as well."""
_any_json: TypeAdapter[Any] = TypeAdapter(Any)


def _page_reader(page: type[Page[T]]) -> Callable[[bytes], Page[T]]:
    """Return a function that reads a page, also one whose empty list is null or missing."""
    read = reader(page)

    def read_page(body: bytes) -> Page[T]:
        try:
            return read(body)
        except ValidationError:
            empty = without_rows(body)
            if empty is None:
                raise
            return read(empty)

    return read_page


_read_destination = reader(DestinationData)
_read_job = reader(JobData)
_read_object = reader(ObjectData)
_read_connectors_page = _page_reader(Page[ConnectorData])
_read_destinations_page = _page_reader(Page[DestinationData])
_read_jobs_page = _page_reader(Page[JobData])
_read_job_objects_page = _page_reader(Page[JobObjectData])
_read_objects_page = _page_reader(Page[ObjectData])
_read_pipelines_page = _page_reader(Page[PipelineData])
_read_pipeline = reader(PipelineData)


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request to send. ``path`` is already quoted and contains the query."""

    name: str
    method: str
    path: str
    read: Callable[[bytes], T]
    body: Json | None = None
    starts_job: bool = False
    """Whether it starts a Job, so that it can be refused because one is in progress."""

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing, so that it may be repeated."""
        return self.method == "GET"

    @property
    def pipeline_id(self) -> int | None:
        """The Pipeline in the path, if there is one."""
        found = _IDS.fullmatch(self.path)
        text = None if found is None else found["pipeline_id"]
        return None if text is None else int(text)

    @property
    def names_itself(self) -> bool:
        """Whether the reply always has the id of what was asked for: those of a list have not."""
        return self.name in {"get_job", "get_pipeline"}

    @property
    def ids(self) -> dict[str, str]:
        """The ids that the path names, by field: a reply that has others answers another request.

        ``id`` is that of a Pipeline or destination, where the reply is expected to be just that.
        """
        found = _IDS.fullmatch(self.path)
        if found is None:
            return {}
        ids = {name: unquote(text) for name, text in found.groupdict().items() if text}
        if ids.pop("rest", None) is None and "job_id" not in ids and "object_id" not in ids:
            ids["id"] = next(iter(ids.values()))
        return ids


def _acknowledged(body: bytes) -> Any:
    """Read the reply to an action: nothing at all, or any JSON."""
    if not body.strip():
        return None
    try:
        return _any_json.validate_json(body)
    except ValidationError as error:
        return _any_json.validate_json(strict(body, error))


def _pipeline(pipeline_id: Any, rest: str = "") -> str:
    return f"{_BASE}/pipelines/{validation.pipeline_id(pipeline_id)}{rest}"


def _job(pipeline_id: Any, job_id: Any, rest: str = "") -> str:
    segment = quote(validation.identifier(job_id, "job_id"), safe="")
    return _pipeline(pipeline_id, f"/jobs/{segment}{rest}")


def _destination(destination_id: Any) -> str:
    number = validation.count(destination_id, "destination_id")
    return f"{_BASE}/destinations/{number}"


def _query(limit: int, cursor: str | None) -> str:
    values: dict[str, Any] = {"limit": limit}
    if cursor is not None:
        values["cursor"] = cursor
    return "?" + urlencode(values)


# -- connectors and destinations ------------------------------------------------------------------


def list_source_connectors(
    *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[ConnectorData]]:
    """1. List the source connectors."""
    path = f"{_BASE}/metadata/sources/connectors{_query(limit, cursor)}"
    return Request("list_source_connectors", "GET", path, _read_connectors_page)


def list_destination_connectors(
    *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[ConnectorData]]:
    """2. List the destination connectors."""
    path = f"{_BASE}/metadata/destinations/connectors{_query(limit, cursor)}"
    return Request("list_destination_connectors", "GET", path, _read_connectors_page)


def list_destinations(
    *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[DestinationData]]:
    """3. List destinations."""
    path = f"{_BASE}/destinations{_query(limit, cursor)}"
    return Request("list_destinations", "GET", path, _read_destinations_page)


def get_destination(destination_id: int) -> Request[DestinationData]:
    """4. Get a destination."""
    path = _destination(destination_id)
    return Request("get_destination", "GET", path, _read_destination)


def create_destination(body: Json) -> Request[Any]:
    """5. Create a destination. The body's form is known from third-party code only."""
    return Request("create_destination", "POST", f"{_BASE}/destinations", _acknowledged, body)


def update_destination(destination_id: int, body: Json) -> Request[Any]:
    """6. Change a destination; only changed fields (third-party code)."""
    path = _destination(destination_id)
    return Request("update_destination", "PATCH", path, _acknowledged, body)


def delete_destination(destination_id: int) -> Request[Any]:
    """7. Delete a destination."""
    return Request("delete_destination", "DELETE", _destination(destination_id), _acknowledged)


# -- pipelines ------------------------------------------------------------------------------------


def list_pipelines(
    *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[PipelineData]]:
    """8. List Pipelines."""
    path = f"{_BASE}/pipelines{_query(limit, cursor)}"
    return Request("list_pipelines", "GET", path, _read_pipelines_page)


def get_pipeline(pipeline_id: int) -> Request[PipelineData]:
    """9. Get a Pipeline."""
    return Request("get_pipeline", "GET", _pipeline(pipeline_id), _read_pipeline)


def create_pipeline(body: Json) -> Request[Any]:
    """10. Create a Pipeline. The body's form is known from third-party code only."""
    return Request("create_pipeline", "POST", f"{_BASE}/pipelines", _acknowledged, body)


def disable_pipeline(pipeline_id: int, *, cancel_active_jobs: bool = False) -> Request[Any]:
    """11. Disable a Pipeline."""
    path = _pipeline(pipeline_id, "/actions/disable")
    body = {"cancel_active_jobs": bool(cancel_active_jobs)}
    return Request("disable_pipeline", "POST", path, _acknowledged, body)


def enable_pipeline(pipeline_id: int) -> Request[Any]:
    """12. Enable a Pipeline."""
    path = _pipeline(pipeline_id, "/actions/enable")
    return Request("enable_pipeline", "POST", path, _acknowledged)


def sync_now(pipeline_id: int) -> Request[Any]:
    """13. Start a sync. No body; the reply names no Job."""
    path = _pipeline(pipeline_id, "/actions/sync-now")
    return Request("sync_now", "POST", path, _acknowledged, starts_job=True)


def resync_pipeline(
    pipeline_id: int, *, drop_and_load: bool = False, dialect: Dialect = Dialect.RESYNC_MODE
) -> Request[Any]:
    """14. Restart the historical load of all active objects. The reply names no Job."""
    body: dict[str, Any]
    if dialect is Dialect.RESYNC_MODE:
        mode = ResyncMode.DROP_AND_LOAD if drop_and_load else ResyncMode.EVOLVE_AND_MERGE
        body = {"resync_mode": mode.value}
    else:
        body = {"drop_and_load": bool(drop_and_load)}
    path = _pipeline(pipeline_id, "/actions/resync")
    return Request("resync_pipeline", "POST", path, _acknowledged, body, starts_job=True)


def update_pipeline(pipeline_id: int, fields: Json) -> Request[Any]:
    """15. Change a Pipeline; only changed fields. Replies with the Pipeline."""
    return Request("update_pipeline", "PATCH", _pipeline(pipeline_id), _acknowledged, fields)


def update_sources(pipeline_id: int, fields: Json) -> Request[Any]:
    """16. Change the source's configuration; only changed fields."""
    path = _pipeline(pipeline_id, "/sources")
    return Request("update_sources", "PATCH", path, _acknowledged, fields)


def delete_pipeline(pipeline_id: int) -> Request[Any]:
    """17. Delete a Pipeline."""
    return Request("delete_pipeline", "DELETE", _pipeline(pipeline_id), _acknowledged)


# -- objects --------------------------------------------------------------------------------------


def list_objects(
    pipeline_id: int, *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[ObjectData]]:
    """18. List a Pipeline's objects."""
    path = _pipeline(pipeline_id, f"/objects{_query(limit, cursor)}")
    return Request("list_objects", "GET", path, _read_objects_page)


def get_object(pipeline_id: int, object_id: str) -> Request[ObjectData]:
    """19. Get an object, by its id; the vendor's MCP server names it by its name instead."""
    segment = quote(validation.object_name(object_id), safe="")
    path = _pipeline(pipeline_id, f"/objects/{segment}")
    return Request("get_object", "GET", path, _read_object)


def refresh_schema(pipeline_id: int) -> Request[Any]:
    """20. Read the source's schema anew. Sent without a body, the newest vendor form."""
    path = _pipeline(pipeline_id, "/objects/actions/refresh-schema")
    return Request("refresh_schema", "POST", path, _acknowledged)


def resync_objects(
    pipeline_id: int,
    object_ids: Iterable[str],
    *,
    drop_and_load: bool = False,
    dialect: Dialect = Dialect.RESYNC_MODE,
) -> Request[Any]:
    """21. Restart the historical load of some objects. The body's form is weakly known."""
    ids = checked_object_ids(object_ids)
    body: dict[str, Any]
    if dialect is Dialect.RESYNC_MODE:
        body = {"object_ids": ids, "drop_and_load": bool(drop_and_load)}
    else:
        body = {"objects": ids, "drop_and_load": bool(drop_and_load)}
    path = _pipeline(pipeline_id, "/objects/actions/resync")
    return Request("resync_objects", "POST", path, _acknowledged, body, starts_job=True)


def checked_object_ids(object_ids: Iterable[str]) -> list[str]:
    """Return the ids as a list.

    Raises:
        ConfigurationError: when there is none, or one is invalid.
    """
    given = [object_ids] if isinstance(object_ids, str) else list(object_ids)
    if not given:
        raise ConfigurationError("object_ids must name at least one object")
    return [validation.identifier(object_id, "object id") for object_id in given]


def update_objects(pipeline_id: int, body: Json) -> Request[Any]:
    """22. Include or exclude objects. The body's form is not known."""
    path = _pipeline(pipeline_id, "/objects")
    return Request("update_objects", "PATCH", path, _acknowledged, body)


# -- jobs -----------------------------------------------------------------------------------------


def list_jobs(
    pipeline_id: int, *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[JobData]]:
    """23. List a Pipeline's Jobs, in an order that is documented nowhere."""
    path = _pipeline(pipeline_id, f"/jobs{_query(limit, cursor)}")
    return Request("list_jobs", "GET", path, _read_jobs_page)


def get_job(pipeline_id: int, job_id: str) -> Request[JobData]:
    """24. Get a Job."""
    return Request("get_job", "GET", _job(pipeline_id, job_id), _read_job)


def list_job_objects(
    pipeline_id: int, job_id: str, *, limit: int = PAGE_LIMIT, cursor: str | None = None
) -> Request[Page[JobObjectData]]:
    """25. List what a Job did with each object."""
    path = _job(pipeline_id, job_id, f"/objects{_query(limit, cursor)}")
    return Request("list_job_objects", "GET", path, _read_job_objects_page)


def cancel_job(pipeline_id: int, job_id: str) -> Request[Any]:
    """26. Cancel a Job; it goes through CANCELLING to CANCELLED."""
    path = _job(pipeline_id, job_id, "/actions/cancel")
    return Request("cancel_job", "POST", path, _acknowledged)
