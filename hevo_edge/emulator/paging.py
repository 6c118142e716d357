"""Pages of a list, and the cursors that lead from one to the next."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_LIMIT = 10
MAX_LIMIT = 100


def page_of(
    rows: Sequence[dict[str, Any]],
    key: str,
    query: Mapping[str, str],
    *,
    by: str,
    empty: str = "list",
) -> dict[str, Any]:
    """Return one page.

    Args:
        rows: All rows.
        key: The field that tells a row.
        query: ``limit`` and ``cursor``.
        by: ``"row"``: the cursor names the last row seen, so that new rows on top shift nothing.
            ``"offset"``: it counts rows.
        empty: How an empty list is sent: as a ``"list"``, as ``"null"``, or as ``"missing"``.

    Raises:
        ValueError: when the query is wrong.
    """
    try:
        limit = min(MAX_LIMIT, int(query.get("limit", DEFAULT_LIMIT)))
        start = 0
        if "cursor" in query:
            last = base64.urlsafe_b64decode(query["cursor"]).decode()
            start = int(last) if by == "offset" else 1 + [str(row[key]) for row in rows].index(last)
    except ValueError:
        raise ValueError("limit or cursor is not valid") from None
    if limit < 1:
        raise ValueError("limit must be at least 1")
    page = list(rows[start : start + limit])
    end = start + limit
    if end >= len(rows):
        last_page = {"data": page, "has_more": False, "next_cursor": None}
        if not page and empty != "list":
            return {**last_page, "data": None} if empty == "null" else {"has_more": False}
        return last_page
    last = str(end) if by == "offset" else str(page[-1][key])
    cursor = base64.urlsafe_b64encode(last.encode()).decode()
    return {"data": page, "has_more": True, "next_cursor": cursor}
