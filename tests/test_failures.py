"""Every way in which a request can fail: what it is called, and whether a POST goes out again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from hevo_edge import HevoClient, api, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.delivery import LATER, VERDICTS, Verdict, verdict
from hevo_edge._http.ratelimit import Priority

from .test_transport import everything_in

GET, POST = api.get_pipeline(123), api.sync_now(123)
DELETE = api.delete_pipeline(123)
TLS = Path(__file__).with_name("worthless.pem")
PIPELINE = b'{"id": 123, "name": "Orders", "status": "INITIALIZED"}'
AIOHTTP = tuple(map(int, aiohttp.__version__.split(".")[:2]))

Sent, Unknown = errors.RequestNotSent, errors.RequestOutcomeUnknown


# -- the table ------------------------------------------------------------------------------------


def tree(root: type[BaseException]) -> set[type[BaseException]]:
    """Return all classes of aiohttp below and including ``root``."""
    found = {root} if root.__module__.startswith("aiohttp") else set()
    return found.union(*(tree(kind) for kind in root.__subclasses__()))


def aiohttps_errors() -> set[type[BaseException]]:
    for module in pkgutil.walk_packages(aiohttp.__path__, "aiohttp."):
        if not module.name.startswith(("aiohttp.pytest_plugin", "aiohttp.worker")):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    return tree(aiohttp.ClientError)


def test_every_error_of_aiohttp_has_a_verdict() -> None:
    missing = sorted(kind.__qualname__ for kind in aiohttps_errors() - VERDICTS.keys())
    assert not missing, (
        f"aiohttp {aiohttp.__version__} has errors without a verdict: {', '.join(missing)}. Look "
        "up in its source where each is raised, and list it in hevo_edge/failures.py (in LATER, if "
        "the oldest aiohttp of pyproject.toml lacks it). In doubt: MAYBE_PROCESSED"
    )


def test_every_error_with_a_verdict_is_still_there() -> None:
    listed = {kind for kind in VERDICTS if issubclass(kind, aiohttp.ClientError)}
    gone = {kind.__qualname__ for kind in listed - aiohttps_errors()}
    if AIOHTTP > (3, 14):
        gone |= {name for name in LATER if not hasattr(aiohttp, name)}
    assert not gone, f"take out of hevo_edge/failures.py, for aiohttp has them no more: {gone}"


def test_what_surely_was_not_sent() -> None:
    never = {kind for kind, known in VERDICTS.items() if known is Verdict.NEVER_SENT}
    # All are of the time before the request; whoever adds one here must be sure.
    assert {kind.__name__ for kind in never} == {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientProxyConnectionError",
        "UnixClientConnectorError",
        "ClientSSLError",
        "ClientConnectorSSLError",
        "ClientConnectorCertificateError",
        "ServerFingerprintMismatch",
        "ConnectionTimeoutError",
        "ClientHttpProxyError",
    }
    for kind, known in VERDICTS.items():
        # A class may not promise more than its parents' verdicts unless it is listed itself.
        assert verdict(kind.__new__(kind)) is known


def test_what_nobody_knows_may_have_been_processed() -> None:
    class News(Exception):
        pass

    class NewsOfAiohttp(aiohttp.ClientConnectionError):
        pass

    class Refused(aiohttp.ClientConnectorError):
        pass

    unknown: list[BaseException] = [News(), NewsOfAiohttp(), KeyError(), BrokenPipeError()]
    unknown += [ValueError("of a middleware"), asyncio.IncompleteReadError(b"", 1)]
    assert {verdict(error) for error in unknown} == {Verdict.MAYBE_PROCESSED}
    assert verdict(Refused.__new__(Refused)) is Verdict.NEVER_SENT


# -- servers --------------------------------------------------------------------------------------

Behaviour = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Does as it is told on every connection, and counts the POSTs that it reads."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.posts = 0
        self.heard: list[bytes] = []
        self._behaviour = behaviour
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # until both ends have noticed
        leftover = asyncio.all_tasks() - {asyncio.current_task()}
        assert not leftover, "something left tasks behind"

    async def hear(self, reader: asyncio.StreamReader) -> None:
        """Read a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.append(head)
        self.posts += head.startswith(b"POST ")

    def refuse(self) -> None:
        """Take no more connections."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._behaviour(self, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


def reply(body: bytes, status: str = "200 OK", **headers: object) -> bytes:
    headers.setdefault("Content_Length", len(body))
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(*RST)
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


RST = socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
Ending = Callable[[asyncio.StreamWriter], Awaitable[None]]


def at_once(ending: Ending) -> Behaviour:
    """Read nothing at all."""

    async def behaviour(_: Server, reader: Any, writer: asyncio.StreamWriter) -> None:
        await ending(writer)

    return behaviour


def says(*said: bytes, ending: Ending = close) -> Behaviour:
    """Read a request, say something, and let each part of it sink in before the next."""

    async def behaviour(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.hear(reader)
        for part in said:
            writer.write(part)
            await asyncio.sleep(0.01)
        await ending(writer)

    return behaviour


async def serves(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request after another, as it should be."""
    while True:
        await server.hear(reader)
        writer.write(reply(PIPELINE))


