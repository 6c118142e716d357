"""A request as data: what to send, and what its path says that it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

from hevo_edge._text.field_docs import show_fields

T = TypeVar("T")

BASE = "/api/v1"
"""What all paths begin with."""
_IDS = re.compile(
    BASE + r"/(?:pipelines/(?P<pipeline_id>\d+)|destinations/(?P<destination_id>\d+))"
    r"(?:/jobs/(?P<job_id>[^/?]+)|/objects/(?P<object_id>[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}))?"
    r"(?P<rest>[/?].*)?"
)
"""The ids in a path. That of an object only as a UUID: its name may stand there as well."""


# What is polled often is read anew for each poll.
@lru_cache(maxsize=128)
def _ids_in(path: str) -> Mapping[str, str]:
    """Return the ids in a path, and as ``rest`` what follows them, as far as they are there."""
    found = _IDS.fullmatch(path)
    texts = {} if found is None else found.groupdict()
    return {name: unquote(text) for name, text in texts.items() if text}


@show_fields
@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request to send."""

    name: str
    """The name of the function that made it."""
    method: str
    """The HTTP method."""
    path: str
    """The path and the query, quoted."""
    read: Callable[[bytes], T]
    """Reads the body of the reply."""
    body: Mapping[str, Any] | None = None
    """What is sent as JSON; None for no body."""
    starts_job: bool = False
    """Whether it starts a Job, so that it can be refused because one is in progress."""

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing, so that it may be repeated."""
        return self.method == "GET"

    @property
    def pipeline_id(self) -> int | None:
        """The Pipeline in the path, if there is one."""
        text = _ids_in(self.path).get("pipeline_id")
        return None if text is None else int(text)

    @property
    def job_id(self) -> str | None:
        """The Job in the path, if there is one."""
        return _ids_in(self.path).get("job_id")

    @property
    def names_itself(self) -> bool:
        """Whether the reply always has the id of what was asked for: those of a list have not."""
        return self.name in {"get_job", "get_pipeline"}

    @property
    def ids(self) -> dict[str, str]:
        """The ids that the path names, by field: a reply that has others answers another request.

        ``id`` is that of a Pipeline or destination, where the reply is expected to be just that.
        """
        ids = dict(_ids_in(self.path))
        if not ids:
            return ids
        if ids.pop("rest", None) is None and "job_id" not in ids and "object_id" not in ids:
            ids["id"] = next(iter(ids.values()))
        return ids
