"""Reading replies: bodies, errors, Retry-After. Pure functions, no I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from hevo_edge._http.identity import contradiction
from hevo_edge._text import lenient_json
from hevo_edge._text.printable import MESSAGE, NAME, printable, printable_lines, quoted
from hevo_edge._text.reader import UnreadableReply
from hevo_edge.api import Request
from hevo_edge.errors import (
    ApiError,
    AuthenticationError,
    JobInProgress,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)

T = TypeVar("T")

# Every wording found in vendor code and docs, whatever the status: "A job is in progress. To sync
# now you need to cancel the current job", "A job is already in progress for this pipeline",
# "job already ...", and the code CONCURRENT_JOB_LIMIT.
_JOB_IN_PROGRESS = re.compile(
    r"\bjob\s+(?:is\s+)?(?:already\b|(?:currently\s+)?in\s+progress)|concurrent_job_limit",
    re.IGNORECASE,
)
MAX_VALUES = 100_000
"""How many values a reply may hold; a page of a hundred Jobs has 2,000. Each costs up to 200 bytes
and a microsecond of the event loop, whatever its length."""
_MESSAGE_LENGTH = 300
_BODY_START = 64 * 1024
_HTTP_SERVER_ERROR = 500
_HTTP_BAD_REQUEST = 400
_HTTP_CONFLICT = 409
_REDIRECTS = range(300, 400)
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
"""What aiohttp decodes, or says that it cannot."""
GATEWAY_STATUSES = frozenset({408, 425, 444, 460, 499})
"""Statuses below 500 by which proxies and gateways say what others say by a 502 or 504: no reply
came from behind them, so a request may have arrived. 408 is a time-out, 425 too early; by 444 and
499 nginx, by 460 a load balancer of AWS says that a connection was closed before the reply.
"""

PROXY_REFUSES = "the proxy refuses its credentials; check the proxy's user and password"
_NAMED_BY_STATUS = GATEWAY_STATUSES | {407, 429}
"""Statuses that say enough, whatever the body."""

_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    401: (
        AuthenticationError,
        "check the API key and secret, and that they belong to this region",
    ),
    403: (PermissionDenied, "the API key's role does not allow this; it needs an administrator's"),
    404: (NotFound, "check the ids and base_url, and that the Pipeline is an Edge one"),
    407: (AuthenticationError, PROXY_REFUSES),
    429: (RateLimited, "Hevo allows about 100 calls a minute per user, all processes together"),
}


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A usable reply: what was read from it, and the server's clock."""

    value: T
    date: str | None

    @property
    def server_time(self) -> float | None:
        """Seconds since 1970 by the server's Date header (whole seconds), or None."""
        return http_date(self.date)


def http_date(text: str | None) -> float | None:
    """Read an HTTP date as seconds since 1970; None when it is missing or malformed."""
    try:
        date = parsedate_to_datetime(text or "")
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return date.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Read a Retry-After header, in seconds or as an HTTP date, as seconds from now.

    Zero, a negative number and a date that has passed are None, as if there were no header: they
    must not turn our own backoff off. A date is taken relative to the same reply's Date header, so
    that a wrong clock here does no harm; without one, by ``wall`` (seconds since 1970).
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        date = http_date(text)
        if date is None:
            return None
        server = http_date(headers.get("Date"))
        seconds = date - (wall if server is None else server)
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def read_body(
    request: Request[T],
    status: int,
    body: bytes,
    date: str | None,
    encoding: str = "",
) -> Reply[T]:
    """Read the body of a success.

    Args:
        request: What it answers.
        status: Its status.
        body: Its body, decoded where aiohttp knows the encoding.
        date: Its Date header.
        encoding: Its Content-Encoding header.

    Raises:
        UnexpectedResponse: when it is not JSON, not of the expected shape, too much to read, or
            about another id than the request. Its ``transient`` says whether a retry can help: a
            body that is not JSON may come from a failing proxy, and one about another id is the
            reply to another request.
    """
    try:
        _check_values(body)
        value = request.read(body)
        other = contradiction(request, value)
        if other is None:
            return Reply(value, date)
        unexpected = UnexpectedResponse(
            f"the {status} reply answers another request: {other}", status=status
        )
        unexpected.transient = True
    except UnreadableReply as error:
        unexpected = UnexpectedResponse(f"the body of the {status} reply {error}", status=status)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        is_no_json = first["type"] == "json_invalid"
        where = ".".join(map(str, first["loc"]))
        what = "is not JSON" if is_no_json else f"has another shape than expected at '{where}'"
        is_undecoded = is_no_json and encoding.strip().lower() not in _ENCODINGS
        if is_undecoded:
            what = f"has the encoding {quoted(encoding)}, which was not asked for"
        text = lenient_json.decode(body[:_BODY_START])
        unexpected = UnexpectedResponse(
            f"the body of the {status} reply {what} ({first['msg']}); it starts "
            f"'{_one_line(text, 80)}'",
            status=status,
            body=printable_lines(text),
        )
        unexpected.transient = is_no_json and not is_undecoded
    raise unexpected