async def greets_rudely(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer in plain HTTP whatever comes first."""
    await reader.read(1)
    writer.write(reply(b"", "400 Bad Request"))


def client(port: int, scheme: str = "http", **options: Any) -> HevoClient:
    url = f"{scheme}://127.0.0.1:{port}"
    return HevoClient("key", "secret", base_url=url, clock=Clock(seed=1), **options)


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS)
    return context


def trusting() -> aiohttp.ClientSession:
    """Return a session that knows the worthless certificate."""
    context = ssl.create_default_context(cafile=str(TLS))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


def now() -> float:
    return asyncio.get_running_loop().time()


async def failure_of(hevo: HevoClient, request: api.Request[Any] = POST) -> errors.RequestError:
    """Send, and return the error. A POST goes out again only where it surely was not sent."""
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(request)
    error = caught.value
    assert (error.attempts == 4) is isinstance(error, errors.RequestNotSent)
    assert "a2V5OnNlY3JldA" not in everything_in(error)
    return error


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that one more is never made."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


# -- a connection that is not made ----------------------------------------------------------------


async def test_refused(closed_port: int) -> None:
    async with client(closed_port) as hevo:
        error = await failure_of(hevo)
    assert type(error) is errors.RequestNotSent
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)


async def test_nobody_takes_the_connection_in_half_of_the_time(full_port: int) -> None:
    async with client(full_port, max_retries=0) as hevo:
        start = now()
        with pytest.raises(errors.RequestNotSent, match="Connection timeout") as caught:
            await hevo.send(POST)
        assert now() - start == pytest.approx(15, abs=1)
    assert isinstance(caught.value.__cause__, aiohttp.ConnectionTimeoutError)


async def test_a_deadline_keeps_half_of_what_is_left_for_the_connection(full_port: int) -> None:
    async with client(full_port) as hevo:
        start = now()
        with pytest.raises(errors.RequestNotSent):
            await hevo._core.transport.send(POST, Priority.TRIGGER, deadline=start + 1)
        assert now() - start == pytest.approx(1, abs=0.1)


class NoSuchName(AbstractResolver):
    """Knows no name, or does not answer."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent

    async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
        if self.silent:
            await asyncio.Event().wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("silent", [False, True])
async def test_a_name_that_is_not_found(silent: bool) -> None:
    connector = aiohttp.TCPConnector(resolver=NoSuchName(silent=silent))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        HevoClient("key", "secret", base_url="https://name.invalid", session=session) as hevo,
    ):
        error = await failure_of(hevo)
    assert type(error) is errors.RequestNotSent
    kind = aiohttp.ConnectionTimeoutError if silent else aiohttp.ClientConnectorDNSError
    assert type(error.__cause__) is kind


# -- TLS ------------------------------------------------------------------------------------------

HANDSHAKES: list[Any] = [
    pytest.param(greets_rudely, aiohttp.ClientConnectorSSLError, id="plain HTTP"),
    pytest.param(at_once(hang), aiohttp.ConnectionTimeoutError, id="never ends"),
    pytest.param(at_once(reset), aiohttp.ClientConnectorError, id="reset"),
    pytest.param(at_once(close), aiohttp.ClientConnectorError, id="closed"),
]


@pytest.mark.parametrize(("behaviour", "cause"), HANDSHAKES)
async def test_a_handshake_that_fails(behaviour: Behaviour, cause: type[Exception]) -> None:
    async with Server(behaviour) as server, client(server.port, "https") as hevo:
        error = await failure_of(hevo)
    assert type(error) is errors.RequestNotSent
    assert type(error.__cause__) is cause
    assert server.connections == 4


