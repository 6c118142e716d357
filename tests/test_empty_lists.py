"""An empty list is an empty list, however it is sent; what is no list is never an empty one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hevo_edge import api, errors
from hevo_edge._http.responses import read_body
from hevo_edge.emulator import DIALECTS, HevoEmulator
from hevo_edge.models import Page
from tests.conftest import START, client_of

LISTS = [
    api.list_jobs(1),
    api.list_job_objects(1, "x"),
    api.list_objects(1),
    api.list_pipelines(),
    api.list_destinations(),
    api.list_source_connectors(),
]


@pytest.mark.parametrize("request_", LISTS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "body",
    [
        b'{"data": []}',
        b'{"data": null}',
        b"{}",
        b'\xef\xbb\xbf{"data": null, "has_more": "no"}',
        b'{"has_more": false, "next_cursor": null}',
        b'{"data": null, "has_more": false, "next_cursor": null, "count": 0}',
        b'{"pagination": {"count": 0}}',
    ],
)
def test_an_empty_list(request_: api.Request[Page[object]], body: bytes) -> None:
    page = read_body(request_, 200, body, None).value
    assert page.data == []
    assert not page.has_more


def test_the_cursor_of_a_page_without_rows_is_kept() -> None:
    body = b'{"data": null, "has_more": true, "next_cursor": "abc"}'
    page = read_body(api.list_jobs(1), 200, body, None).value
    assert (page.has_more, page.next_cursor) == (True, "abc")


@pytest.mark.parametrize("request_", LISTS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "maintenance"}',
        b'{"data": null, "error": "no"}',
        b'{"jobs": []}',
        b'{"data": {}}',
        b'{"data": "none"}',
        b'{"data": false}',
        b'{"count": 3}',
        b'{"data": null, "count": 3}',
        b"null",
        b"[]",
        b'""',
        b'{"data": [null]}',
    ],
)
def test_what_is_no_empty_list(request_: api.Request[object], body: bytes) -> None:
    with pytest.raises(errors.UnexpectedResponse) as caught:
        read_body(request_, 200, body, None)
    assert not caught.value.transient


@pytest.mark.parametrize("empty_list", ["list", "null", "missing"])
async def test_the_first_run_of_a_new_pipeline(empty_list: str) -> None:
    dialect = replace(DIALECTS["newest"], empty_list=empty_list)
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        emulator.add_pipeline(5, objects=())
        async with client_of(emulator) as hevo:
            pipeline = hevo.pipeline(5)
            assert [job async for job in pipeline.list_jobs()] == []
            assert await pipeline.active_job() is None
            job = await pipeline.trigger()
            await job.await_completion()
            assert [each async for each in job.list_objects()] == []
            assert [each async for each in pipeline.list_objects()] == []
            assert emulator.requests.of("sync_now")[0].took_effect
