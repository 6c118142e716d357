"""The one request loop: limiter, aiohttp, retries with backoff, typed errors.

It knows no endpoint. What may be repeated is repeated here and nowhere else: a read on connection
errors, time-outs, 429, 5xx and a garbled success; any other request only when it surely was not
sent.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import backoff
from yarl import URL

from hevo_edge._common.clock import Clock
from hevo_edge._http import bodies
from hevo_edge._http.config import RETRY_AFTER_CAP, Config
from hevo_edge._http.delivery import Verdict, say, verdict
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.responses import Reply, read_body, read_error
from hevo_edge._http.session import Sessions
from hevo_edge.api import Request
from hevo_edge.errors import (
    ApiError,
    ConfigurationError,
    HevoError,
    RateLimited,
    RequestError,
    RequestNotSent,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)

T = TypeVar("T")
log: logging.Logger = logging.getLogger("hevo_edge.http")

BACKOFF_FACTOR = 0.5
BACKOFF_FACTOR_LIMITED = 4.0
LIMITED_PAUSE = 10.0
"""Seconds for which a first 429 without Retry-After holds back the client; doubles each time."""
BACKOFF_MAX = 30.0
"""Full jitter: the n-th retry waits anything up to factor * 2**n seconds, at most BACKOFF_MAX."""

_SUCCESSES = range(200, 300)
# Over a session that was passed in, once, when a connection dies; in our own it is turned off.
# For a read it makes no difference.
_REPEATED_BY_AIOHTTP = frozenset({"DELETE", "PUT"})


@dataclass(slots=True)
class _Call:
    """One request on its way through its attempts."""

    request: Request[Any]
    priority: Priority
    deadline: float | None
    patience: float | None
    before_sending: Callable[[], None]
    started: float
    attempts: int = 0
    failure: _AttemptFailed | None = None
    is_first: bool = True


class _AttemptFailed(Exception):
    def __init__(self, call: _Call, error: RequestError, cause: Exception | None = None) -> None:
        self.call = call
        self.error = error
        self.cause = cause


class Transport:
    """Sends requests over one shared aiohttp session.

    Args:
        config: Where to, as whom, and how patiently.
        limiter: Whom every attempt asks first.
        clock: Time and jitter.
        session: A session to use instead of an own one; it is not closed.
    """

    def __init__(
        self,
        config: Config,
        limiter: RateLimiter,
        clock: Clock,
        session: aiohttp.ClientSession | None = None,
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
        self._limited_in_a_row = 0
        # Half of the time for getting a connection: what fails in it was surely not sent.
        self._timeout = aiohttp.ClientTimeout(total=config.timeout, connect=config.timeout / 2)
        self._send_patiently = backoff.on_exception(
            self._waits,
            _AttemptFailed,
            max_tries=config.max_retries + 1,
            giveup=self._gives_up,
            on_backoff=self._log_retry,
            jitter=None,
            logger=None,
        )(self._attempt_again)

    async def exchange(
        self,
        request: Request[T],
        priority: Priority,
        *,
        deadline: float | None = None,
        patience: float | None = None,
        before_sending: Callable[[], None] = lambda: None,
    ) -> Reply[T]:
        """Send a request, repeat it where that is safe, and read the reply.

        Args:
            request: What to send.
            priority: Its place in the limiter's queue.
            deadline: Loop time (seconds) after which nothing more is waited for.
            patience: Seconds after its first sending in which it must be answered; ``deadline``
                then bounds the waiting for the call budget only.
            before_sending: Called when the slot is taken, right before each attempt; what it
                raises is passed on, and nothing is sent.

        Raises:
            RequestError: one of its subclasses, with method, path, attempts and elapsed seconds.
            HevoError: when the client is closed.
        """
        call = _Call(request, priority, deadline, patience, before_sending, self._clock.now())
        try:
            return await self._attempt(call)
        except _AttemptFailed:
            pass
        try:
            return await self._send_patiently(call)
        except _AttemptFailed as failed:
            failure = failed
        # Outside of the handler and afresh: the frames that held our headers, or a body in which a
        # server echoes them, stay out of the traceback.
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
        patience: float | None = None,
        before_sending: Callable[[], None] = lambda: None,
    ) -> T:
        """Send a request like ``exchange``, and return only what the body said."""
        reply = await self.exchange(
            request,
            priority,
            deadline=deadline,
            patience=patience,
            before_sending=before_sending,
        )
        return reply.value

    async def close(self) -> None:
        """Close the session, unless it was passed in. What is sent afterwards is refused."""
        self._closed = True
        await self._sessions.close()

    async def _attempt_again(self, call: _Call) -> Reply[Any]:
        """Hand the first failure to ``backoff``, and then try again as it says.

        Nearly all requests succeed at once; they need not pay for the machinery of retries.
        """
        if call.is_first and call.failure is not None:
            call.is_first = False
            raise call.failure
        return await self._attempt(call)

    async def _attempt(self, call: _Call) -> Reply[Any]:
        self._check_open()
        call.attempts += 1
        slot = await self._limiter.acquire(call.priority, call.deadline)
        if slot is None:
            # What an earlier attempt met says more than that there was no time for another.
            raise call.failure or self._failed(
                call, RequestNotSent("the deadline passed while waiting for the call budget")
            )
        if call.patience is not None:
            call.deadline, call.patience = self._clock.now() + call.patience, None
        sent = False
        session: aiohttp.ClientSession | None = None
        try:
            session = await self._session()
            call.before_sending()
            sent = True
            return await self._talk(session, call)
        except asyncio.CancelledError:
            # aiohttp cancels what waits for a connection when its session is closed.
            if session is None or not (sent and session.closed) or _is_cancelled():
                raise
            closed = RequestOutcomeUnknown("the session was closed during the request")
            failure: Exception = self._failed(call, closed)
        except Exception as error:
            if not sent or isinstance(error, (HevoError, _AttemptFailed)):
                raise
            judged = self._verdict(call, error)
            sent = judged is Verdict.MAYBE_PROCESSED
            failure = self._judged(call, judged, error)
        finally:
            self._limiter.release(slot, sent=sent)
        # Outside of the handler: the frames of what aiohttp raised hold our headers.
        raise failure

    async def _session(self) -> aiohttp.ClientSession:
        self._check_open()
        session = await self._sessions.get()
        if session.closed:
            raise HevoError("the aiohttp session of this HevoClient is closed")
        return session

    def _check_open(self) -> None:
        if self._closed:
            raise HevoError("this HevoClient is closed; make a new one")

    async def _talk(self, session: aiohttp.ClientSession, call: _Call) -> Reply[Any]:
        request = call.request
        async with session.request(
            request.method,
            _url(self._config.base_url, request.path),
            data=None if request.body is None else bodies.encode(request.body),
            headers=self._headers if request.body is None else self._headers_with_body,
            timeout=self._time_left(call),
            allow_redirects=False,
            raise_for_status=False,
        ) as response:
            status, headers = response.status, response.headers
            if status not in _SUCCESSES:
                text = self._config.redact(await bodies.error_text(response))
                error = read_error(request, status, headers, text, self._clock.wall())
                if isinstance(error, RateLimited):
                    self._hold_back(error)
                raise self._failed(call, error)
            self._limited_in_a_row = 0
            try:
                body = await bodies.whole(response)
                return read_body(request, status, body, headers.get("Date"), self._config.redact)
            except UnexpectedResponse as unexpected:
                failed = self._failed(call, unexpected)
            except aiohttp.ClientPayloadError as cut:
                broken = UnexpectedResponse(
                    f"the body of the {status} reply broke off: {self._say(cut)}", status=status
                )
                broken.transient = True
                failed = self._failed(call, broken, cut)
            raise failed

    def _verdict(self, call: _Call, error: Exception) -> Verdict:
        judged = verdict(error)
        if (
            judged is Verdict.NEVER_SENT
            and self._is_given
            and call.request.method in _REPEATED_BY_AIOHTTP
        ):
            # Perhaps of the second sending only.
            return Verdict.MAYBE_PROCESSED
        return judged

    def _judged(self, call: _Call, judged: Verdict, error: Exception) -> Exception:
        said = self._say(error)
        if judged is Verdict.WRONG_CALL:
            return ConfigurationError(f"aiohttp cannot make the request: {said}")
        kind = RequestNotSent if judged is Verdict.NEVER_SENT else RequestOutcomeUnknown
        return self._failed(call, kind(said), error)

    def _hold_back(self, error: RateLimited) -> None:
        """Let all of the client wait: the user's window is full, whoever filled it."""
        seconds = error.retry_after
        if seconds is None:
            seconds = LIMITED_PAUSE * 2**self._limited_in_a_row
            self._limited_in_a_row += 1
        self._limiter.hold(min(seconds, RETRY_AFTER_CAP))

    def _say(self, error: BaseException) -> str:
        # aiohttp quotes what it could not parse, and a server may echo our header there.
        return self._config.redact(say(error))

    def _time_left(self, call: _Call) -> aiohttp.ClientTimeout:
        if call.deadline is None:
            return self._timeout
        left = min(max(call.deadline - self._clock.now(), 0.001), self._config.timeout)
        return aiohttp.ClientTimeout(total=left, connect=left / 2)

    def _failed(
        self, call: _Call, error: RequestError, cause: Exception | None = None
    ) -> _AttemptFailed:
        error.method, error.path = call.request.method, call.request.path
        error.attempts = call.attempts
        error.elapsed = self._clock.now() - call.started
        call.failure = _AttemptFailed(call, error, self._harmless(cause))
        return call.failure

    def _harmless(self, cause: Exception | None) -> Exception | None:
        """Return the cause without the frames and objects in which aiohttp holds our headers."""
        if cause is None or isinstance(cause, aiohttp.ClientResponseError):
            return None
        if self._config.redact(repr(cause)) != repr(cause):
            return None  # it quotes a server that echoes them
        cause.__cause__ = cause.__context__ = None
        return cause.with_traceback(None)

    def _gives_up(self, failed: Exception) -> bool:
        """Tell whether the request must not, or need not, be sent again."""
        assert isinstance(failed, _AttemptFailed)  # noqa: S101 -- for the type checkers
        call, error = failed.call, failed.error
        if call.deadline is not None and self._clock.now() >= call.deadline:
            return True
        if isinstance(error, RequestNotSent):
            return False
        if not call.request.is_read:
            return True
        if isinstance(error, (RateLimited, ServerError)):
            return (error.retry_after or 0.0) > RETRY_AFTER_CAP
        if isinstance(error, UnexpectedResponse):
            return not error.transient
        return isinstance(error, ApiError)

    def _waits(self) -> Generator[float, Any, None]:
        """Make the waits between attempts for ``backoff``: Retry-After, else full jitter."""
        failed: _AttemptFailed = yield 0.0
        plain = backoff.expo(factor=BACKOFF_FACTOR, max_value=BACKOFF_MAX)
        limited = backoff.expo(factor=BACKOFF_FACTOR_LIMITED, max_value=BACKOFF_MAX)
        next(plain)
        next(limited)
        while True:
            error = failed.error
            ceiling = limited.send(None) if isinstance(error, RateLimited) else plain.send(None)
            wait = self._clock.random.uniform(0, ceiling)
            if isinstance(error, ApiError) and error.retry_after is not None:
                # A little jitter on top: everybody else was told the same moment.
                wait = error.retry_after + self._clock.random.uniform(0, BACKOFF_FACTOR)
            if failed.call.deadline is not None:
                wait = max(0.0, min(wait, failed.call.deadline - self._clock.now()))
            failed = yield wait

    def _log_retry(self, details: Any) -> None:
        log.warning("retrying in %.1f s: %s", details["wait"], details["exception"].error)


# A hundred, for those who wait for a few Jobs: each URL that is kept weighs a kilobyte.
@lru_cache(maxsize=128)
def _url(base_url: str, path: str) -> URL:
    """Make the URL of a request, once for what is looked at often."""
    return URL(base_url + path, encoded=True)


def _is_cancelled() -> bool:
    """Tell whether somebody cancels this task. Python 3.10 does not know: yes, to be safe."""
    task = asyncio.current_task()
    return sys.version_info < (3, 11) or task is None or task.cancelling() > 0
