"""``proxy`` and ``ssl`` of the client, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hevo_edge import HevoClient, errors

TLS = Path(__file__).parents[1] / "worthless.pem"
REPLY = b'{"id": 123, "status": "INITIALIZED"}'
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

pytestmark = pytest.mark.real_time


class Server:
    """Answers every request with a Pipeline, and keeps the first line of each."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.lines: list[str] = []

    async def __aenter__(self) -> Server:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.lines.append(head.split(b"\r\n", 1)[0].decode())
        writer.write(HEADERS % len(REPLY) + REPLY)
        await writer.drain()
        writer.close()


@pytest.fixture
async def tls_server() -> AsyncIterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS)
    async with Server(context) as server:
        yield server


async def read(base_url: str, **options: Any) -> int:
    async with HevoClient("key", "secret", base_url=base_url, max_retries=0, **options) as hevo:
        return (await hevo.get_pipeline(123)).id


async def test_requests_go_through_the_proxy() -> None:
    async with Server() as proxy:
        assert (
            await read("http://hevo.invalid", insecure=True, proxy=f"http://127.0.0.1:{proxy.port}")
            == 123
        )
    assert proxy.lines == ["GET http://hevo.invalid/api/v1/pipelines/123 HTTP/1.1"]


async def test_an_unknown_certificate_is_refused(tls_server: Server) -> None:
    with pytest.raises(errors.RequestNotSent, match="ertificate"):
        await read(f"https://127.0.0.1:{tls_server.port}")


async def test_a_context_may_trust_it(tls_server: Server) -> None:
    context = ssl.create_default_context(cafile=str(TLS))
    assert await read(f"https://127.0.0.1:{tls_server.port}", ssl=context) == 123


async def test_the_certificate_need_not_be_checked(tls_server: Server) -> None:
    assert await read(f"https://127.0.0.1:{tls_server.port}", ssl=False) == 123


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy", "http://", 3128, "http://a:b:c"])
def test_a_wrong_proxy_is_refused(proxy: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="proxy must be a URL"):
        HevoClient("key", "secret", region="us", proxy=proxy)


def test_a_wrong_proxy_with_a_password_is_not_shown() -> None:
    with pytest.raises(errors.ConfigurationError) as error:
        HevoClient("key", "secret", region="us", proxy="socks5://me:hidden@proxy")
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("wrong", ["no", None, 0])
def test_a_wrong_ssl_is_refused(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"ssl must be an ssl\.SSLContext"):
        HevoClient("key", "secret", region="us", ssl=wrong)