async def test_a_certificate_that_is_not_trusted() -> None:
    async with Server(serves, server_tls()) as server, client(server.port, "https") as hevo:
        error = await failure_of(hevo)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ClientConnectorCertificateError
        assert "certificate" in str(error)
        assert server.posts == 0


async def test_a_certificate_with_another_fingerprint() -> None:
    connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(b"\0" * 32))
    async with (
        Server(serves, server_tls()) as server,
        aiohttp.ClientSession(connector=connector) as session,
        client(server.port, "https", session=session) as hevo,
    ):
        error = await failure_of(hevo)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ServerFingerprintMismatch
        assert server.posts == 0


async def test_tls_that_works() -> None:
    async with (
        Server(serves, server_tls()) as server,
        trusting() as session,
        client(server.port, "https", session=session) as hevo,
    ):
        await hevo.send(POST)
        assert server.posts == 1


# The server's own: asyncio of Python 3.10 forgets it after a handshake that failed.
@pytest.mark.filterwarnings("ignore:unclosed transport <asyncio.sslproto:ResourceWarning")
async def test_a_client_certificate_is_asked_for_when_the_request_is_on_its_way() -> None:
    tls = server_tls()
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.verify_mode = ssl.CERT_REQUIRED
    async with (
        Server(serves, tls) as server,
        trusting() as session,
        client(server.port, "https", session=session) as hevo,
    ):
        # In TLS 1.3 the client is done with the handshake before the server is.
        assert type(await failure_of(hevo)) is errors.RequestOutcomeUnknown
        assert server.posts == 0


# -- proxies --------------------------------------------------------------------------------------


async def through(port: int, scheme: str = "https") -> errors.RequestError:
    """Send a POST through a proxy at this port."""
    async with (
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as session,
        HevoClient("key", "secret", base_url=f"{scheme}://127.0.0.1:9", session=session) as hevo,
    ):
        return await failure_of(hevo)


TUNNELS: list[Any] = [
    pytest.param(
        says(reply(b"", "407 Proxy Authentication Required")),
        (Sent, aiohttp.ClientHttpProxyError),
        id="407",
    ),
    pytest.param(
        says(reply(b"", "502 Bad Gateway")), (Sent, aiohttp.ClientHttpProxyError), id="502"
    ),
    pytest.param(says(b"", ending=hang), (Sent, aiohttp.ConnectionTimeoutError), id="no answer"),
    pytest.param(
        says(b"HTTP/1.1 200 OK\r\n\r\n"), (Sent, aiohttp.ClientConnectorError), id="closed tunnel"
    ),
    pytest.param(
        says(b"HTTP/1.1 200 OK\r\n\r\n", ending=hang),
        (Sent, aiohttp.ConnectionTimeoutError),
        id="silent tunnel",
    ),
    # Nothing was sent here either, but aiohttp has no class of its own to say so.
    pytest.param(says(b""), (Unknown, aiohttp.ServerDisconnectedError), id="closed"),
    pytest.param(says(b"", ending=reset), (Unknown, aiohttp.ClientOSError), id="reset"),
    pytest.param(says(b"EHLO\r\n\r\n"), (Unknown, aiohttp.ClientResponseError), id="garbage"),
]


@pytest.mark.parametrize(("behaviour", "expected"), TUNNELS)
async def test_a_proxy_that_makes_no_tunnel(
    behaviour: Behaviour, expected: tuple[type[errors.RequestError], type[Exception]]
) -> None:
    async with Server(behaviour) as proxy:
        error = await through(proxy.port)
        assert type(error) is expected[0]
        assert expected[1].__name__ in str(error) or type(error.__cause__) is expected[1]
        assert all(head.startswith(b"CONNECT ") for head in proxy.heard)
        assert not any(b"Authorization" in head for head in proxy.heard)


async def test_a_proxy_that_is_not_there(closed_port: int) -> None:
    for scheme in ("http", "https"):
        error = await through(closed_port, scheme)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ClientProxyConnectionError


async def test_a_proxy_that_passes_plain_http_on_answers_like_a_server() -> None:
    async with Server(says(reply(b"", "502 Bad Gateway"))) as proxy:
        assert type(await through(proxy.port, "http")) is errors.ServerError
        assert proxy.posts == 1


