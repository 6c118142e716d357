"""From one page of a list to the next."""

from __future__ import annotations

import pytest

from hevo_edge import errors
from hevo_edge._common.pagination import next_cursor, rows
from hevo_edge.models import Page
from tests.jobs.support import job, pages_of


def test_the_cursor_of_the_next_page() -> None:
    def page(has_more: bool | None, cursor: str | None) -> Page[int]:
        return Page(data=[], has_more=has_more, next_cursor=cursor)

    assert next_cursor(page(True, "b"), "a") == "b"
    assert next_cursor(page(False, None), "a") is None
    assert next_cursor(page(False, "b"), "a") is None
    assert next_cursor(page(None, "b"), "a") == "b"
    assert next_cursor(page(None, None), "a") is None


@pytest.mark.parametrize("cursor", [None, "a"])
def test_more_rows_without_a_cursor_are_an_error(cursor: str | None) -> None:
    page: Page[int] = Page(data=[], has_more=True, next_cursor=cursor)
    with pytest.raises(errors.UnexpectedResponse, match="no cursor that leads to them"):
        next_cursor(page, "a")


async def test_all_rows_in_the_servers_order() -> None:
    fetch, asked = pages_of([job(n) for n in (3, 1, 2)], 2)
    assert [row.job_id async for row in rows(fetch)] == ["3", "1", "2"]
    assert asked == [None, "2"]
