"""The emulator's HTTP side: authentication, the call limit, faults, the journal."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from types import TracebackType
from typing import Any

from aiohttp import web

from hevo_edge.emulator.dialect import DIALECTS, Dialect
from hevo_edge.emulator.faults import AFTER, BEFORE, Fault, Faults, edit
from hevo_edge.emulator.journal import Journal, RecordedCall
from hevo_edge.emulator.pipeline import EmulatedPipeline
from hevo_edge.emulator.routes import ROUTES, UNKNOWN
from hevo_edge.emulator.service import Answer, Call, Service, number_in

_LIMIT_WINDOW = 60.0
_AT_ONCE = 0.001  # seconds; aiohttp takes 0 for "wait for ever"


class HevoEmulator:
    """A Hevo account on loopback that speaks the Edge API.

    Use it as an async context manager in a running loop, or as a plain one, when it runs in a
    thread of its own (for tests of synchronous code)::

        async with HevoEmulator() as emulator:
            emulator.add_pipeline(123)
            async with HevoClient(emulator.api_key, emulator.api_secret,
                                  base_url=emulator.base_url) as hevo: ...

    Args:
        speed: How many emulator seconds pass in a second.
        seed: The same seed, the same job ids, lags and durations.
        dialect: A ``Dialect`` or the name of one in ``DIALECTS``.
        api_key, api_secret: The credentials it wants.
        rate_limit: Calls allowed in any 60 emulator seconds; None for no limit.
        retry_after: What a 429 says: ``"seconds"``, ``"date"`` or ``None``.
        date_skew: Seconds by which the ``Date`` header is ahead of the Jobs' clock, as a gateway's
            may be; None for no such header.
        start: The emulator's clock at the start, in seconds since 1970; None for now.
        host, port: Where to listen; port 0 takes a free one.
        on_request: Called with each request when its answer is known, before it is sent.
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int = 0,
        dialect: Dialect | str = "newest",
        api_key: str = "emulator-key",
        api_secret: str = "emulator-secret",  # noqa: S107 -- guards nothing
        rate_limit: int | None = 100,
        retry_after: str | None = "seconds",
        date_skew: float | None = 0.0,
        start: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[RecordedCall], None] | None = None,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be positive, not {speed!r}")
        if isinstance(dialect, str) and dialect not in DIALECTS:
            raise ValueError(f"dialect must be one of {sorted(DIALECTS)}, not {dialect!r}")
        if retry_after not in {"seconds", "date", None}:
            raise ValueError(f"retry_after must be 'seconds', 'date' or None, not {retry_after!r}")
        self.speed: float = speed
        self.seed: int = seed
        self.dialect: Dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.api_key: str = api_key
        self.api_secret: str = api_secret
        self.rate_limit: int | None = rate_limit
        self.retry_after: str | None = retry_after
        self.date_skew: float | None = date_skew
        self.requests: Journal = Journal()
        chance = random.Random(f"{seed}:faults")  # noqa: S311 -- for play
        self.faults: Faults = Faults(chance, (*(route[0] for route in ROUTES), UNKNOWN))
        self.service: Service = Service(self.dialect, seed)
        self._epoch = time.time() if start is None else start
        self._host, self._port = host, port
        self._on_request = on_request
        self._arrivals: deque[float] = deque()
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_start = 0.0
        self._runner: web.AppRunner | None = None
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._thread: threading.Thread | None = None
        self._leave = asyncio.Event()

    def __repr__(self) -> str:
        listens = "stopped" if self._runner is None else f"at {self.base_url}"
        return f"HevoEmulator({listens}, pipelines={list(self.service.pipelines)})"

    # -- what a test says -------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Where it listens, without a trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which ``HevoClient.from_env()`` finds it."""
        return {
            "HEVO_BASE_URL": self.base_url,
            "HEVO_API_KEY": self.api_key,
            "HEVO_API_SECRET": self.api_secret,
        }

    @property
    def now(self) -> float:
        """The emulator's clock, in seconds since 1970."""
        if self._loop is None:
            return self._epoch
        return self._epoch + (self._loop.time() - self._loop_start) * self.speed

    def add_pipeline(self, pipeline_id: int = 123, **options: Any) -> EmulatedPipeline:
        """Add a Pipeline; ``options`` are those of ``EmulatedPipeline``."""
        with self._lock:
            if pipeline_id in self.service.pipelines:
                raise ValueError(f"there is a Pipeline {pipeline_id} already")
            pipeline = EmulatedPipeline(
                pipeline_id, now=self.now, dialect=self.dialect, seed=self.seed, **options
            )
            self.service.pipelines[pipeline_id] = pipeline
            return pipeline

    def pipeline(self, pipeline_id: int) -> EmulatedPipeline:
        """Return a Pipeline in its state of this moment."""
        with self._lock:
            if pipeline_id not in self.service.pipelines:
                raise KeyError(f"there is no Pipeline {pipeline_id}; add_pipeline adds it")
            pipeline = self.service.pipelines[pipeline_id]
            pipeline.advance(self.now)
            return pipeline

    # -- running ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; on the same port again after ``stop``."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Every loop has a time of its own: go on from where the emulator's clock stands.
            self._epoch, self._loop, self._loop_start = self.now, loop, loop.time()
        app = web.Application()
        for endpoint, method, path in ROUTES:
            app.router.add_route(method, path, partial(self._serve, endpoint))
        app.router.add_route("*", "/{path:(?s:.*)}", partial(self._serve, UNKNOWN))
        if self.date_skew is None:
            app.on_response_prepare.append(_without_date)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_AT_ONCE
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, reuse_address=True).start()
        except BaseException:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cut all connections: a client finds the connection refused."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            # aiohttp would cancel them too, but not wait until they are gone.
            in_flight = list(self._in_flight)
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
            await runner.cleanup()

    async def __aenter__(self) -> HevoEmulator:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def __enter__(self) -> HevoEmulator:
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(started)), name="hevo-edge-emulator", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except Exception:
            self._thread.join()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._thread is not None:
            thread, self._thread = self._thread, None
            self._loop.call_soon_threadsafe(self._leave.set)
            thread.join()

    async def _live(self, started: Future[None]) -> None:
        """Be the life of the thread: listen until ``__exit__``."""
        self._leave = asyncio.Event()
        try:
            await self.start()
        except Exception as error:  # noqa: BLE001 -- it is raised where it is waited for
            started.set_exception(error)
            return
        started.set_result(None)
        await self._leave.wait()
        await self.stop()

    # -- serving ----------------------------------------------------------------------------------

    async def _serve(self, endpoint: str, request: web.Request) -> web.StreamResponse:
        if task := asyncio.current_task():
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        raw = await request.read()
        with self._lock:
            entry = self._record(endpoint, request, raw)
            faults = self.faults.striking(endpoint)
            entry.faults = tuple(fault.kind for fault in faults)
        try:
            return await self._reply(entry, faults, request)
        finally:
            if request.transport is None or request.transport.is_closing():
                entry.status = None
            if self._on_request is not None:
                self._on_request(entry)

    async def _reply(
        self, entry: RecordedCall, faults: list[Fault], request: web.Request
    ) -> web.StreamResponse:
        answer = await self._strike(BEFORE, faults, request)
        if answer is None:
            with self._lock:
                answer = self._answer(entry, request)
                entry.took_effect = answer.status < 400  # noqa: PLR2004
                entry.job_id = answer.job.job_id if answer.job else None
            answer = await self._strike(AFTER, faults, request) or answer
        entry.status = answer.status
        return await self._respond(answer, faults, request)

    def _record(self, endpoint: str, request: web.Request, raw: bytes) -> RecordedCall:
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode("utf-8", errors="replace")
        entry = RecordedCall(
            at=self.now,
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            body=body,
            user_agent=request.headers.get("User-Agent", ""),
            pipeline_id=number_in(request.match_info.get("pipeline_id", "")),
        )
        self.requests.append(entry)
        return entry

    def _answer(self, entry: RecordedCall, request: web.Request) -> Answer:
        token = base64.b64encode(f"{self.api_key}:{self.api_secret}".encode())
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, b"Basic " + token):
            message = "Unauthorized - Invalid API credentials"
            return Answer(401, {"error": "AUTHENTICATION_FAILED", "message": message})
        if not self._admits():
            message = "Request rate limit exceeded"
            said = {"error": "RATE_LIMIT_EXCEEDED", "message": message}
            return Answer(429, said, headers=self._retry_after())
        if entry.endpoint == UNKNOWN:
            return Answer(404, {"error": "NOT_FOUND", "message": "no such endpoint"})
        call = Call(dict(request.match_info), entry.query, entry.body, self.now)
        return self.service.answer(entry.endpoint, call)

    def _admits(self) -> bool:
        now = self.now
        while self._arrivals and self._arrivals[0] <= now - _LIMIT_WINDOW:
            self._arrivals.popleft()
        if self.rate_limit is not None and len(self._arrivals) >= self.rate_limit:
            return False
        self._arrivals.append(now)
        return True

    async def _strike(
        self, effect: str, faults: list[Fault], request: web.Request
    ) -> Answer | None:
        for fault in faults:
            if fault.effect != effect:
                continue
            if fault.kind == "delay":
                await asyncio.sleep(fault.options["seconds"] / self.speed)
            elif fault.kind == "drop":
                if request.transport is not None:
                    request.transport.abort()
                return Answer(499)
            elif fault.kind == "status":
                headers = {k.title(): v for k, v in fault.options["headers"].items()}
                return Answer(fault.options["status"], fault.options["body"], headers=headers)
        return None

    async def _respond(
        self, answer: Answer, faults: list[Fault], request: web.Request
    ) -> web.StreamResponse:
        date = formatdate(self.now + (self.date_skew or 0.0), usegmt=True)
        headers = {"Date": date, **answer.headers}
        content_type, body = _content_type(answer.body), answer.body
        for fault in faults:
            if fault.kind == "body":
                body, content_type = fault.options["body"], fault.options["content_type"]
            elif fault.kind in {"unknown_value", "missing_field"}:
                body = edit(body, fault)
        payload = _encode(body)
        headers.setdefault("Content-Type", content_type)
        if any(fault.kind in {"truncate", "endless"} for fault in faults):
            return await self._break_off(answer.status, headers, payload, faults, request)
        return web.Response(status=answer.status, body=payload or None, headers=headers)

    async def _break_off(
        self,
        status: int,
        headers: dict[str, str],
        payload: bytes,
        faults: list[Fault],
        request: web.Request,
    ) -> web.StreamResponse:
        endless = any(fault.kind == "endless" for fault in faults)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = 1 << 40 if endless else len(payload) + 1000
        with suppress(ConnectionError):  # the client has gone
            await response.prepare(request)
            await response.write(payload[: len(payload) // 2])
            while endless and request.transport is not None:
                await response.write(b" ")
                await asyncio.sleep(1.0)
        if request.transport is not None:
            request.transport.abort()
        return response

    def _retry_after(self) -> dict[str, str]:
        seconds = 1.0 if not self._arrivals else self._arrivals[0] + _LIMIT_WINDOW - self.now
        # In the client's seconds: a fast emulator's minute is short.
        seconds = max(1.0, -(-seconds // self.speed))
        if self.retry_after == "seconds":
            return {"Retry-After": str(int(seconds))}
        if self.retry_after == "date":
            return {"Retry-After": formatdate(self.now + seconds, usegmt=True)}
        return {}


async def _without_date(_: web.Request, response: web.StreamResponse) -> None:
    """Take the header out at the last moment: aiohttp adds one of its own."""
    response.headers.popall("Date", None)


def _content_type(body: Any) -> str:
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return "text/html; charset=utf-8"
    return "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"


def _encode(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