async def test_a_proxy_that_is_no_url() -> None:
    async with (
        aiohttp.ClientSession(proxy="http://[::1") as session,
        client(9, session=session) as hevo,
    ):
        with pytest.raises(errors.ConfigurationError, match="InvalidURL"):
            await hevo.send(POST)


# -- a connection that was made -------------------------------------------------------------------

HTML = b"<html><title>Please wait</title></html>"
HALF = reply(b'{"a', Content_Length=100)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = CHUNKED + b"1\r\n \r\n"
BAD_CHUNK = b"1\r\n{\r\nzz\r\n"
NOT_GZIP = reply(b"{}", Content_Encoding="gzip")
NOT_BROTLI = reply(b"{}", Content_Encoding="br")
Unexpected = errors.UnexpectedResponse
Either = Unknown, Unexpected
"""What cannot be decoded is one or the other, as aiohttp's versions have it."""

REPLIES: list[Any] = [
    pytest.param(at_once(reset), Unknown, 0, id="reset before it is read"),
    pytest.param(at_once(close), Unknown, 0, id="closed before it is read"),
    pytest.param(says(b"", ending=reset), Unknown, 1, id="reset"),
    pytest.param(says(b""), Unknown, 1, id="closed"),
    pytest.param(says(b"", ending=hang), Unknown, 1, id="no reply"),
    pytest.param(says(b"SSH-2.0-OpenSSH_9.6\r\n"), Unknown, 1, id="no HTTP"),
    pytest.param(says(HTML), Unknown, 1, id="HTTP 0.9"),
    pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Le"), Unknown, 1, id="half a head"),
    pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Le", ending=reset), Unknown, 1, id="head reset"),
    pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Le", ending=hang), Unknown, 1, id="head stops"),
    pytest.param(
        says(b"HTTP/1.1 100 Continue\r\n\r\n", ending=hang), Unknown, 1, id="100 and no more"
    ),
    pytest.param(
        says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 99999 + b"\r\n\r\n"),
        Unknown,
        1,
        id="huge head",
    ),
    pytest.param(says(HALF), Unexpected, 1, id="body cut"),
    pytest.param(says(HALF, ending=reset), Unexpected, 1, id="body reset"),
    pytest.param(says(HALF, ending=hang), Unknown, 1, id="body stops"),
    pytest.param(says(ENDLESS, ending=hang), Unknown, 1, id="chunks stop"),
    pytest.param(says(ENDLESS), Unexpected, 1, id="chunks cut"),
    pytest.param(says(CHUNKED, BAD_CHUNK), Either, 1, id="bad chunk"),
    pytest.param(says(CHUNKED, BAD_CHUNK, ending=hang), Either, 1, id="bad chunk, kept open"),
    pytest.param(says(CHUNKED + BAD_CHUNK), Either, 1, id="bad chunk at once"),
    pytest.param(says(NOT_BROTLI), Either, 1, id="not brotli"),
    pytest.param(
        says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", ending=hang), errors.ApiError, 1, id="101"
    ),
    pytest.param(says(NOT_GZIP), Unexpected, 1, id="not gzip"),
    pytest.param(says(reply(HTML)), Unexpected, 1, id="HTML"),
    pytest.param(
        says(b"HTTP/1.1 200 OK\r\n\r\n" + HTML, ending=reset), Unexpected, 1, id="no length"
    ),
]


@pytest.mark.parametrize(("behaviour", "kind", "read"), REPLIES)
async def test_a_post_that_went_out_does_so_once(
    behaviour: Behaviour, kind: Any, read: int
) -> None:
    async with Server(behaviour) as server, client(server.port) as hevo:
        error = await failure_of(hevo)
        assert type(error) in (kind if isinstance(kind, tuple) else (kind,))
        assert (server.posts, server.connections) == (read, 1)


