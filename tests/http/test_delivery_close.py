"""The client or its session is closed, or the call cancelled, while a request is in flight."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, errors

from .servers import NoSuchName, Server, answers, client, failure_of, hang, replies, reset
from .support import GET, POST


async def test_closing_the_client_while_a_reply_is_awaited() -> None:
    async with Server(replies(b"", ending=hang)) as server, client(server.port) as hevo:
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
    async with Server(answers) as server:
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
        Server(replies(b"", ending=hang)) as server,
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
    async with Server(replies(b"", ending=hang)) as server, client(server.port) as hevo:
        posting = asyncio.create_task(hevo.send(POST))
        await asyncio.sleep(1)
        posting.cancel()
        if closes:
            await hevo.close()
        with pytest.raises(asyncio.CancelledError):
            await posting
        assert posting.cancelled()
