"""Replies that are made to be costly are refused before anything much is made of them.

What they cost in seconds and bytes is measured by tests/benchmarks/hostile_replies.py; here is
counted what is looked at.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from hevo_edge import api, errors
from hevo_edge._http.responses import MAX_VALUES, read_body
from hevo_edge._text import reader
from hevo_edge._text.reader import MAX_PROBLEMS
from hevo_edge.models import JobData, Page, WireModel, _job
from hevo_edge.models._page import MAX_PAGE_ROWS

from .servers import JsonServer, client

JOBS, JOB, ACTION = api.list_jobs(123), api.get_job(123, "mine"), api.sync_now(123)


def refusal_of(request: api.Request[Any], body: bytes) -> errors.UnexpectedResponse:
    with pytest.raises(errors.UnexpectedResponse) as caught:
        read_body(request, 200, body, None)
    assert not caught.value.transient, "it would only be sent once more"
    assert len(str(caught.value)) < 1000
    return caught.value


def page_of(rows: list[Any]) -> bytes:
    return json.dumps({"data": rows, "has_more": False}).encode()


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [b"0", b"[]", b"{}", b'{"a":1}', b'"x"', b"[[]]"])
@pytest.mark.parametrize("request_", [JOBS, JOB, ACTION], ids=["list", "job", "action"])
def test_what_holds_too_many_values_is_not_parsed(request_: api.Request[Any], unit: bytes) -> None:
    parsed = []

    def read(body: bytes) -> Any:
        parsed.append(body)
        return request_.read(body)

    watched = api.Request(request_.name, request_.method, request_.path, read)
    body = b'{"data":[' + (unit + b",") * MAX_VALUES + unit + b"]}"
    assert f"more than {MAX_VALUES} values" in str(refusal_of(watched, body))
    assert not parsed


def test_as_many_values_as_may_be_are_read() -> None:
    body = b'{"job_id":"mine","more":[' + b"0," * (MAX_VALUES - 4) + b"0]}"
    assert sum(map(body.count, (b",", b"[", b"{"))) == MAX_VALUES - 1
    more = (read_body(JOB, 200, body, None).value.model_extra or {})["more"]
    assert len(more) == MAX_VALUES - 3


def test_what_is_read_leniently_may_hold_fewer() -> None:
    for count, is_read in ((49_000, True), (51_000, False)):
        body = b'{"job_id":"mine","odd":"\\ud83d","more":[' + b"0," * count + b"0]}"
        if is_read:
            assert read_body(JOB, 200, body, None).value.job_id == "mine"
        else:
            with pytest.raises(errors.UnexpectedResponse, match="not JSON"):
                read_body(JOB, 200, body, None)


def test_a_long_text_is_not_many_values() -> None:
    body = json.dumps({"job_id": "mine", "text": "x" * 3_000_000}).encode()
    assert read_body(JOB, 200, body, None).value.job_id == "mine"


# -- rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [{"job_id": "a"}, 0, {}, None, [], {"job_id": {}}])
def test_no_more_rows_are_looked_at_than_a_page_may_have(row: Any) -> None:
    body = page_of([row] * 60_000)
    refusal_of(JOBS, body)
    with pytest.raises(ValidationError) as caught:
        Page[JobData].model_validate_json(body)
    assert caught.value.error_count() <= MAX_PAGE_ROWS


def test_a_page_of_as_many_rows_as_may_be() -> None:
    rows = [{"job_id": str(number)} for number in range(MAX_PAGE_ROWS)]
    assert len(read_body(JOBS, 200, page_of(rows), None).value.data) == MAX_PAGE_ROWS
    refusal = refusal_of(JOBS, page_of([*rows, {"job_id": "one more"}]))
    assert f"at most {MAX_PAGE_ROWS} items" in str(refusal)


# -- invalid values --------------------------------------------------------------------------------

ODD: dict[str, object] = {name: [] for name in JobData.model_fields if name != "job_id"}


def test_odd_values_in_every_row_of_a_usual_page_are_left_out() -> None:
    body = page_of([{"job_id": str(number), **ODD} for number in range(api.PAGE_LIMIT)])
    rows = read_body(JOBS, 200, body, None).value.data
    assert [row.job_id for row in rows] == [str(number) for number in range(api.PAGE_LIMIT)]
    assert {(row.status, row.events_loaded) for row in rows} == {("UNKNOWN", None)}


class Row(WireModel):
    """A row with several fields that may be invalid."""

    a: int | None = None
    b: int | None = None
    c: int | None = None
    d: int | None = None
    e: int | None = None
    f: int | None = None


@pytest.mark.parametrize("fields", [5, 6])
def test_too_many_invalid_values_are_counted_but_not_listed(
    monkeypatch: pytest.MonkeyPatch, fields: int
) -> None:
    looked_at = 0
    find = reader._innermost_field

    def counted(*args: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return find(*args)

    monkeypatch.setattr(reader, "_innermost_field", counted)
    rows = api.Request("rows", "GET", "/api/v1/rows", reader.reader(Page[Row]))
    body = page_of([{name: [] for name in "abcdef"[:fields]}] * MAX_PAGE_ROWS)
    if fields * MAX_PAGE_ROWS <= MAX_PROBLEMS:
        assert len(read_body(rows, 200, body, None).value.data) == MAX_PAGE_ROWS
        assert looked_at == fields * MAX_PAGE_ROWS
    else:
        assert "has 6000 invalid values" in str(refusal_of(rows, body))
        assert looked_at == 0


# -- what is kept ----------------------------------------------------------------------------------


def test_the_names_of_many_unknown_fields_are_not_kept_for_ever() -> None:
    _job._shared_set.cache_clear()
    for number in range(3):
        fields = {f"f{number}-{n}": n for n in range(1000)}
        body = json.dumps({"job_id": "mine", **fields}).encode()
        assert read_body(JOB, 200, body, None).value.model_extra == fields
    assert _job._shared_set.cache_info().currsize == 0


# -- over HTTP -------------------------------------------------------------------------------------


async def test_a_wait_outlasts_heavy_replies() -> None:
    polls = 0

    def answer(_: bytes) -> dict[str, Any]:
        nonlocal polls
        polls += 1
        more: list[object] = [[]] * MAX_VALUES if polls < 4 else []
        return {"job_id": "mine", "status": "COMPLETED", "more": more}

    async with JsonServer(answer=answer) as server, client(server.port) as hevo:
        job = await hevo.job(123, "mine").await_completion(timeout=3600)
        assert (job.status, polls) == ("COMPLETED", 4)


async def test_a_heavy_reply_to_a_post_leaves_its_outcome_open() -> None:
    def answer(_: bytes) -> dict[str, Any]:
        return {"more": [0] * MAX_VALUES}

    async with JsonServer(answer=answer) as server, client(server.port) as hevo:
        with pytest.raises(errors.UnexpectedResponse, match="more than"):
            await hevo.send(ACTION)
        assert server.posts == 1
