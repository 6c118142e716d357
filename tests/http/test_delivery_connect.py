"""A connection that is not made: nothing was sent, and a POST is repeated."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, errors
from hevo_edge._http.ratelimit import Priority

from .servers import (
    Behaviour,
    NoSuchName,
    Server,
    answers,
    answers_in_plain_http,
    client,
    close,
    ends,
    failure_of,
    hang,
    replies,
    reply,
    reset,
    server_tls,
    trusting_session,
)
from .support import POST, now


async def test_refused(closed_port: int) -> None:
    async with client(closed_port) as hevo:
        error = await failure_of(hevo)
    assert type(error) is errors.RequestNotSent
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)


async def test_the_connection_gets_half_of_the_time(full_port: int) -> None:
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


# -- TLS -------------------------------------------------------------------------------------------


HANDSHAKES: list[Any] = [
    pytest.param(answers_in_plain_http, aiohttp.ClientConnectorSSLError, id="plain HTTP"),
    pytest.param(ends(hang), aiohttp.ConnectionTimeoutError, id="never ends"),
    pytest.param(ends(reset), aiohttp.ClientConnectorError, id="reset"),
    pytest.param(ends(close), aiohttp.ClientConnectorError, id="closed"),
]


@pytest.mark.parametrize(("behaviour", "cause"), HANDSHAKES)
async def test_a_handshake_that_fails(behaviour: Behaviour, cause: type[Exception]) -> None:
    async with Server(behaviour) as server, client(server.port, "https") as hevo:
        error = await failure_of(hevo)
    assert type(error) is errors.RequestNotSent
    assert type(error.__cause__) is cause
    assert server.connections == 4


async def test_a_certificate_that_is_not_trusted() -> None:
    async with Server(answers, server_tls()) as server, client(server.port, "https") as hevo:
        error = await failure_of(hevo)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ClientConnectorCertificateError
        assert "the certificate of 127.0.0.1" in str(error)
        assert "pass ssl=" in str(error)
        assert not error.transient
        assert server.posts == 0


async def test_a_certificate_with_another_fingerprint() -> None:
    connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(b"\0" * 32))
    async with (
        Server(answers, server_tls()) as server,
        aiohttp.ClientSession(connector=connector) as session,
        client(server.port, "https", session=session) as hevo,
    ):
        error = await failure_of(hevo)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ServerFingerprintMismatch
        assert server.posts == 0


async def test_tls_that_works() -> None:
    async with (
        Server(answers, server_tls()) as server,
        trusting_session() as session,
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
        Server(answers, tls) as server,
        trusting_session() as session,
        client(server.port, "https", session=session) as hevo,
    ):
        # In TLS 1.3 the client is done with the handshake before the server is.
        assert type(await failure_of(hevo)) is errors.RequestOutcomeUnknown
        assert server.posts == 0


# -- proxies ---------------------------------------------------------------------------------------


Sent, Unknown = errors.RequestNotSent, errors.RequestOutcomeUnknown


async def through(port: int, scheme: str = "https") -> errors.RequestError:
    """Send a POST through a proxy at this port."""
    async with (
        aiohttp.ClientSession(proxy=f"http://127.0.0.1:{port}") as session,
        HevoClient("key", "secret", base_url=f"{scheme}://127.0.0.1:9", session=session) as hevo,
    ):
        return await failure_of(hevo)


TUNNELS: list[Any] = [
    pytest.param(
        replies(reply(b"", "407 Proxy Authentication Required")),
        (errors.AuthenticationError, "the proxy refuses its credentials"),
        id="407",
    ),
    pytest.param(
        replies(reply(b"", "502 Bad Gateway")), (Sent, "does not connect to Hevo: 502"), id="502"
    ),
    pytest.param(
        replies(reply(b"", "403 Forbidden")), (Sent, "does not connect to Hevo: 403"), id="403"
    ),
    pytest.param(replies(b"", ending=hang), (Sent, aiohttp.ConnectionTimeoutError), id="no answer"),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\n\r\n"),
        (Sent, aiohttp.ClientConnectorError),
        id="closed tunnel",
    ),
    pytest.param(
        replies(b"HTTP/1.1 200 OK\r\n\r\n", ending=hang),
        (Sent, aiohttp.ConnectionTimeoutError),
        id="silent tunnel",
    ),
    # Nothing was sent here either, but aiohttp has no class of its own to say so.
    pytest.param(replies(b""), (Unknown, aiohttp.ServerDisconnectedError), id="closed"),
    pytest.param(replies(b"", ending=reset), (Unknown, aiohttp.ClientOSError), id="reset"),
    pytest.param(replies(b"EHLO\r\n\r\n"), (Unknown, aiohttp.ClientResponseError), id="garbage"),
]


@pytest.mark.parametrize(("behaviour", "expected"), TUNNELS)
async def test_a_proxy_that_makes_no_tunnel(
    behaviour: Behaviour, expected: tuple[type[errors.RequestError], type[Exception] | str]
) -> None:
    async with Server(behaviour) as proxy:
        error = await through(proxy.port)
        kind, why = expected
        assert type(error) is kind
        words = why if isinstance(why, str) else why.__name__
        assert words in str(error) or type(error.__cause__) is why
        assert all(head.startswith(b"CONNECT ") for head in proxy.heads)
        assert not any(b"Authorization" in head for head in proxy.heads)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_wrong_password_is_sent_to_a_proxy_once(scheme: str) -> None:
    async with Server(replies(reply(b"", "407 Proxy Authentication Required"))) as proxy:
        error = await through(proxy.port, scheme)
        assert type(error) is errors.AuthenticationError
        assert error.status == 407
        assert len(proxy.heads) == 1


async def test_a_proxy_that_is_not_there(closed_port: int) -> None:
    for scheme in ("http", "https"):
        error = await through(closed_port, scheme)
        assert type(error) is errors.RequestNotSent
        assert type(error.__cause__) is aiohttp.ClientProxyConnectionError


async def test_a_proxy_that_passes_plain_http_on_answers_like_a_server() -> None:
    async with Server(replies(reply(b"", "502 Bad Gateway"))) as proxy:
        assert type(await through(proxy.port, "http")) is errors.ServerError
        assert proxy.posts == 1


async def test_a_proxy_that_is_no_url() -> None:
    async with (
        aiohttp.ClientSession(proxy="http://[::1") as session,
        client(9, session=session) as hevo,
    ):
        with pytest.raises(errors.ConfigurationError, match="InvalidURL"):
            await hevo.send(POST)
