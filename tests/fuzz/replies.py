"""Strategies for replies: from nearly right ones to bytes that are no HTTP."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass

from hypothesis import strategies as st

CLOSE, RESET, KEEP, HANG = "close", "reset", "keep", "hang"
"""What follows the bytes: the end of the connection, the next request, or nothing at all."""


@dataclass(frozen=True)
class Reply:
    """Bytes for one request, and what follows them."""

    raw: bytes
    ending: str = KEEP
    early: bool = False
    """Whether they are sent before the request is read."""

    def __repr__(self) -> str:
        shown = self.raw if len(self.raw) < 400 else self.raw[:400] + b"..."
        return f"Reply({shown!r}, {len(self.raw)} bytes, {self.ending}, early={self.early})"


ODD_VALUES = (
    *("null", "true", "0", "-1", "1.5", "1e999", "-1e999", "NaN", "Infinity", "1" * 400),
    *("1" * 5000, "9007199254740993", '""', '"x"', '"\\ud800"', '"\\u0000\\u001b[2J\\r\\n"', '" "'),
    *('"' + "y" * 20_000 + '"', "[]", "{}", "[[]]", '{"data": 1}', "[null]", '"COMPLETED"'),
    *("[" * 3000 + "]" * 3000, '{"a":' * 2000 + "1" + "}" * 2000, '"2026-01-01T00:00:00Z"'),
    *('"-999999999999999999"', "1767225600000", "1767225600", "-1767225600000", "253402300800000"),
)
odd_values = st.sampled_from(ODD_VALUES)
"""JSON texts of values, some of which are no JSON."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=8,
).map(json.dumps)
values: st.SearchStrategy[str] = odd_values | json_values

JOB = {
    "job_id": '"j-2"',
    "type": '"INCREMENTAL"',
    "status": '"IN_PROGRESS"',
    "created_ts": "1767225600000",
    "updated_ts": "1767225601000",
    "events_loaded": "5",
    "duration": "1000",
}
PIPELINE = {
    "id": "123",
    "name": '"Orders"',
    "status": '"INITIALIZED"',
    "schedule": '{"sync_type": "SCHEDULED", "frequency_minutes": 5}',
    "source": '{"name": "x", "config": {}}',
}
OBJECT = {"object_id": '"o-1"', "object_name": '"users"', "status": '"ACTIVE"', "field_count": "1"}
ERROR = {"error": '"Conflict"', "message": '"A job is already in progress for this pipeline"'}