def _check_values(body: bytes) -> None:
    """Refuse a body with too many values before anything is made of them.

    Raises:
        UnreadableReply: when it may hold more than MAX_VALUES. Commas in its strings count too.
    """
    if len(body) > MAX_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise UnreadableReply(f"holds more than {MAX_VALUES} values")


def read_error(
    request: Request[Any], status: int, headers: Mapping[str, str], text: str, wall: float
) -> ApiError:
    """Make the typed error for a reply that is not a success."""
    details = _json_object(text)
    reason = _message_of(details, text)
    kind, advice = _BY_STATUS.get(status, (ApiError, ""))
    if status == _HTTP_BAD_REQUEST and request.starts_job and request.body is not None:
        advice = "if Hevo does not understand the body, pass another dialect to HevoClient"
    from_gateway = not details and _is_page(status, headers, text)
    if from_gateway:
        reason = f"a gateway answered, not Hevo: {_destination(status, headers) or reason}"
        kind, advice = ServerError, "check the proxy, and region or base_url"
    elif status >= _HTTP_SERVER_ERROR or status in GATEWAY_STATUSES:
        kind, advice = ServerError, ""
    elif request.starts_job and status == _HTTP_CONFLICT:
        kind, advice = JobInProgress, ""
    if request.starts_job and _JOB_IN_PROGRESS.search(f"{text[:MESSAGE]} {reason}"):
        kind, advice = JobInProgress, ""
    message = f"{status}: {reason}" if reason else f"{status} without a reason"
    error = kind(
        f"{message}; {advice}" if advice else message,
        status=status,
        code=_code_of(details),
        body=printable_lines(text),
        retry_after=retry_after(headers, wall),
    )
    if isinstance(error, ServerError):
        error.from_gateway = from_gateway
    return error


def _is_page(status: int, headers: Mapping[str, str], text: str) -> bool:
    """Tell whether it is a redirect, or a page for people: Hevo sends neither."""
    if status in _REDIRECTS:
        return True
    if status >= _HTTP_SERVER_ERROR or status in _NAMED_BY_STATUS:
        return False
    return "html" in headers.get("Content-Type", "").lower() or text.lstrip().startswith("<")


def _destination(status: int, headers: Mapping[str, str]) -> str:
    """Say where a redirect leads; its query may hold what only its receiver should see."""
    if status not in _REDIRECTS:
        return ""
    where = _one_line(headers.get("Location", "").partition("?")[0]) or "nowhere"
    return f"a redirect to {where}, which is not followed, so that credentials go nowhere else"


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = lenient_json.parse(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _message_of(details: Mapping[str, Any], text: str) -> str:
    for name in ("message", "error", "detail"):
        value = details.get(name)
        if isinstance(value, str) and value.strip():
            return _one_line(value)
    title = re.search(r"<title>(.*?)</title>", text[:MESSAGE], re.IGNORECASE | re.DOTALL)
    return _one_line(title.group(1) if title else text)


def _code_of(details: Mapping[str, Any]) -> str | None:
    for name in ("code", "error_code", "error"):
        value = details.get(name)
        if isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", value):
            return printable(value, NAME)
    return None


def _one_line(text: str, length: int = _MESSAGE_LENGTH) -> str:
    return printable(" ".join(text.split()), length)
