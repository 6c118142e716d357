"""The one request loop: limiter, aiohttp, retries, typed errors. It knows no endpoint."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from hevo_edge._common.clock import Clock
from hevo_edge._http.call_report import CallReport
from hevo_edge._http.config import Config
from hevo_edge._http.delivery import Delivery, delivery_of, describe, error_for
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.responses import Reply, read_body, read_error
from hevo_edge._http.retry import AttemptFailed, Call, Retries
from hevo_edge._http.session import Sessions, close_idle, is_of_this_loop
from hevo_edge._text import lenient_json
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import printable
from hevo_edge._text.redaction import secret_spans
from hevo_edge.api import Request
from hevo_edge.errors import (
    ConfigurationError,
    HevoError,
    RateLimited,
    RequestError,
    RequestNotSent,
    RequestOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.observing._observer import Observers

T = TypeVar("T")
log: logging.Logger = get_logger("hevo_edge.http")

MAX_REPLY_BYTES = 4 * 1024 * 1024
"""A larger reply is refused; a page of a hundred Jobs is about 40 KiB."""
_ERROR_BODY_BYTES = 64 * 1024
_PATH = 500
"""Characters that are shown of a path."""
_SUCCESSES = range(200, 300)
# Over a session that was passed in, once, when a connection dies; in our own it is turned off.
# For a read it makes no difference.
_REPEATED_BY_AIOHTTP = frozenset({"DELETE", "PUT"})


class Transport:
    """Sends requests over one shared aiohttp session.

    Args:
        config: Base URL, credentials, time-outs and retries.
        limiter: Grants a slot before every attempt.
        clock: Time and jitter.
        session: A session to use instead of an own one; it is not closed.
        observers: Those who are told of each call.
    """

    def __init__(
        self,
        config: Config,
        limiter: RateLimiter,
        clock: Clock,
        session: aiohttp.ClientSession | None = None,
        observers: Observers | None = None,
    ) -> None:
        self._config = config
        self._limiter = limiter
        self._clock = clock
        self._sessions = Sessions(session, config.headers, proxy=config.proxy, ssl=config.ssl)
        self._is_given = session is not None
        # Our own session has our headers already; one that was passed in must not keep them.
        self._headers = None if session is None else config.headers
        self._headers_with_body = {**(self._headers or {}), "Content-Type": "application/json"}
        self._closed = False
        # Half of the time for getting a connection: what fails in it was surely not sent.
        self._timeout = aiohttp.ClientTimeout(total=config.timeout, connect=config.timeout / 2)
        self._report = CallReport(Observers() if observers is None else observers, limiter, clock)
        self._retries = Retries(self._attempt, limiter, clock, config.max_retries)

    async def exchange(
        self,
        request: Request[T],
        priority: Priority,
        *,
        deadline: float | None = None,
        reply_timeout: float | None = None,
        slot_deadline: float | None = None,
        before_sending: Callable[[], None] = lambda: None,
    ) -> Reply[T]:
        """Send a request, repeat it where that is safe, and read the reply.

        Args:
            request: What to send.
            priority: Its place in the limiter's queue.
            deadline: Loop time (seconds) after which nothing more is waited for.
            reply_timeout: Seconds, from its first sending on, in which it must be answered; with a
                ``deadline``, so many at least.
            slot_deadline: Loop time (seconds) until which it may wait for its first slot in the
                call budget; what it waits does not count, so the ``deadline`` is later by that, but
                not later than this. Default: the ``deadline``.
            before_sending: Called when the slot is taken, right before each attempt; what it
                raises is passed on, and nothing is sent.

        Raises:
            RequestError: one of its subclasses, with method, path, attempts and elapsed seconds.
            HevoError: when the client is closed.
        """
        start = self._clock.now()
        call = Call(
            request, priority, deadline, reply_timeout, before_sending, start, slot_deadline
        )
        for _ in range(2):
            try:
                return await self._attempt(call)
            except AttemptFailed:
                # No error names what it is about: it is believed on a connection of its own.
                if not self._retries.is_unproven(call):
                    break
        try:
            return await self._retries.run(call)
        except AttemptFailed as failed:
            failure = failed
        # Outside of the handler and afresh: frames that hold our headers stay out of the traceback.
        try:
            raise failure.error.with_traceback(None) from failure.cause
        finally:
            # Python may hang on the failure that resumed this step, with all of aiohttp's frames.
            failure.error.__context__ = None

    async def send(
        self,
        request: Request[T],
        priority: Priority,
        *,
        deadline: float | None = None,
        reply_timeout: float | None = None,
        before_sending: Callable[[], None] = lambda: None,
    ) -> T:
        """Send a request like ``exchange``, and return only what the body says."""
        reply = await self.exchange(
            request,
            priority,
            deadline=deadline,
            reply_timeout=reply_timeout,
            before_sending=before_sending,
        )
        return reply.value

    async def close(self) -> None:
        """Close the session, unless it was passed in. What is sent afterwards is refused."""
        self._closed = True
        try:
            await self._sessions.close()
        finally:
            await self._limiter.close()

    # -- one attempt ------------------------------------------------------------------------------

    async def _attempt(self, call: Call) -> Reply[Any]:
        self._check_open()
        call.attempts += 1
        call.sent_at = None
        slot = await self._report.slot(call)
        if slot is None:
            # The failure of an earlier attempt says more than that no time was left for another.
            raise call.failure or self._failed(
                call, RequestNotSent("the deadline passed while waiting for the call budget")
            )
        if call.reply_timeout is not None:
            until = self._clock.now() + call.reply_timeout
            call.deadline = until if call.deadline is None else max(until, call.deadline)
            call.reply_timeout = None
        if call.slot_deadline is not None and call.deadline is not None:
            later = call.deadline + self._clock.now() - call.started
            call.deadline = max(call.deadline, min(later, call.slot_deadline))
            call.slot_deadline = None
        sent = False
        session: aiohttp.ClientSession | None = None
        try:
            session = await self._session()
            call.before_sending()
            sent, call.sent_at = True, self._clock.now()
            return await self._request(session, call)
        except asyncio.CancelledError:
            # aiohttp cancels what waits for a connection when its session is closed.
            if session is None or not (sent and session.closed) or _is_cancelled():
                raise
            closed = RequestOutcomeUnknown("the session was closed during the request")
            failure: Exception = self._failed(call, closed)
        except Exception as error:
            if not sent or isinstance(error, (HevoError, AttemptFailed)):
                raise
            delivery = self._delivery_of(call, error)
            sent = delivery is Delivery.MAYBE_PROCESSED
            failure = self._typed(call, delivery, error)
        finally:
            self._limiter.release(slot, sent=sent)
        # Outside of the handler: the frames of what aiohttp raised hold our headers.
        raise failure

    async def _session(self) -> aiohttp.ClientSession:
        self._check_open()
        session = await self._sessions.get()
        if session.closed:
            raise HevoError("the aiohttp session of this HevoClient is closed")
        if not is_of_this_loop(session):
            raise ConfigurationError(
                "the aiohttp session that was passed in belongs to another event loop; make it in "
                "the loop that uses this HevoClient, or leave session= out"
            )
        return session

    def _check_open(self) -> None:
        if self._closed:
            raise HevoError("this HevoClient is closed; make a new one")

    async def _request(self, session: aiohttp.ClientSession, call: Call) -> Reply[Any]:
        request, url = call.request, _url(self._config.base_url, call.request.path)
        # Only a reply that says what it is about may come over a connection with a past.
        keep = request.names_itself and call.attempts == 1
        call.is_reused = close_idle(session, url, keep=keep)
        async with session.request(
            request.method,
            url,
            data=None if request.body is None else _encode(request.body),
            headers=self._headers if request.body is None else self._headers_with_body,
            timeout=self._time_left(call),
            allow_redirects=False,
            raise_for_status=False,
        ) as response:
            if response.status not in _SUCCESSES:
                raise self._failed(call, await self._error_of(call, response))
            self._limiter.accepted()
            try:
                body, headers = await _read_whole(response), response.headers
                date, encoding = headers.get("Date"), headers.get("Content-Encoding", "")
                reply = read_body(request, response.status, body, date, encoding)
            except UnexpectedResponse as unexpected:
                close_idle(session, url, keep=False)  # this one has come back to them
                failed = self._failed(call, unexpected)
            except aiohttp.ClientPayloadError as cut:
                broken = UnexpectedResponse(
                    f"the body of the {response.status} reply broke off: {describe(cut)}",
                    status=response.status,
                )
                broken.transient = True
                failed = self._failed(call, broken, cut)
            else:
                self._retries.outages.succeeded()
                self._report.attempt_over(call, response.status, None)
                return reply
            raise failed

    async def _error_of(self, call: Call, response: aiohttp.ClientResponse) -> RequestError:
        text = await _read_error_text(response)
        error = read_error(
            call.request, response.status, response.headers, text, self._clock.wall()
        )
        if isinstance(error, RateLimited):
            self._limiter.rejected(error.retry_after, call.sent_at)
            self._report.throttled(call, error.retry_after)
        return error

    def _time_left(self, call: Call) -> aiohttp.ClientTimeout:
        if call.deadline is None:
            return self._timeout
        left = min(max(call.deadline - self._clock.now(), 0.001), self._config.timeout)
        return aiohttp.ClientTimeout(total=left, connect=left / 2)

    # -- failures ---------------------------------------------------------------------------------

    def _delivery_of(self, call: Call, error: Exception) -> Delivery:
        delivery = delivery_of(error)
        if (
            delivery is Delivery.NEVER_SENT
            and self._is_given
            and call.request.method in _REPEATED_BY_AIOHTTP
        ):
            # Perhaps of the second sending only.
            return Delivery.MAYBE_PROCESSED
        return delivery

    def _typed(self, call: Call, delivery: Delivery, raised: Exception) -> Exception:
        error = error_for(raised, delivery)
        return self._failed(call, error, raised) if isinstance(error, RequestError) else error

    def _failed(
        self, call: Call, error: RequestError, cause: Exception | None = None
    ) -> AttemptFailed:
        error.method = call.request.method
        error.path = printable(call.request.path, _PATH)  # a cursor in it is the server's
        error.attempts = call.attempts
        error.elapsed = self._clock.now() - call.started
        call.failure = AttemptFailed(call, error, _without_secrets(cause))
        self._report.attempt_over(call, getattr(error, "status", None), error)
        return call.failure


def _without_secrets(cause: Exception | None) -> Exception | None:
    """Return the cause without the frames and objects in which aiohttp holds our headers."""
    if cause is None or isinstance(cause, aiohttp.ClientResponseError):
        return None
    told = f"{cause} {cause!r}"
    if printable(told) != told or secret_spans(repr(vars(cause))):
        return None  # it quotes a server, or holds the proxy's URL
    cause.__cause__ = cause.__context__ = None
    return cause.with_traceback(None)


# A hundred, for those who wait for a few Jobs: each URL that is kept weighs a kilobyte.
@lru_cache(maxsize=128)
def _url(base_url: str, path: str) -> URL:
    """Make the URL of a request, once for what is polled often."""
    return URL(base_url + path, encoded=True)


def _is_cancelled() -> bool:
    """Tell whether this task is being cancelled. Python 3.10 does not know: yes, to be safe."""
    task = asyncio.current_task()
    return sys.version_info < (3, 11) or task is None or task.cancelling() > 0


# -- bodies, as bytes -----------------------------------------------------------------------------


def _encode(body: Any) -> bytes:
    """Return a request's body as JSON.

    Raises:
        ConfigurationError: when it cannot be written as JSON.
    """
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"the body of the request is not JSON: {error}") from None


async def _read_whole(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a reply.

    Raises:
        UnexpectedResponse: when it is larger than anything Hevo sends.
    """
    body = await _read(response, MAX_REPLY_BYTES + 1)
    if len(body) > MAX_REPLY_BYTES:
        raise UnexpectedResponse(
            f"the reply is larger than {MAX_REPLY_BYTES >> 20} MiB", status=response.status
        )
    return body


async def _read_error_text(response: aiohttp.ClientResponse) -> str:
    """Read the body of an error as far as it can be read: the status alone is worth raising."""
    try:
        body = await _read(response, _ERROR_BODY_BYTES)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        log.debug("the body of a %s reply could not be read: %s", response.status, describe(error))
        return ""
    return lenient_json.decode(body)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read until the end or until ``limit`` is reached, whichever comes first."""
    first = await response.content.readany()
    if response.content.at_eof():
        return first
    parts, size = [first], len(first)
    while size < limit and not response.content.at_eof():
        parts.append(await response.content.readany())
        size += len(parts[-1])
    return b"".join(parts)