@pytest.mark.parametrize("ending", [close, reset, hang])
@pytest.mark.parametrize("broken", [(HALF,), (ENDLESS,), (CHUNKED, BAD_CHUNK), (NOT_GZIP,)])
async def test_a_refusal_is_that_whatever_becomes_of_its_body(
    broken: tuple[bytes, ...], ending: Ending
) -> None:
    said = [part.replace(b"200 OK", b"503 Service Unavailable") for part in broken]
    async with Server(says(*said, ending=ending)) as server, client(server.port) as hevo:
        assert type(await failure_of(hevo)) is errors.ServerError
        assert server.posts == 1


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_time_is_up_while_the_request_is_sent() -> None:
    huge = api.create_pipeline({"name": "x" * 32_000_000})
    async with Server(at_once(hang)) as server, client(server.port) as hevo:
        start = now()
        error = await failure_of(hevo, huge)
        assert now() - start == pytest.approx(30, abs=1)
    assert type(error) is errors.RequestOutcomeUnknown
    assert type(error.__cause__) is asyncio.TimeoutError


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", HALF])
async def test_time_is_up_after_the_request_was_sent(said: bytes) -> None:
    async with Server(says(said, ending=hang)) as server, client(server.port) as hevo:
        start = now()
        error = await failure_of(hevo)
        assert now() - start == pytest.approx(30, abs=1)
    assert type(error.__cause__) is asyncio.TimeoutError
    assert "timed out" in str(error)


# -- a connection that was kept -------------------------------------------------------------------


async def test_a_kept_connection_that_is_seen_to_be_closed_is_not_used() -> None:
    async def once(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await says(reply(PIPELINE))(server, reader, writer)

    async with Server(once) as server, client(server.port) as hevo:
        await hevo.send(GET)
        await asyncio.sleep(1)
        await hevo.send(POST)
        assert (server.connections, server.posts) == (2, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_kept_connection_that_dies_as_the_request_goes_out(how: str, when: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with client(listener.getsockname()[1]) as hevo:
            reading = asyncio.create_task(hevo.send(GET))
            kept, _ = await loop.sock_accept(listener)
            await loop.sock_recv(kept, 65536)
            await loop.sock_sendall(kept, reply(PIPELINE))
            await reading

            def die() -> None:
                if how == "reset":
                    kept.setsockopt(*RST)
                kept.close()

            def die_soon() -> None:
                # The request is written in this very step of the loop.
                loop.call_soon(die)

            dies = die if when == "before" else die_soon
            with pytest.raises(errors.RequestOutcomeUnknown) as caught:
                await hevo._core.transport.send(POST, Priority.TRIGGER, before_sending=dies)
            assert caught.value.attempts == 1
            with pytest.raises(BlockingIOError):
                listener.accept()


# -- what is raised around the exchange -----------------------------------------------------------


class Jar(aiohttp.DummyCookieJar):
    """Fails when a reply sets a cookie."""

    def update_cookies(self, *_: object) -> None:
        raise ValueError("what a cookie")

    def update_cookies_from_headers(self, *_: object) -> None:
        self.update_cookies()  # as aiohttp calls it since 3.13


async def test_a_value_error_after_the_reply_does_not_mean_that_nothing_was_sent() -> None:
    said = reply(b"{}", Set_Cookie="a=b")
    async with (
        Server(says(said)) as server,
        aiohttp.ClientSession(cookie_jar=Jar()) as session,
        client(server.port, session=session) as hevo,
    ):
        error = await failure_of(hevo)
        assert type(error) is errors.RequestOutcomeUnknown
        assert "what a cookie" in str(error)
        assert server.posts == 1


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, TypeError])
async def test_what_a_trace_raises_does_not_escape_untyped(kind: type[Exception]) -> None:
    async def end(*_: object) -> None:
        raise kind("of a trace")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(end)
    async with (
        Server(serves) as server,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        client(server.port, session=session) as hevo,
    ):
        assert type(await failure_of(hevo)) is errors.RequestOutcomeUnknown
        assert server.posts == 1


@pytest.mark.parametrize("kind", [ValueError, OSError, asyncio.TimeoutError, RuntimeError])
async def test_what_is_raised_before_sending_is_passed_on(kind: type[Exception]) -> None:
    def refuse() -> None:
        raise kind("not now")

    async with Server(serves) as server, client(server.port) as hevo:
        with pytest.raises(kind, match="not now") as caught:
            await hevo._core.transport.send(POST, Priority.TRIGGER, before_sending=refuse)
        assert type(caught.value) is kind
        assert server.connections == 0


@pytest.mark.skipif(AIOHTTP < (3, 13), reason="it let .netrc win")
@pytest.mark.real_time  # aiohttp reads .netrc in a thread
async def test_credentials_of_another_source_are_a_wrong_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin me\npassword mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        Server(serves) as server,
        aiohttp.ClientSession(trust_env=True) as session,
        client(server.port, session=session) as hevo,
    ):
        with pytest.raises(errors.ConfigurationError, match="Cannot combine") as caught:
            await hevo.send(POST)
        assert "a2V5OnNlY3JldA" not in everything_in(caught.value)
        assert server.connections == 0