@st.composite
def rows(draw: st.DrawFn) -> str:
    """Draw an object of the API, with some fields wrong, missing, or twice."""
    fields = dict(draw(st.sampled_from((JOB, JOB, PIPELINE, OBJECT, ERROR))))
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        fields[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        fields.pop(name, None)
    members = [f'"{name}": {value}' for name, value in fields.items()]
    if draw(st.booleans()) and members:
        members.append(members[0])
    return "{" + ", ".join(members) + "}"


some_rows: st.SearchStrategy[list[str]] = st.lists(st.one_of(rows(), values), max_size=3)


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Draw a page of a list, whose cursor may lead anywhere."""
    data = "[" + ", ".join(draw(some_rows)) + "]"
    more = draw(st.sampled_from(("true", "true", "false", "null", '"yes"')))
    cursor = draw(st.sampled_from(('"c1"', '"c2"', "null", "7", '""', '"a&b=c#\\u2028"')) | values)
    return f'{{"data": {data}, "has_more": {more}, "next_cursor": {cursor}}}'


texts = st.one_of(rows(), pages(), values)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body."""
    text = draw(texts)
    body = text.encode(draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig"))))
    change = draw(st.sampled_from(("as it is",) * 6 + ("cut", "bytes", "html", "empty")))
    if change == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if change == "bytes":
        return draw(st.binary(max_size=40))
    return {"html": b"<html><title>Please wait</title>", "empty": b""}.get(change, body)


status_lines = st.sampled_from(
    (b"HTTP/1.1 200 OK",) * 10
    + tuple(f"HTTP/1.1 {status} x".encode() for status in (*range(200, 210), 226, 299))
    + tuple(f"HTTP/1.1 {status} x".encode() for status in (300, 301, 302, 304, 307, 308, 399))
    + tuple(f"HTTP/1.1 {status} x".encode() for status in (400, 401, 403, 404, 408, 409, 410, 422))
    + tuple(f"HTTP/1.1 {status} x".encode() for status in (425, 429, 429, 451, 499, 500, 500, 503))
    + (b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 103 Early Hints")
    + (b"HTTP/1.1 600 x", b"HTTP/1.1 999 x", b"HTTP/1.1 000 x", b"HTTP/1.1 -1 x", b"HTTP/1.1 20")
    + (b"HTTP/1.0 200 OK", b"HTTP/2 200", b"HTTP/0.9 200 OK", b"ICY 200 OK", b"200 OK", b"", b"\0")
    + (b"HTTP/1.1 200 " + b"r" * 9000, b"HTTP/1.1 200 \xff\xfe\x1b[2J", b"<html>", b"{}")
)
headers = st.sampled_from(
    (
        *(b"Content-Type: application/json", b"Content-Type: text/html", b"Content-Type: \xff"),
        *(b"Content-Type: application/json; charset=nothing", b"Content-Type: multipart/x"),
        *(b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br"),
        *(b"Content-Encoding: zstd", b"Content-Encoding: x", b"Transfer-Encoding: chunked"),
        *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: x", b"Connection: close"),
        *(b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: websocket"),
        *(b"Date: Thu, 01 Jan 2026 00:00:00 GMT", b"Date: yesterday", b"Date: 0", b"Date:"),
        *(b"Date: Fri, 31 Dec 9999 23:59:59 GMT", b"Date: Mon, 01 Jan 0001 00:00:00 +9999"),
        *(b"Retry-After: 7", b"Retry-After: -7", b"Retry-After: 1e400", b"Retry-After: nan"),
        *(b"Retry-After: " + b"9" * 5000, b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
        *(b"Location: http://[::1", b"Location: /x", b"Location: file:///etc/passwd"),
        *(b"Set-Cookie: a=b", b"Set-Cookie: \xff=\0", b"X: " + b"y" * 70_000, b"No-Colon"),
        *(b": no name", b"Name : x", b" folded", b"\x00: x", b"Content-Length: 5"),
        *(b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 1_0", b"Trailer: X"),
        *(b"Content-Length: 99999999999999999999", b"Content-Length: 0"),
    )
)


def chunked(body: bytes, size: bytes, end: bytes) -> bytes:
    """Return a body as one chunk with this size line, and this end."""
    return size + b"\r\n" + body + b"\r\n" + end


@st.composite
def framed(draw: st.DrawFn, body: bytes) -> tuple[list[bytes], bytes]:
    """Draw headers and bytes in which a body is announced, rightly or not."""
    way = draw(st.sampled_from(("length",) * 5 + ("short", "long", "none", "chunked", "gzip")))
    if way == "chunked":
        size = draw(
            st.sampled_from((b"%x" % len(body), b"-1", b"zz", b"ffffffffffffffffff", b"0", b""))
        )
        end = draw(st.sampled_from((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"", b"0\r\n", b"\0")))
        return [b"Transfer-Encoding: chunked"], chunked(body, size, end)
    announced = []
    if way == "gzip":
        announced = [b"Content-Encoding: gzip"]
        body = gzip.compress(body) if draw(st.booleans()) else zlib.compress(body)
    added = {"short": -1, "long": 1000}.get(way, 0)
    if way != "none":
        announced.append(b"Content-Length: %d" % max(0, len(body) + added))
    return announced, body


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Draw a reply."""
    early = draw(st.integers(0, 19)) == 0
    if draw(st.integers(0, 19)) == 0:
        ending = draw(st.sampled_from((CLOSE, RESET, HANG)))
        return Reply(draw(st.binary(max_size=60)), ending, early)
    announced, body = draw(framed(draw(bodies())))
    more = draw(st.lists(headers, max_size=3)) if draw(st.booleans()) else []
    plain = [b"Content-Type: application/json", b"Date: Thu, 01 Jan 2026 00:00:10 GMT"]
    lines = [draw(status_lines), *(plain if draw(st.booleans()) else []), *announced, *more]
    raw = b"\r\n".join([*lines, b"", b""]) + body
    if draw(st.integers(0, 14)) == 0:
        raw += raw  # twice
    ending = draw(st.sampled_from((KEEP,) * 6 + (CLOSE, CLOSE, RESET, HANG)))
    return Reply(raw, ending, early)


def bomb(packed: bytes, encoding: str) -> Reply:
    """Return a small reply that unpacks into a large one."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}"
    return Reply(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + packed)


def plain(body: bytes, status: str = "200 OK") -> Reply:
    """Return a well-formed reply."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/json"
    return Reply(f"{head}\r\n\r\n".encode() + body)
