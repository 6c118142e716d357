"""A page of a list."""

from __future__ import annotations

import json
from typing import ClassVar, Generic, TypeVar

from pydantic import ConfigDict, Field

from hevo_edge._text import lenient_json
from hevo_edge._text.model import PrintableModel

MAX_PAGE_ROWS = 1000
"""How many rows a page may have: ten times as many as the API is known to send."""

ItemT = TypeVar("ItemT")


class Page(PrintableModel, Generic[ItemT]):
    """One page of a list, in the server's order."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", frozen=True)

    data: list[ItemT] = Field(max_length=MAX_PAGE_ROWS)
    """The rows, at most 1,000. [vendor code]"""
    has_more: bool | None = None
    """Whether there are more pages; None if missing. [vendor code]"""
    next_cursor: str | None = Field(default=None, coerce_numbers_to_str=True)
    """What to pass as ``cursor`` for the next page; None after the last. [vendor code]"""


_OF_A_PAGE = frozenset(
    {"data", "has_more", "next_cursor", "count", "page", "pagination", "limit", "total"}
)
"""What a page may say of itself, in the fixtures of Edge and of other lists of the vendor."""


_EMPTY_PAGE_BYTES = 4096


def without_rows(body: bytes) -> bytes | None:
    """Return a page whose ``data`` is null or missing as one without rows; None if it is no page.

    Servers leave empty lists out. But what says anything else, such as ``message``, or has rows by
    another name, is no empty list: that would mean that no Job runs.
    """
    try:
        raw = lenient_json.parse(lenient_json.decode(body[:_EMPTY_PAGE_BYTES]))
    except ValueError:
        return None
    if not isinstance(raw, dict) or not raw.keys() <= _OF_A_PAGE:
        return None
    if raw.get("data") is not None or raw.get("count"):
        return None
    return json.dumps({**raw, "data": []}).encode()
