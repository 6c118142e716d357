"""One aiohttp session per event loop, closed in its own loop even if the caller never closes it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from ssl import SSLContext
from weakref import WeakSet, finalize

import aiohttp
from yarl import URL

from hevo_edge._common.per_loop import PerLoop, running_loop
from hevo_edge._http.connector import Connector
from hevo_edge.errors import ConfigurationError


class Sessions:
    """Opens the shared session on first use, and closes what it opened.

    The session lives in an async generator: when a loop shuts down (``asyncio.run`` does so for
    its generators), or the client is garbage-collected while the loop runs, the loop itself
    finishes the generator, and with it closes the session. So a client that is never closed leaves
    no "Unclosed client session" behind, and the next loop gets a session of its own.

    Args:
        given: A session to use instead. It is not closed, and its loop must be the running one.
        headers: The headers of every request, for a session that is opened here.
        proxy: The URL of a proxy for such a session.
        ssl: How such a session checks certificates, as aiohttp takes it.
    """

    def __init__(
        self,
        given: aiohttp.ClientSession | None,
        headers: Mapping[str, str],
        *,
        proxy: str | None = None,
        ssl: SSLContext | bool = True,
    ) -> None:
        if given is not None and not isinstance(given, aiohttp.ClientSession):
            raise ConfigurationError(f"session must be an aiohttp.ClientSession, not {given!r}")
        self._given = given
        self._opened: PerLoop[_Opened] = PerLoop(lambda: _Opened(_keep_open(headers, proxy, ssl)))

    async def get(self) -> aiohttp.ClientSession:
        """Return the session to use in the running loop."""
        opened = self._opened.get()
        if self._given is not None:
            return self._given
        if opened.session is None:
            opened.session = await opened.keeper.__anext__()
        return opened.session

    async def close(self) -> None:
        """Close the running loop's session, if one was opened here."""
        opened = self._opened.peek()
        if opened is not None and opened.session is not None:
            opened.session = None
            await opened.keeper.aclose()


def close_idle(session: aiohttp.ClientSession, url: URL, *, keep: bool) -> bool:
    """Close idle connections to a host, and say whether one is left that a request may be sent on.

    aiohttp keeps a connection on which something has come that nobody asked for, and takes it for
    the reply to the next request. Such a connection is closed here. One on which nothing has come
    yet may still be late with an older reply: for a request that must not get it, all are closed.
    ``session.request`` that follows without an ``await`` in between then makes a new one, unless
    all connections that the session may have are in use.

    Args:
        session: The session.
        url: An address at that host.
        keep: Leave open those on which nothing has come.
    """
    # There is no public way to see idle connections; a test fails when this one has changed.
    pools = getattr(session.connector, "_conns", None) or {}
    is_left = False
    for key, connections in pools.items():
        if (key.host, key.port) != (url.raw_host, url.port):
            continue
        for protocol, *_ in connections:
            if keep and not protocol.should_close:
                is_left = is_left or protocol.is_connected()
            else:
                protocol.close()
    return is_left


def is_of_this_loop(session: aiohttp.ClientSession) -> bool:
    """Tell whether a session was made in the running event loop; in another it fails oddly."""
    # aiohttp's public attribute is deprecated; a test fails when this one has gone.
    running = running_loop()
    return getattr(session, "_loop", running) is running


class _Opened:
    def __init__(self, keeper: AsyncGenerator[aiohttp.ClientSession, None]) -> None:
        self.keeper = keeper
        self.session: aiohttp.ClientSession | None = None
        # So that the generator is no garbage itself when its client is: all that is garbage is
        # finalized in any order, and aiohttp's session would say that nobody has closed it.
        finalize(self, _let_go, keeper).atexit = False


def _let_go(_: AsyncGenerator[aiohttp.ClientSession, None]) -> None:
    """Hold a generator until its client is gone; the loop finishes what nobody holds."""


async def _keep_open(
    headers: Mapping[str, str], proxy: str | None, ssl: SSLContext | bool
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with aiohttp.ClientSession(
        connector=Connector(ssl=ssl),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        proxy=proxy,
    ) as session:
        # aiohttp would repeat a read by itself when a kept connection turns out dead: a second call
        # without a slot of our limiter. Our own loop repeats it.
        session._retry_connection = False  # noqa: SLF001 -- there is no public way
        _open.add(session)
        yield session


_open: WeakSet[aiohttp.ClientSession] = WeakSet()


def _leave_to_parent() -> None:
    """In a forked child, let go of all connections: they are the parent's, who still uses them."""
    for session in tuple(_open):
        session.detach()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
