"""A second address of the emulator, so that a client of it shares nothing with the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _End(asyncio.Protocol):
    """One end of a relayed connection: what comes in goes out at the other end."""

    def __init__(self, other: _End | None = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._early)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()

    def send(self, data: bytes) -> None:
        if self.transport is None:
            self._early += data
        else:
            self.transport.write(data)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


@asynccontextmanager
async def relay(to: str) -> AsyncIterator[str]:
    """Pass bytes on to a base URL; yields another base URL for it.

    Clients of one event loop share locks by base URL. Processes do not.
    """
    loop = asyncio.get_running_loop()
    host, port = to.removeprefix("http://").split(":")
    connecting: set[asyncio.Task[None]] = set()
    ends: list[_End] = []

    async def connect(back: _End, forth: _End) -> None:
        try:
            await loop.create_connection(lambda: back, host, int(port))
        except OSError:
            forth.close()

    def accept() -> _End:
        forth = _End()
        back = forth.other = _End(forth)
        ends.extend((forth, back))
        task = loop.create_task(connect(back, forth))
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        return forth

    server = await loop.create_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connecting:
            task.cancel()
        for end in ends:
            end.close()
