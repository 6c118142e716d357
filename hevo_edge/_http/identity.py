"""Whether a reply is about what was asked for. A reply that names another id is not this request's.

A server or gateway that sends one reply twice, or late, makes all later ones of that connection
answer the request before. Nothing in HTTP/1.1 shows that; only the ids in the replies do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hevo_edge.api import Request
from hevo_edge.models import Page

_NUMBERED = frozenset({"id", "pipeline_id", "destination_id"})
"""Ids that are numbers. A word in such a field is another kind of id, and says nothing."""


def contradiction(request: Request[Any], value: Any) -> str | None:
    """Return in words which other id a reply names; None when it names none.

    Args:
        request: What was asked.
        value: What was read: a model, a page of them, or plain JSON.
    """
    asked = request.ids
    for fields in _parts(value) if asked else ():
        for name, wanted in asked.items():
            said = _id_of(fields, name)
            if said is not None and said.casefold() != wanted.casefold():
                return f"it is about {name} {said[:80]!r}, not {wanted!r}"
    return None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of a reply, and of each row of a page."""
    if isinstance(value, Page):
        for row in value.data:
            yield from _parts(row)
    if isinstance(value, BaseModel):
        yield value.__dict__
        if value.model_extra:
            yield value.model_extra
    elif isinstance(value, dict):
        yield value


def _id_of(fields: Mapping[str, Any], name: str) -> str | None:
    said = fields.get(name)
    if isinstance(said, bool) or not isinstance(said, (int, str)):
        return None
    text = str(said).strip()
    return text if text.isdecimal() or (text and name not in _NUMBERED) else None
