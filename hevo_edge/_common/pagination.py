"""Lists in pages: from one page to the next, the rows of all pages, and lists that do not end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from hevo_edge.errors import UnexpectedResponse
from hevo_edge.models import Page

T = TypeVar("T")
Fetch = Callable[[str | None], Awaitable[Page[T]]]
"""Fetches the page at a cursor; None for the first."""

MAX_PAGES = 10_000
"""How many pages of a list are read, at most: at a hundred calls a minute, for 100 minutes."""
MAX_ROWS = 1_000_000
"""How many rows of a list are read, at most."""
MAX_STALE = 10
"""How many pages in a row may bring no new row."""
MAX_CURSOR = 4096
"""How long a cursor may be: it has to fit into a URL."""


def next_cursor(page: Page[T], cursor: str | None) -> str | None:
    """Return the cursor of the page after this one; None after the last.

    Raises:
        UnexpectedResponse: when more rows are announced, but no cursor leads to them.
    """
    more = bool(page.next_cursor) if page.has_more is None else page.has_more
    if not more:
        return None
    if not page.next_cursor or page.next_cursor == cursor or len(page.next_cursor) > MAX_CURSOR:
        raise UnexpectedResponse(
            "a list says that it has more rows, but gives no cursor that leads to them"
        )
    return page.next_cursor


class Paging(Generic[T]):
    """Fetches the pages of a list one after another, and sees to it that they end.

    Args:
        fetch: Fetches a page.
        cursor: Where to begin; None for the first page.
        max_pages: How many pages are fetched, at most.
        max_rows: How many rows are fetched, at most.

    Attributes:
        cursor: The cursor of the last page that was fetched.
        following: The cursor of the page after it; None after the last.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        cursor: str | None = None,
        *,
        max_pages: int = MAX_PAGES,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.cursor: str | None = cursor
        self.following: str | None = cursor
        self._fetch = fetch
        self._max_pages, self._max_rows = max_pages, max_rows
        self._cursors: set[str | None] = {cursor}
        self._first_rows: set[str | None] = set()
        self._pages = self._rows = self._stale = 0

    async def next(self) -> Page[T]:
        """Fetch the next page.

        Raises:
            UnexpectedResponse: when the list does not end.
        """
        page = await self._fetch(self.following)
        self.cursor, self.following = self.following, next_cursor(page, self.following)
        self._pages, self._rows = self._pages + 1, self._rows + len(page.data)
        first = _key_of(page.data[0]) if page.data else None
        # All but an earlier page again begins with another row, even when rows shift meanwhile.
        is_stale = first is None or first in self._first_rows
        self._stale = self._stale + 1 if is_stale else 0
        self._first_rows.add(first)
        if self.following is not None:
            self._check(self.following)
            self._cursors.add(self.following)
        return page

    def _check(self, following: str) -> None:
        if following in self._cursors:
            why = f"the cursor {following[:80]!r} comes a second time"
        elif self._stale >= MAX_STALE:
            why = f"the last {self._stale} pages have brought no new row"
        elif self._pages >= self._max_pages:
            why = "no more pages are read"
        elif self._rows >= self._max_rows:
            why = f"no more than {self._max_rows} rows are read"
        else:
            return
        raise UnexpectedResponse(
            f"a list does not end: after {self._pages} pages with {self._rows} rows, {why}. "
            "HevoClient.send reads single pages, by the requests of hevo_edge.api"
        )


async def rows(fetch: Fetch[T]) -> AsyncIterator[T]:
    """Yield the rows of all pages, in the server's order."""
    paging = Paging(fetch)
    while True:
        for row in (await paging.next()).data:
            yield row
        if paging.following is None:
            return


def _key_of(row: Any) -> str:
    """Return what tells a row from others: its id, or all of it."""
    names = ("job_id", "object_id", "id", "object_name")
    found = (getattr(row, name, None) for name in names)
    return str(next((value for value in found if value), None) or repr(row))
