"""From one page of a list to the next, and lists that do not end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import TypeAlias

import pytest

from hevo_edge import errors
from hevo_edge._common.pagination import (
    MAX_CURSOR,
    MAX_PAGES,
    MAX_ROWS,
    MAX_STALE,
    Fetch,
    Paging,
    next_cursor,
    rows,
)
from hevo_edge._jobs.listing import (
    MAX_READ_PAGES,
    MAX_READ_ROWS,
    is_real_run,
    jobs_newest_first,
    read_newest,
)
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.models import JobData, JobObjectData, Page
from hevo_edge.models._page import MAX_PAGE_ROWS
from tests.jobs.support import job, pages_of


def test_the_cursor_of_the_next_page() -> None:
    def page(has_more: bool | None, cursor: str | None) -> Page[int]:
        return Page(data=[], has_more=has_more, next_cursor=cursor)

    assert next_cursor(page(True, "b"), "a") == "b"
    assert next_cursor(page(False, None), "a") is None
    assert next_cursor(page(False, "b"), "a") is None
    assert next_cursor(page(None, "b"), "a") == "b"
    assert next_cursor(page(None, None), "a") is None


@pytest.mark.parametrize("cursor", [None, "", "a", "x" * (MAX_CURSOR + 1)])
def test_more_rows_without_a_cursor_are_an_error(cursor: str | None) -> None:
    page: Page[int] = Page(data=[], has_more=True, next_cursor=cursor)
    with pytest.raises(errors.UnexpectedResponse, match="no cursor that leads to them"):
        next_cursor(page, "a")


async def test_all_rows_in_the_servers_order() -> None:
    fetch, asked = pages_of([job(n) for n in (3, 1, 2)], 2)
    assert [row.job_id async for row in rows(fetch)] == ["3", "1", "2"]
    assert asked == [None, "2"]


# -- lists that do not end -------------------------------------------------------------------------

Reader: TypeAlias = "Callable[[Fetch[JobData]], AsyncIterator[object]]"


async def read_to_the_end(fetch: Fetch[JobData]) -> AsyncIterator[object]:
    yield await read_newest(fetch, lambda _: False)


async def read_running(fetch: Fetch[JobData]) -> AsyncIterator[object]:
    yield await read_newest(fetch, is_real_run)


async def read_new(fetch: Fetch[JobData]) -> AsyncIterator[object]:
    yield await Watermark(known_job_ids=("nowhere",)).new_jobs(fetch)


async def read_from_the_tail(fetch: Fetch[JobData]) -> AsyncIterator[object]:
    yield await Watermark(known_job_ids=("nowhere",), tail="0").new_jobs(fetch)


# Each is all that some caller does: with a SKIPPED row, none of them is ever content.
READERS: list[Reader] = [
    rows,
    jobs_newest_first,
    read_to_the_end,
    read_running,
    read_new,
    read_from_the_tail,
]


def endless(
    cursor_after: Callable[[int], str], rows_of: Callable[[int], int | None]
) -> tuple[Fetch[JobData], list[str | None]]:
    """Return a list whose n-th page has a row of some number, if any, and a cursor to the next."""
    asked: list[str | None] = []

    async def fetch(cursor: str | None) -> Page[JobData]:
        asked.append(cursor)
        number = rows_of(len(asked))
        data = [] if number is None else [job(-number, "SKIPPED")]
        return Page(data=data, has_more=True, next_cursor=cursor_after(len(asked)))

    return fetch, asked


async def failure_of(reader: Reader, fetch: Fetch[JobData]) -> str:
    with pytest.raises(errors.UnexpectedResponse, match="a list does not end") as caught:
        async for _ in reader(fetch):
            pass
    assert "HevoClient.send" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("length", [2, 3, 7, 50])
async def test_a_cycle_of_cursors_of_any_length(reader: Reader, length: int) -> None:
    fetch, asked = endless(lambda n: str(n % length), lambda n: n)
    assert "comes a second time" in await failure_of(reader, fetch)
    assert len(asked) <= length + 1


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("row", [lambda _: None, lambda _: 5, lambda n: n % 3])
async def test_ever_new_cursors_without_a_new_row(
    reader: Reader, row: Callable[[int], int | None]
) -> None:
    fetch, asked = endless(lambda n: f"new-{n}", row)
    assert "no new row" in await failure_of(reader, fetch)
    assert len(asked) <= 3 + MAX_STALE


@pytest.mark.parametrize("reader", READERS)
async def test_ever_new_cursors_with_ever_new_rows(reader: Reader) -> None:
    fetch, asked = endless(lambda n: f"new-{n}", lambda n: n)
    most = MAX_PAGES if reader in {rows, jobs_newest_first} else MAX_READ_PAGES
    assert f"after {most} pages with {most} rows" in await failure_of(reader, fetch)
    assert len(asked) == most


@pytest.mark.parametrize("reader", [rows, read_running])
async def test_pages_of_ever_more_rows(reader: Reader) -> None:
    asked = 0

    async def fetch(_: str | None) -> Page[JobData]:
        nonlocal asked
        asked += 1
        data = [job(-asked, "SKIPPED")] * MAX_PAGE_ROWS
        return Page(data=data, has_more=True, next_cursor=f"new-{asked}")

    await failure_of(reader, fetch)
    assert asked == (MAX_ROWS if reader is rows else MAX_READ_ROWS) / MAX_PAGE_ROWS


# -- lists that do ---------------------------------------------------------------------------------


async def test_rows_that_shift_between_pages_and_empty_pages_do_no_harm() -> None:
    numbers = count(1)
    pages = [[5, 4], [4, 3], [], [3, 3], [2, 1], [1]]

    async def fetch(_: str | None) -> Page[JobData]:
        number = next(numbers)
        data = [job(n) for n in pages[number - 1]]
        return Page(data=data, has_more=number < len(pages), next_cursor=str(number))

    assert [row.job_id async for row in rows(fetch)] == list("544333211")


@pytest.mark.parametrize("size", [1, 100])
async def test_a_long_list_is_read_whole(size: int) -> None:
    fetch, asked = pages_of([job(n) for n in range(300 * size)], size)
    assert len([row async for row in rows(fetch)]) == 300 * size
    reading = await read_newest(fetch, is_real_run)
    assert len(reading.jobs) in {1, 300 * size}
    assert len(asked) in {301, 600}


async def test_rows_without_an_id_are_told_apart_by_what_they_hold() -> None:
    numbers = count(1)

    async def fetch(_: str | None) -> Page[JobObjectData]:
        number = next(numbers)
        row = JobObjectData.model_validate({"a_field_nobody_knows": {"n": number}})
        return Page(data=[row], has_more=number < 30, next_cursor=str(number))

    assert len([row async for row in rows(fetch)]) == 30


async def test_where_a_reading_stands() -> None:
    fetch, _ = pages_of([job(n) for n in range(4)], 2)
    paging = Paging(fetch)
    assert [row.job_id for row in (await paging.next()).data] == ["0", "1"]
    assert (paging.cursor, paging.following) == (None, "2")
    await paging.next()
    assert (paging.cursor, paging.following) == ("2", None)
