"""The emulator itself: its options, and how it starts and stops."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hevo_edge.emulator.clock import EmulatorClock
from hevo_edge.emulator.dialect import DIALECTS, Dialect
from hevo_edge.emulator.faults import Faults
from hevo_edge.emulator.journal import Journal, RecordedCall
from hevo_edge.emulator.pipeline import EmulatedPipeline
from hevo_edge.emulator.request_handler import RequestHandler
from hevo_edge.emulator.service import Service
from hevo_edge.emulator.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from typing_extensions import Self

_SHUTDOWN_TIMEOUT = 0.001  # seconds; aiohttp takes 0 for "wait without end"


class HevoEmulator:
    """A Hevo account on loopback that speaks the Edge API.

    Use it as an async context manager in a running loop, or as a plain one, when it runs in a
    thread of its own (for tests of synchronous code)::

        async with HevoEmulator() as emulator:
            emulator.add_pipeline(123)
            async with HevoClient(emulator.api_key, emulator.api_secret,
                                  base_url=emulator.base_url) as hevo: ...

    Args:
        speed: Emulator seconds per second.
        seed: The same seed gives the same job ids, lags and durations.
        dialect: A ``Dialect`` or the name of one in ``DIALECTS``.
        api_key, api_secret: The credentials it accepts.
        rate_limit: Calls allowed in any 60 emulator seconds; None for no limit.
        retry_after: The form of ``Retry-After`` on a 429: ``"seconds"``, ``"date"``, or ``None``
            for no such header.
        date_skew: Seconds by which the ``Date`` header is ahead of the Jobs' clock, as a gateway's
            may be; None for no such header.
        start: The emulator's clock at the start, in seconds since 1970; None for now.
        journal_limit: How many of the latest requests the journal keeps; None for all.
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
        journal_limit: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        on_request: Callable[[RecordedCall], None] | None = None,
    ) -> None:
        _check(speed, dialect, retry_after)
        if rate_limit is not None and not (isinstance(rate_limit, int) and rate_limit > 0):
            raise ValueError(f"rate_limit must be a positive integer or None, not {rate_limit!r}")
        self.seed: int = seed
        self.dialect: Dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.api_key: str = api_key
        self.api_secret: str = api_secret
        self.rate_limit: int | None = rate_limit
        self.retry_after: str | None = retry_after
        self.date_skew: float | None = date_skew
        self.on_request: Callable[[RecordedCall], None] | None = on_request
        self.requests: Journal = Journal(journal_limit)
        self.faults: Faults = Faults(random.Random(f"{seed}:faults"))  # noqa: S311 -- no secret
        self.service: Service = Service(self.dialect, seed)
        self.clock: EmulatorClock = EmulatorClock(start, speed)
        self._host, self._port = host, port
        self._lock = threading.RLock()
        self._handler = RequestHandler(self, self._lock)
        self._runner: web.AppRunner | None = None
        self._thread: _ServerThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._is_entered = False
        self._held: socket.socket | None = None

    def __repr__(self) -> str:
        listens = "stopped" if self._runner is None else f"at {self.base_url}"
        return f"HevoEmulator({listens}, pipelines={list(self.service.pipelines)})"

    # -- the account ------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Where it listens, without a trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which ``HevoClient.from_env()`` connects to it."""
        return {
            "HEVO_BASE_URL": self.base_url,
            "HEVO_API_KEY": self.api_key,
            "HEVO_API_SECRET": self.api_secret,
        }

    @property
    def speed(self) -> float:
        """Emulator seconds per second."""
        return self.clock.speed

    @property
    def now(self) -> float:
        """The emulator's clock, in seconds since 1970."""
        return self.clock.now

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
        """Return a Pipeline in its current state."""
        with self._lock:
            if pipeline_id not in self.service.pipelines:
                raise KeyError(f"there is no Pipeline {pipeline_id}; add_pipeline adds it")
            pipeline = self.service.pipelines[pipeline_id]
            pipeline.advance(self.now)
            return pipeline

    # -- starting and stopping --------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; after ``stop``, on the same port again. It may be awaited in any event loop."""
        await self._in_own_loop(self._start())

    async def stop(self) -> None:
        """Stop listening and cut all connections; a client's next connection is refused.

        It may be awaited in any event loop. Within ``with`` nobody else gets the port meanwhile.
        """
        await self._in_own_loop(self._stop(keeps_port=self._is_entered))

    def outage(self, seconds: float) -> None:
        """Stop listening now, and listen again after so many emulator seconds.

        It may be called in any thread. In another one than the emulator's, all connections are cut
        when it returns; in its own loop, as soon as the loop goes on.

        Raises:
            RuntimeError: when it is not listening.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, not {seconds!r}")
        loop = self._loop
        if loop is None or self._runner is None:
            raise RuntimeError("the emulator is not listening")
        if asyncio._get_running_loop() is loop:  # noqa: SLF001 -- documented, for loop authors
            self._restarting = loop.create_task(self._be_out(seconds, Future()))
            return
        stopped: Future[None] = Future()

        def begin() -> None:
            self._restarting = loop.create_task(self._be_out(seconds, stopped))

        loop.call_soon_threadsafe(begin)
        stopped.result()

    async def _be_out(self, seconds: float, stopped: Future[None]) -> None:
        restarting, self._restarting = self._restarting, None  # else stopping would cancel it
        await self._stop(keeps_port=True)
        self._restarting = restarting
        stopped.set_result(None)
        await self.clock.sleep(seconds)
        self._restarting = None
        await self._start()

    async def _in_own_loop(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._loop
        is_elsewhere = loop is not None and loop is not asyncio.get_running_loop()
        if loop is None or not is_elsewhere or not loop.is_running():
            await work
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    async def _start(self) -> None:
        if self._runner is not None:
            raise RuntimeError(f"the emulator already listens at {self.base_url}")
        self._loop = asyncio.get_running_loop()
        self.clock.attach(self._loop)
        self._runner = web.AppRunner(
            self._handler.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_SHUTDOWN_TIMEOUT,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, reuse_address=True).start()
        except BaseException:
            await self._stop()
            raise
        self._let_port_go()
        self._port = self._runner.addresses[0][1]

    async def _stop(self, *, keeps_port: bool = False) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
            self._restarting = None
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await self._handler.cancel_in_flight()
            for site in list(runner.sites):
                await site.stop()
            if keeps_port:
                self._hold_port()
            await runner.cleanup()
        if not keeps_port:
            self._let_port_go()

    def _hold_port(self) -> None:
        """Bind the port, but refuse connections: a client must not meet another server there."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._held = socket.socket(family, socket.SOCK_STREAM)
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._held.bind((self._host, self._port))
        except OSError:  # somebody was faster
            self._let_port_go()

    def _let_port_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    async def __aenter__(self) -> Self:
        await self.start()
        self._is_entered = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_entered = False
        await self.stop()

    def __enter__(self) -> Self:
        _refuse_virtual_time()
        thread = _ServerThread(self)
        thread.start()
        self._thread, self._is_entered = thread, True
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._is_entered = False
            thread.stop()


