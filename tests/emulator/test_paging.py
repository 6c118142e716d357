"""Pages and their cursors, apart from HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator.paging import page_of


def rows_of(count: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in range(count)]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(count=st.integers(0, 25), limit=st.integers(1, 12), by=st.sampled_from(["row", "offset"]))
def test_pages_are_the_list_cut_in_pieces(count: int, limit: int, by: str) -> None:
    query, pages = {"limit": str(limit)}, []
    while True:
        body = page_of(rows_of(count), "id", query, by=by)
        pages.append(body["data"])
        assert body["has_more"] == (body["next_cursor"] is not None)
        if not body["has_more"]:
            break
        query = {**query, "cursor": body["next_cursor"]}
    assert [row for page in pages for row in page] == rows_of(count)
    assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.parametrize(("by", "second"), [("row", [2, 3]), ("offset", [1, 2])])
def test_what_a_new_row_on_top_shifts(by: str, second: list[int]) -> None:
    first = page_of(rows_of(4), "id", {"limit": "2"}, by=by)
    query = {"limit": "2", "cursor": first["next_cursor"]}
    body = page_of([{"id": "new"}, *rows_of(4)], "id", query, by=by)
    assert [row["id"] for row in body["data"]] == second
