"""Reading replies: every form of error body, Retry-After, and garbage."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import api, errors
from hevo_edge._http import responses
from hevo_edge._http.responses import http_date, read_body, read_error, retry_after
from tests.conftest import REFUSALS

WALL = 1_767_225_600.0
POST, GET = api.sync_now(1), api.get_job(1, "x")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *REFUSALS,
        (418, errors.ApiError),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
        (504, errors.ServerError),
        *((status, errors.ServerError) for status in (408, 425, 444, 460, 499, 520, 598, 599)),
        (302, errors.ServerError),
        (304, errors.ServerError),
        (407, errors.AuthenticationError),
    ],
)
def test_an_error_by_status(status: int, kind: type[errors.RequestError]) -> None:
    for request in (POST, GET):
        error = read_error(request, status, {}, "what went wrong", WALL)
        assert type(error) is kind
        assert str(status) in str(error)
        assert error.status == status
        assert error.body == "what went wrong"


PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"


@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 404, 405, 409, 410, 451])
@pytest.mark.parametrize("request_", [POST, GET, api.cancel_job(1, "x")])
def test_a_page_is_told_apart_from_hevo(status: int, request_: api.Request[object]) -> None:
    headers = {"Location": "https://login.example.com/sso?SAMLRequest=private"}
    error = read_error(request_, status, headers, PAGE, WALL)
    assert type(error) is errors.ServerError
    assert error.from_gateway
    assert error.transient
    assert f"{status}: a gateway answered, not Hevo: " in str(error)
    where = "a redirect to https://login.example.com/sso," if status < 400 else "Sign in"
    assert where in str(error)
    assert "private" not in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (401, {"Content-Type": "application/json"}, '{"message": "no"}'),
        (403, {"Content-Type": "text/html"}, '{"message": "no"}'),
        (404, {"Content-Type": "text/plain"}, "Not Found"),
        (401, {}, ""),
        (407, {"Content-Type": "text/html"}, PAGE),
        (429, {"Content-Type": "text/html"}, PAGE),
    ],
)
def test_what_is_no_page_of_a_gateway(status: int, headers: dict[str, str], text: str) -> None:
    error = read_error(GET, status, headers, text, WALL)
    assert type(error) is not errors.ServerError
    assert "gateway" not in str(error)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ('{"error": "Conflict", "message": "Said so"}', "Said so", None),
        ('{"error": "PIPELINE_NOT_FOUND", "message": "gone"}', "gone", "PIPELINE_NOT_FOUND"),
        ('{"error": "only this"}', "only this", None),
        ('{"code": "A_CODE", "detail": "more"}', "more", "A_CODE"),
        ('{"message": 5}', '{"message": 5}', None),
        ("[1]", "[1]", None),
        ("plain   text\n", "plain text", None),
        ("<html><head><title>Bad\n Gateway</title></head></html>", "Bad Gateway", None),
        ("", "without a reason", None),
    ],
)
def test_the_reason_is_found_in_every_form_of_body(
    body: str, message: str, code: str | None
) -> None:
    error = read_error(GET, 400, {}, body, WALL)
    assert isinstance(error, errors.ApiError)
    assert message in error.message
    assert error.code == code


def test_long_bodies_are_shortened() -> None:
    error = read_error(GET, 400, {}, "x" * 100_000, WALL)
    assert isinstance(error, errors.ApiError)
    assert len(error.message) < 400
    assert error.body == "x" * 4000 + "… (96,000 more characters)"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "A job is in progress. To sync now you need to cancel the current job"),
        (409, '{"error":"Conflict","message":"A job is already in progress for this pipeline"}'),
        (500, "job is in progress"),
        (400, "JOB ALREADY running"),
        (400, '{"error": "CONCURRENT_JOB_LIMIT"}'),
        (409, "anything at all"),
    ],
)
def test_a_job_in_progress_is_known_by_every_wording(status: int, body: str) -> None:
    assert type(read_error(POST, status, {}, body, WALL)) is errors.JobInProgress


def test_what_is_no_job_in_progress() -> None:
    plain = read_error(POST, 500, {}, "the job server is down", WALL)
    assert type(plain) is errors.ServerError
    # A read has nothing to conflict with, and neither has the cancelling of a Job.
    text = "The job already ended"
    assert type(read_error(api.cancel_job(1, "x"), 400, {}, text, WALL)) is errors.ApiError
    assert type(read_error(GET, 500, {}, "job is in progress", WALL)) is errors.ServerError
    assert type(read_error(api.cancel_job(1, "x"), 409, {}, "", WALL)) is errors.ApiError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-0.0"}, None),
        ({"Retry-After": "0.001"}, 0.001),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 31 Dec 2025 23:59:00 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}, None),
        # Our clock may be wrong by an hour; the server's own Date header is the measure.
        (
            {
                "Retry-After": "Thu, 01 Jan 2026 01:00:09 GMT",
                "Date": "Thu, 01 Jan 2026 01:00:00 GMT",
            },
            9.0,
        ),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, WALL) == seconds
    error = read_error(GET, 429, headers, "", WALL)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == seconds


@pytest.mark.parametrize("text", [None, "", "yesterday", "Thu, 99 Jan 2026", "0", "Mon"])
def test_a_malformed_date_is_none(text: str | None) -> None:
    assert http_date(text) is None


def test_a_date_without_a_zone_is_utc() -> None:
    assert http_date("Thu, 01 Jan 2026 00:00:00 -0000") == WALL
    assert responses.Reply(None, "Thu, 01 Jan 2026 00:00:00 GMT").server_time == WALL


@given(st.binary())
def test_any_body_is_read_or_refused_with_a_typed_error(body: bytes) -> None:
    try:
        reply = read_body(GET, 200, body, None)
    except errors.UnexpectedResponse as error:
        assert error.status == 200
    else:
        assert reply.value.job_id


@given(st.text(), st.integers(min_value=300, max_value=599), st.text())
def test_any_error_reply_becomes_a_typed_error(text: str, status: int, header: str) -> None:
    error = read_error(POST, status, {"Retry-After": header, "Date": header}, text, WALL)
    assert isinstance(error, errors.RequestError)


def test_no_json_is_transient_but_a_wrong_shape_is_not() -> None:
    for body, transient in ((b"<html>", True), (b"\xff\xfe", True), (b"", True), (b"[]", False)):
        with pytest.raises(errors.UnexpectedResponse) as caught:
            read_body(GET, 200, body, None)
        assert caught.value.transient is transient
    with pytest.raises(errors.UnexpectedResponse, match="another shape than expected at 'data'"):
        read_body(api.list_jobs(1), 200, b'{"rows": []}', None)
    # Plain JSON with an odd header is read; what cannot be read, and why, time does not mend.
    assert read_body(GET, 200, b'{"job_id": "x"}', None, "utf-8").value.job_id == "x"
    with pytest.raises(errors.UnexpectedResponse, match="the encoding 'compress', which") as caught:
        read_body(GET, 200, b"\x1f\x9d", None, "compress")
    assert not caught.value.transient
    deep = json.dumps({"data": [{"job_id": {}}]}).encode()
    with pytest.raises(errors.UnexpectedResponse, match=r"at 'data\.0\.job_id'"):
        read_body(api.list_jobs(1), 200, deep, None)
