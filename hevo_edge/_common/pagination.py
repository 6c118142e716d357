"""Lists in pages: the cursor of the next page, and the rows of all pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from hevo_edge.errors import UnexpectedResponse
from hevo_edge.models import Page

T = TypeVar("T")
Fetch = Callable[[str | None], Awaitable[Page[T]]]
"""Fetches the page at a cursor; None for the first."""


def next_cursor(page: Page[T], cursor: str | None) -> str | None:
    """Return the cursor of the page after this one; None after the last.

    Raises:
        UnexpectedResponse: when more rows are announced, but no cursor leads to them.
    """
    more = bool(page.next_cursor) if page.has_more is None else page.has_more
    if not more:
        return None
    if not page.next_cursor or page.next_cursor == cursor:
        raise UnexpectedResponse(
            "a list says that it has more rows, but gives no cursor that leads to them"
        )
    return page.next_cursor


async def rows(fetch: Fetch[T]) -> AsyncIterator[T]:
    """Yield the rows of all pages, in the server's order."""
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        for row in page.data:
            yield row
        cursor = next_cursor(page, cursor)
        if cursor is None:
            return