async def test_a_delete_that_aiohttp_repeats_may_have_been_processed() -> None:
    async def last(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.hear(reader)
        server.refuse()
        await asyncio.sleep(0.01)

    async with (
        Server(last) as server,
        aiohttp.ClientSession() as session,
        client(server.port, session=session) as hevo,
    ):
        error = await failure_of(hevo, DELETE)
        # The second one was refused, but the first was not.
        assert type(error) is errors.RequestOutcomeUnknown
        assert [head.split()[0] for head in server.heard] == [b"DELETE"]


# -- closed meanwhile -----------------------------------------------------------------------------


async def test_closing_the_client_while_a_reply_is_awaited() -> None:
    async with Server(says(b"", ending=hang)) as server, client(server.port) as hevo:
        posting = asyncio.create_task(hevo.send(POST))
        reading = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(1)
        await hevo.close()
        with pytest.raises(errors.RequestOutcomeUnknown):
            await posting
        with pytest.raises(errors.HevoError, match="HevoClient is closed"):
            await reading
        assert server.posts == 1


async def test_closing_the_client_while_a_connection_is_made(full_port: int) -> None:
    async with client(full_port) as hevo:
        posting = asyncio.create_task(hevo.send(POST))
        await asyncio.sleep(1)
        await hevo.close()
        with pytest.raises(errors.HevoError, match="HevoClient is closed"):
            await posting


async def test_closing_the_client_while_the_handshake_is_made() -> None:
    async def slow(server: Server, reader: asyncio.StreamReader, writer: Any) -> None:
        await asyncio.sleep(2)
        await reset(writer)

    async with Server(slow) as server, client(server.port, "https") as hevo:
        posting = asyncio.create_task(hevo.send(POST))
        await asyncio.sleep(1)
        await hevo.close()
        with pytest.raises(errors.HevoError):
            await posting


async def test_closing_the_session_just_as_the_connection_is_there() -> None:
    async with Server(serves) as server:
        session = aiohttp.ClientSession()
        async with client(server.port, session=session) as hevo:
            created = asyncio.get_running_loop().create_connection

            async def late(*args: Any, **options: Any) -> Any:
                made = await created(*args, **options)
                await session.close()
                return made

            asyncio.get_running_loop().create_connection = late  # type: ignore[method-assign]
            error = await failure_of(hevo)
            assert type(error) is errors.RequestOutcomeUnknown
            assert "Connector is closed" in str(error)
            assert server.posts == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a task does not say who cancelled it")
@pytest.mark.parametrize("silent", [False, True])
async def test_closing_the_session_is_not_taken_for_a_cancellation(silent: bool) -> None:
    connector = aiohttp.TCPConnector(limit=0 if silent else 1, resolver=NoSuchName(silent=True))
    session = aiohttp.ClientSession(connector=connector)
    async with (
        Server(says(b"", ending=hang)) as server,
        client(server.port, session=session) as hevo,
        HevoClient("key", "secret", base_url="https://name.invalid", session=session) as other,
    ):
        blocking = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(1)
        # One waits for the name, the other for the only connection: aiohttp cancels both waits.
        posting = asyncio.create_task((other if silent else hevo).send(POST))
        await asyncio.sleep(1)
        await session.close()
        with pytest.raises(errors.RequestOutcomeUnknown, match="session was closed"):
            await posting
        with pytest.raises(errors.HevoError, match="session of this HevoClient is closed"):
            await blocking
        assert server.posts == 0


@pytest.mark.parametrize("closes", [False, True])
async def test_a_cancellation_stays_one(closes: bool) -> None:
    async with Server(says(b"", ending=hang)) as server, client(server.port) as hevo:
        posting = asyncio.create_task(hevo.send(POST))
        await asyncio.sleep(1)
        posting.cancel()
        if closes:
            await hevo.close()
        with pytest.raises(asyncio.CancelledError):
            await posting
        assert posting.cancelled()
