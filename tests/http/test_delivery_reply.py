"""A connection that was made: a POST goes out once, whatever becomes of its reply."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hevo_edge import api, errors
from hevo_edge._http.ratelimit import Priority

from .servers import (
    PIPELINE,
    RST,
    Behaviour,
    Ending,
    Server,
    answers,
    client,
    close,
    ends,
    failure_of,
    hang,
    replies,
    reply,
    reset,
)
from .support import DELETE, GET, POST, everything_in, now

AIOHTTP = tuple(map(int, aiohttp.__version__.split(".")[:2]))

HTML = b"<html><title>Please wait</title></html>"
HALF = reply(b'{"a', Content_Length=100)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = CHUNKED + b"1\r\n \r\n"
BAD_CHUNK = b"1\r\n{\r\nzz\r\n"
NOT_GZIP = reply(b"{}", Content_Encoding="gzip")
NOT_BROTLI = reply(b"{}", Content_Encoding="br")
Unknown, Unexpected = errors.RequestOutcomeUnknown, errors.UnexpectedResponse
Either = Unknown, Unexpected
"""What cannot be decoded is one or the other, as aiohttp's versions have it."""

REPLIES: list[Any] = [
    pytest.param(ends(reset), Unknown, 0, id="reset before it is read"),
    pytest.param(ends(close), Unknown, 0, id="closed before it is read"),
    pytest.param(replies(b"", ending=reset), Unknown, 1, id="reset"),
    pytest.param(replies(b""), Unknown, 1, id="closed"),
    pytest.param(replies(b"", ending=hang), Unknown, 1, id="no reply"),
    pytest.param(replies(b"SSH-2.0-OpenSSH_9.6\r\n"), Unknown, 1, id="no HTTP"),
    pytest.param(replies(HTML), Unknown, 1, id="HTTP 0.9"),
    pytest.param(replies(b"HTTP/1.1 200 OK\r\nContent-Le"), Unknown, 1, id="half a head"),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\nContent-Le", ending=reset), Unknown, 1, id="head reset"
    ),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\nContent-Le", ending=hang), Unknown, 1, id="head stops"
    ),
    pytest.param(
        replies(b"HTTP/1.1 100 Continue\r\n\r\n", ending=hang), Unknown, 1, id="100 and no more"
    ),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 99999 + b"\r\n\r\n"),
        Unknown,
        1,
        id="huge head",
    ),
    pytest.param(replies(HALF), Unexpected, 1, id="body cut"),
    pytest.param(replies(HALF, ending=reset), Unexpected, 1, id="body reset"),
    pytest.param(replies(HALF, ending=hang), Unknown, 1, id="body stops"),
    pytest.param(replies(ENDLESS, ending=hang), Unknown, 1, id="chunks stop"),
    pytest.param(replies(ENDLESS), Unexpected, 1, id="chunks cut"),
    pytest.param(replies(CHUNKED, BAD_CHUNK), Either, 1, id="bad chunk"),
    pytest.param(replies(CHUNKED, BAD_CHUNK, ending=hang), Either, 1, id="bad chunk, kept open"),
    pytest.param(replies(CHUNKED + BAD_CHUNK), Either, 1, id="bad chunk at once"),
    pytest.param(replies(NOT_BROTLI), Either, 1, id="not brotli"),
    pytest.param(
        replies(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", ending=hang),
        errors.ApiError,
        1,
        id="101",
    ),
    pytest.param(replies(NOT_GZIP), Unexpected, 1, id="not gzip"),
    pytest.param(replies(reply(HTML)), Unexpected, 1, id="HTML"),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\n\r\n" + HTML, ending=reset), Unexpected, 1, id="no length"
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
    parts = [part.replace(b"200 OK", b"503 Service Unavailable") for part in broken]
    async with Server(replies(*parts, ending=ending)) as server, client(server.port) as hevo:
        assert type(await failure_of(hevo)) is errors.ServerError
        assert server.posts == 1


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_time_is_up_while_the_request_is_sent() -> None:
    huge = api.create_pipeline({"name": "x" * 32_000_000})
    async with Server(ends(hang)) as server, client(server.port) as hevo:
        start = now()
        error = await failure_of(hevo, huge)
        assert now() - start == pytest.approx(30, abs=1)
    assert type(error) is errors.RequestOutcomeUnknown
    assert type(error.__cause__) is asyncio.TimeoutError


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n", HALF])
async def test_time_is_up_after_the_request_was_sent(part: bytes) -> None:
    async with Server(replies(part, ending=hang)) as server, client(server.port) as hevo:
        start = now()
        error = await failure_of(hevo)
        assert now() - start == pytest.approx(30, abs=1)
    assert type(error.__cause__) is asyncio.TimeoutError
    assert "timed out" in str(error)


# -- a connection that was kept --------------------------------------------------------------------


async def test_a_kept_connection_that_is_seen_to_be_closed_is_not_used() -> None:
    async def once(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await replies(reply(PIPELINE))(server, reader, writer)

    async with Server(once) as server, client(server.port) as hevo:
        await hevo.send(GET)
        await asyncio.sleep(1)
        await hevo.send(POST)
        assert (server.connections, server.posts) == (2, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_a_kept_connection_that_dies_as_the_request_goes_out(
    request_: api.Request[Any], how: str, when: str
) -> None:
    loop = asyncio.get_running_loop()

    async def answer(body: bytes) -> socket.socket:
        connection, _ = await loop.sock_accept(listener)
        await loop.sock_recv(connection, 65536)
        await loop.sock_sendall(connection, reply(body))
        return connection

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with client(listener.getsockname()[1], max_retries=1) as hevo:
            reading = asyncio.create_task(hevo.send(GET))
            kept = await answer(PIPELINE)
            await reading

            def die() -> None:
                if how == "reset":
                    kept.setsockopt(*RST)
                kept.close()

            def die_soon() -> None:
                # The request is written in this very step of the loop.
                loop.call_soon(die)

            deaths = iter([die if when == "before" else die_soon])

            def leaves() -> None:
                for death in deaths:
                    death()

            sending = asyncio.create_task(
                hevo._core.transport.exchange(request_, Priority.TRIGGER, before_sending=leaves)
            )
            # A read is repeated; a POST has never been on that connection.
            with await answer(PIPELINE):
                await sending
            with pytest.raises(BlockingIOError):
                listener.accept()


# -- what is raised around the exchange ------------------------------------------------------------


class Jar(aiohttp.DummyCookieJar):
    """Fails when a reply sets a cookie."""

    def update_cookies(self, *_: object) -> None:
        raise ValueError("a bad cookie")

    def update_cookies_from_headers(self, *_: object) -> None:
        self.update_cookies()  # as aiohttp calls it since 3.13


async def test_a_value_error_after_the_reply_does_not_mean_that_nothing_was_sent() -> None:
    with_cookie = reply(b"{}", Set_Cookie="a=b")
    async with (
        Server(replies(with_cookie)) as server,
        aiohttp.ClientSession(cookie_jar=Jar()) as session,
        client(server.port, session=session) as hevo,
    ):
        error = await failure_of(hevo)
        assert type(error) is errors.RequestOutcomeUnknown
        assert "a bad cookie" in str(error)
        assert server.posts == 1


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, TypeError])
async def test_what_a_trace_raises_does_not_escape_untyped(kind: type[Exception]) -> None:
    async def end(*_: object) -> None:
        raise kind("of a trace")

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(end)
    async with (
        Server(answers) as server,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        client(server.port, session=session) as hevo,
    ):
        assert type(await failure_of(hevo)) is errors.RequestOutcomeUnknown
        assert server.posts == 1


@pytest.mark.parametrize("kind", [ValueError, OSError, asyncio.TimeoutError, RuntimeError])
async def test_what_is_raised_before_sending_is_passed_on(kind: type[Exception]) -> None:
    def refuse() -> None:
        raise kind("not now")

    async with Server(answers) as server, client(server.port) as hevo:
        with pytest.raises(kind, match="not now") as caught:
            await hevo._core.transport.send(POST, Priority.TRIGGER, before_sending=refuse)
        assert type(caught.value) is kind
        assert server.connections == 0


@pytest.mark.skipif(AIOHTTP < (3, 13), reason="it let .netrc win")
@pytest.mark.real_time  # aiohttp reads .netrc in a thread
async def test_credentials_of_another_source_are_an_invalid_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1\nlogin me\npassword mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        Server(answers) as server,
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
        await server.read_request(reader)
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
        assert [head.split()[0] for head in server.heads] == [b"DELETE"]
