"""Requests in, replies out: the journal, faults, credentials and the call limit."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from hevo_edge.emulator.call_window import CallWindow
from hevo_edge.emulator.clock import EmulatorClock
from hevo_edge.emulator.edits import edit_call
from hevo_edge.emulator.faults import AFTER, BEFORE, Fault, Faults
from hevo_edge.emulator.journal import Journal, RecordedCall
from hevo_edge.emulator.responses import cut, send
from hevo_edge.emulator.routes import ROUTES, UNKNOWN
from hevo_edge.emulator.service import Answer, Call, Service, number_in


class ServedAccount(Protocol):
    """What is served: the attributes of an emulator; see ``HevoEmulator`` for each."""

    api_key: str
    api_secret: str
    rate_limit: int | None
    retry_after: str | None
    date_skew: float | None
    on_request: Callable[[RecordedCall], None] | None
    requests: Journal
    faults: Faults
    service: Service
    clock: EmulatorClock

    @property
    def now(self) -> float:
        """The emulator's clock, in seconds since 1970."""
        ...

    @property
    def speed(self) -> float:
        """Emulator seconds per second."""
        ...


class RequestHandler:
    """Serves an emulator's account over HTTP.

    It reads the emulator's attributes at each request, so a test may change them at any time.

    Args:
        emulator: Whose requests it handles.
        lock: Held while the account is read or changed.
    """

    def __init__(self, emulator: ServedAccount, lock: threading.RLock) -> None:
        self._emulator = emulator
        self._lock = lock
        self._window = CallWindow()
        self._in_flight: set[asyncio.Task[Any]] = set()

    def application(self) -> web.Application:
        """Return an aiohttp application with all routes; each serves one start of the emulator."""
        app = web.Application()
        for endpoint, method, path in ROUTES:
            app.router.add_route(method, path, partial(self._handle, endpoint))
        app.router.add_route("*", "/{path:(?s:.*)}", partial(self._handle, UNKNOWN))
        if self._emulator.date_skew is None:
            app.on_response_prepare.append(_remove_date)
        return app

    async def cancel_in_flight(self) -> None:
        """Cancel all requests and wait until they are gone; aiohttp would cancel them only."""
        in_flight = list(self._in_flight)
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)

    async def _handle(self, endpoint: str, request: web.Request) -> web.StreamResponse:
        if task := asyncio.current_task():
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        raw = await request.read()
        with self._lock:
            entry = self._record(endpoint, request, raw)
            faults = self._emulator.faults.select(endpoint)
            entry.faults = tuple(fault.kind for fault in faults)
        try:
            return await self._reply(entry, faults, request)
        finally:
            if request.transport is None or request.transport.is_closing():
                entry.status = None
            if self._emulator.on_request is not None:
                self._emulator.on_request(entry)

    def _record(self, endpoint: str, request: web.Request, raw: bytes) -> RecordedCall:
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode("utf-8", errors="replace")
        entry = RecordedCall(
            at=self._emulator.now,
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            body=body,
            user_agent=request.headers.get("User-Agent", ""),
            pipeline_id=number_in(request.match_info.get("pipeline_id", "")),
        )
        self._emulator.requests.append(entry)
        return entry

    async def _reply(
        self, entry: RecordedCall, faults: list[Fault], request: web.Request
    ) -> web.StreamResponse:
        answer = await self._inject(BEFORE, faults, request)
        if answer is None:
            with self._lock:
                answer = self._answer(entry, request, faults)
                entry.took_effect = answer.status < 400  # noqa: PLR2004
                entry.job_id = answer.job.job_id if answer.job else None
            answer = await self._inject(AFTER, faults, request) or answer
        entry.status = answer.status
        date = self._emulator.now + (self._emulator.date_skew or 0.0)
        return await send(answer, faults, request, date=date, speed=self._emulator.speed)

    async def _inject(
        self, effect: str, faults: list[Fault], request: web.Request
    ) -> Answer | None:
        """Apply the faults of this moment; return the answer that replaces the real one, if any."""
        for fault in faults:
            if fault.effect != effect:
                continue
            if fault.kind == "delay":
                await self._emulator.clock.sleep(fault.options["seconds"])
            elif fault.kind == "drop":
                cut(request, reset=fault.options["reset"])
                return Answer(499)  # nobody gets it: the connection is closed
            elif fault.kind == "status":
                return Answer(**fault.options)
        return None

    def _answer(self, entry: RecordedCall, request: web.Request, faults: list[Fault]) -> Answer:
        emulator = self._emulator
        if not self._is_authentic(request.headers.get("Authorization", "")):
            message = "Unauthorized - Invalid API credentials"
            return Answer(401, {"error": "AUTHENTICATION_FAILED", "message": message})
        if not self._window.admit(emulator.now, emulator.rate_limit):
            message = "Request rate limit exceeded"
            body = {"error": "RATE_LIMIT_EXCEEDED", "message": message}
            return Answer(429, body, headers=self._retry_after())
        if entry.endpoint == UNKNOWN:
            return Answer(404, {"error": "NOT_FOUND", "message": "no such endpoint"})
        call = Call(dict(request.match_info), entry.query, entry.body, emulator.now)
        call = edit_call(call, faults, reads=entry.method == "GET")
        return emulator.service.answer(entry.endpoint, call)

    def _is_authentic(self, authorization: str) -> bool:
        pair = f"{self._emulator.api_key}:{self._emulator.api_secret}".encode()
        given = authorization.encode(errors="surrogateescape")
        return hmac.compare_digest(given, b"Basic " + base64.b64encode(pair))

    def _retry_after(self) -> dict[str, str]:
        emulator = self._emulator
        seconds = self._window.seconds_until_free(emulator.now)
        # In the client's seconds: a fast emulator's minute is short.
        seconds = max(1.0, -(-seconds // emulator.speed))
        if emulator.retry_after == "seconds":
            return {"Retry-After": str(int(seconds))}
        if emulator.retry_after == "date":
            return {"Retry-After": formatdate(emulator.now + seconds, usegmt=True)}
        return {}


async def _remove_date(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the header at the last moment: aiohttp adds one of its own."""
    response.headers.popall("Date", None)
