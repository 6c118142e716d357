"""Raw servers that fail in every way, and clients of them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from hevo_edge import HevoClient, api, errors
from hevo_edge._common.clock import Clock

from .support import POST, everything_in

if TYPE_CHECKING:
    from typing_extensions import Self

TLS = Path(__file__).parents[1] / "worthless.pem"

PIPELINE = b'{"id": 123, "name": "Orders", "status": "INITIALIZED"}'
RST = socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)


Behaviour = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

Ending = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Behaves the same on every connection, and counts the POSTs that it reads."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.posts = 0
        self.heads: list[bytes] = []
        self._behaviour = behaviour
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
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

    async def read_request(self, reader: asyncio.StreamReader) -> None:
        """Read a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.posts += head.startswith(b"POST ")

    def refuse(self) -> None:
        """Accept no more connections."""
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


# -- replies and endings ---------------------------------------------------------------------------


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


# -- behaviours ------------------------------------------------------------------------------------


def ends(ending: Ending) -> Behaviour:
    """Read nothing at all."""

    async def behaviour(_: Server, reader: Any, writer: asyncio.StreamWriter) -> None:
        await ending(writer)

    return behaviour


def replies(*parts: bytes, ending: Ending = close) -> Behaviour:
    """Read a request, and send a reply in parts, each of which is read before the next."""

    async def behaviour(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.read_request(reader)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        await ending(writer)

    return behaviour


async def answers(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request after another, as a server should."""
    while True:
        await server.read_request(reader)
        writer.write(reply(PIPELINE))


async def answers_in_plain_http(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer in plain HTTP whatever comes first."""
    await reader.read(1)
    writer.write(reply(b"", "400 Bad Request"))


# -- replies in JSON -------------------------------------------------------------------------------


def usual_answer(head: bytes) -> dict[str, Any]:
    """Answer as Hevo would: a Job, a list with one Job of the Pipeline, a Pipeline, or thanks."""
    path = head.split(b" ", 2)[1].decode()
    match = re.match(r"/api/v1/pipelines/(\d+)(?:/jobs/([^/?]+))?(.*)", path)
    assert match is not None
    pipeline, job, rest = match.groups()
    if rest.startswith("/jobs"):
        return {"data": [{"job_id": f"of-{pipeline}"}], "has_more": False}
    if rest:
        return {"message": f"thanks for {pipeline}"}
    return {"id": int(pipeline)} if job is None else {"job_id": job, "status": "COMPLETED"}


class JsonServer(Server):
    """Answers every request, and lets a test send more on the connections there are.

    Args:
        doubled: Send each reply twice, the second one after so many seconds.
        answer: The reply to a request's head.
    """

    def __init__(
        self,
        doubled: float | None = None,
        answer: Callable[[bytes], dict[str, Any]] = usual_answer,
    ) -> None:
        super().__init__(self.answers)
        self.writers: list[asyncio.StreamWriter] = []
        self.used: list[int] = []
        self.doubled = doubled
        self.answer = answer

    async def answers(
        self, _: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = len(self.writers)
        self.writers.append(writer)
        while True:
            await self.read_request(reader)
            self.used.append(number)
            body = json.dumps(self.answer(self.heads[-1])).encode()
            writer.write(reply(body))
            if self.doubled is not None:
                await asyncio.sleep(self.doubled)
                writer.write(reply(body))

    def send(self, status: int, body: object = None, **headers: object) -> None:
        """Send a reply that nobody asked for on all connections."""
        text = b"" if status == 204 else json.dumps(body).encode()
        for writer in self.writers:
            if not writer.is_closing():
                writer.write(reply(text, f"{status} Stray", **headers))


# -- clients ---------------------------------------------------------------------------------------


def client(port: int, scheme: str = "http", **options: Any) -> HevoClient:
    url = f"{scheme}://127.0.0.1:{port}"
    return HevoClient("key", "secret", base_url=url, clock=Clock(seed=1), **options)


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS)
    return context


def trusting_session() -> aiohttp.ClientSession:
    """Return a session that trusts the test certificate."""
    context = ssl.create_default_context(cafile=str(TLS))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def failure_of(hevo: HevoClient, request: api.Request[Any] = POST) -> errors.RequestError:
    """Send, and return the error. A POST goes out again only where it surely was not sent."""
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(request)
    error = caught.value
    repeats = isinstance(error, errors.RequestNotSent) and error.transient
    assert (error.attempts == 4) is repeats
    assert "a2V5OnNlY3JldA" not in everything_in(error)
    return error


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
