"""``proxy`` and ``ssl`` of the client, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
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


@pytest.mark.parametrize("wrong", [None, 0, b"no"])
def test_a_wrong_ssl_is_refused(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"ssl must be an ssl\.SSLContext"):
        HevoClient("key", "secret", region="us", ssl=wrong)


# -- the environment -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def proxy_of(base_url: str = "https://us.hevodata.com", **options: Any) -> str | None:
    return HevoClient("key", "secret", base_url=base_url, **options)._core.transport._config.proxy


PROXY = "http://user:password@proxy.example.com:3128"


@pytest.mark.parametrize(
    ("variable", "value", "proxy"),
    [
        ("HTTPS_PROXY", PROXY, PROXY),
        ("https_proxy", PROXY, PROXY),
        ("ALL_PROXY", PROXY, PROXY),
        ("HTTPS_PROXY", "proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("HTTP_PROXY", PROXY, None),
        ("HTTPS_PROXY", "", None),
    ],
)
async def test_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, proxy: str | None
) -> None:
    monkeypatch.setenv(variable, value)
    assert proxy_of() == proxy
    assert proxy_of(trust_env=False) is None
    assert proxy_of(proxy="http://other:1") == "http://other:1"
    # An address of this machine, such as the emulator's, needs none.
    for host in ("127.0.0.1:8080", "localhost:1", "[::1]:1"):
        assert proxy_of(f"https://{host}") is None


@pytest.mark.parametrize("hosts", ["us.hevodata.com", ".hevodata.com", "hevodata.com", "*"])
async def test_hosts_without_a_proxy(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", hosts if hosts == "*" else f"example.org,{hosts}")
    assert proxy_of() is None
    monkeypatch.setenv("NO_PROXY", "example.org")
    assert proxy_of() == PROXY


async def test_a_proxy_of_the_environment_that_is_no_http_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:password@proxy.example.com:1080")
    with pytest.raises(errors.ConfigurationError, match=r"all_proxy; trust_env=False") as caught:
        proxy_of()
    assert "password@" not in str(caught.value)


async def test_a_given_session_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    async with aiohttp.ClientSession() as session:
        assert proxy_of(session=session) is None


async def test_requests_go_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert await read("http://hevo.invalid", insecure=True) == 123
    assert proxy.lines == ["GET http://hevo.invalid/api/v1/pipelines/123 HTTP/1.1"]


async def test_a_file_of_cas_may_trust_it(tls_server: Server, tmp_path: Path) -> None:
    for path in (TLS, str(TLS)):
        assert await read(f"https://127.0.0.1:{tls_server.port}", ssl=path) == 123
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        with pytest.raises(errors.ConfigurationError, match="no CAs can be read of"):
            await read(f"https://127.0.0.1:{tls_server.port}", ssl=path)