class _ServerThread:
    """A thread with an event loop of its own, in which an emulator runs."""

    def __init__(self, emulator: HevoEmulator) -> None:
        self._emulator = emulator
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="hevo-edge-emulator", daemon=True
        )

    def start(self) -> None:
        """Start the emulator; raise what its start raises."""
        self._thread.start()
        try:
            self._started.result()
        except Exception:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop the emulator, and wait until the thread has ended."""
        loop, stop_requested = self._started.result()
        loop.call_soon_threadsafe(stop_requested.set)
        self._thread.join()

    async def _run(self) -> None:
        stop_requested = asyncio.Event()
        try:
            await self._emulator.start()
        except Exception as error:  # noqa: BLE001 -- `start` raises it in the other thread
            self._started.set_exception(error)
            return
        self._started.set_result((asyncio.get_running_loop(), stop_requested))
        await stop_requested.wait()
        await self._emulator.stop()


def _refuse_virtual_time() -> None:
    # Virtual time does not wait for other threads: it would jump past the emulator's replies.
    loop = asyncio._get_running_loop()  # noqa: SLF001 -- documented, for loop authors
    is_virtual = isinstance(loop, VirtualTimeLoop)
    if is_virtual:
        raise RuntimeError("in virtual time, use `async with HevoEmulator()`")


def _check(speed: float, dialect: Dialect | str, retry_after: str | None) -> None:
    if not speed > 0:
        raise ValueError(f"speed must be positive, not {speed!r}")
    if isinstance(dialect, str) and dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {sorted(DIALECTS)}, not {dialect!r}")
    if retry_after not in {"seconds", "date", None}:
        raise ValueError(f"retry_after must be 'seconds', 'date' or None, not {retry_after!r}")
