"""Whatever Python's own reader takes for JSON is read, and can be printed and stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import api
from hevo_edge._text.lenient_json import decode, parse, strict_json
from hevo_edge._text.reader import reader
from hevo_edge.models import JobData, Page

read_job = reader(JobData)
read_page = reader(Page[JobData])
DIGITS = "9" * 5000

ODD: dict[str, bytes] = {
    "half of an emoji": b'"Orders \\ud83d"',
    "the other half": b'"\\ude00 Orders"',
    "a surrogate as bytes": b'"Orders \xed\xa0\xbd"',
    "Latin-1": b'"M\xfcnchen"',
    "a control character": b'"a\nb\x1bc\x00"',
    "not a number": b"NaN",
    "infinite": b"[Infinity, -Infinity, 1e999]",
    "more digits than an int has": DIGITS.encode(),
    "a negative one": b"-" + DIGITS.encode(),
    "4,300 digits": b"9" * 4300,
    "nested": b"[" * 300 + b"]" * 300,
    "nested objects": b'{"a":' * 300 + b"1" + b"}" * 300,
    "a surrogate in a name": b'{"\\ud83d": 1}',
    "one name twice": b'{"a": 1, "a": 2}',
}
FIELDS = ["type", "status", "events_loaded", "duration", "created_ts", "mean_latency", "news"]


def works(job: JobData) -> None:
    """Check that a snapshot can be shown, sent, stored, and compared."""
    repr(job).encode()
    str(job).encode()
    job.model_dump_json().encode()
    json.dumps(job.model_dump(mode="json")).encode()
    assert job.model_copy() == job or "nan" in repr(job)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_one_odd_value_in_one_old_row_spoils_nothing(field: str, odd: bytes) -> None:
    row = b'{"job_id": "old", "' + field.encode() + b'": ' + odd + b"}"
    body = b'{"data": [{"job_id": "new", "status": "COMPLETED"}, ' + row + b"]}"
    page = read_page(body)
    assert [job.job_id for job in page.data] == ["new", "old"]
    assert page.data[0].status == "COMPLETED"
    for job in page.data:
        works(job)
    works(read_job(row))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_and_byte_order_marks(encoding: str) -> None:
    body = '{"job_id": "a", "type": "Bestellungen für 😀"}'.encode(encoding)
    assert read_job(body).type == "Bestellungen für 😀"
    assert api.sync_now(1).read(body) == {"job_id": "a", "type": "Bestellungen für 😀"}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_the_reply_to_an_action_is_read_too(odd: bytes) -> None:
    api.sync_now(1).read(b'{"message": ' + odd + b"}")


def test_what_lies_too_deep_is_left_out_and_the_rest_is_there() -> None:
    job = read_job(b'{"job_id": "a", "type": "HISTORICAL", "deep": ' + ODD["nested"] + b"}")
    assert job.type == "HISTORICAL"
    assert str(job.model_extra).count("[") == 189


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff\xfe\xfa", b'{"a": 1}}', b"<html>", b"{'a': 1}"]
)
def test_what_python_does_not_read_either_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json(body)
    with pytest.raises(ValueError):
        read_job(body)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(value=JSON, ascii_only=st.booleans())
def test_any_json_that_python_writes_is_read(value: Any, ascii_only: bool) -> None:
    text = json.dumps({"job_id": "a", "news": value}, ensure_ascii=ascii_only)
    job = read_job(text.encode("utf-8", "surrogatepass"))
    assert job.job_id == "a"
    repr(job).encode()
    job.model_dump_json()


@given(value=JSON)
def test_strict_json_says_the_same_but_for_surrogates(value: Any) -> None:
    text = json.dumps(value)
    strict = strict_json(text.encode())
    assert decode(strict) == strict.decode()
    same = json.dumps(parse(strict.decode()), ensure_ascii=False)
    clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text_of(value))
    assert same == clean


def text_of(value: Any) -> str:
    """Return JSON in which a pair of surrogates is one character, as any reader makes it."""
    return json.dumps(json.loads(json.dumps(value)), ensure_ascii=False)
