"""The connection to Redis of one event loop: bounded in time, and closed in its own loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakSet, finalize

from hevo_edge._common.per_loop import running_loop
from hevo_edge._http.redis_script import SCRIPT
from hevo_edge._http.redis_url import RedisUrl
from hevo_edge._text.printable import printable
from hevo_edge.errors import ConfigurationError

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    # aiohttp and redis-py bring it there
    from async_timeout import timeout  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

Execute: TypeAlias = Callable[..., Awaitable[Any]]
"""Sends a command, and returns the reply."""

PATIENCE = 0.5
"""Seconds in which Redis must have answered."""
CONNECT_PATIENCE = 2.0
"""Seconds for a connection and the first answer: name, TCP, TLS, login."""
_HELD_UP = 0.05
"""Seconds by which the end of the patience is noticed late, when something blocks the loop."""
_REASON = 300
"""Characters that are shown of what Redis says."""
_TIME_REFUSED = "not allowed from script"
_DIGEST = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_PASSING = ("MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN", "LOADING", "UNKILLABLE", "NOTREADY")
"""Replies to which another follows in time; those that redis-py has no class for."""


class LinkLost(Exception):
    """Redis cannot be used.

    Args:
        reason: Why, in one line.
        is_final: No time mends it: a wrong password, a missing permission.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class LinkBroken(Exception):
    """A connection that was open is none any more; a new one may do."""


class TimeRefused(Exception):
    """This Redis does not tell a script the time, as ElastiCache Serverless is said not to."""


def check_extra() -> None:
    """Check that redis-py is there.

    Raises:
        ConfigurationError: when it is not.
    """
    try:
        import redis.asyncio  # noqa: F401, PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(
            "a RateLimit that is shared through Redis needs redis-py: "
            "pip install 'hevo-edge[redis]'"
        ) from None


class RedisLink:
    """Runs the script.

    The connection lives in an async generator: a loop that shuts down finishes it, and with it
    closes the connection, even if nobody else does.

    Args:
        url: Where Redis is.
    """

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        self._is_cluster = False
        self._keeper: AsyncGenerator[Execute, None] | None = None
        self._execute: Execute | None = None
        self._is_under_way = False
        self._holder: finalize[..., Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection; it may turn out broken."""
        return self._execute is not None

    async def run(self, keys: list[str], arguments: list[str | int]) -> list[Any]:
        """Run the script.

        Raises:
            LinkLost: when Redis cannot be used.
            LinkBroken: when a connection that was open is none any more.
            TimeRefused: when the time must be among the arguments.
        """
        from redis.exceptions import MovedError, NoScriptError, ResponseError  # noqa: PLC0415

        async def script(execute: Execute) -> Any:
            told = (len(keys), *keys, *arguments)
            try:
                return await execute("EVALSHA", _DIGEST, *told)
            except NoScriptError:
                return await execute("EVAL", SCRIPT, *told)
            except MovedError:
                if self._is_cluster:
                    raise
                raise _Moved from None
            except ResponseError as error:
                if _TIME_REFUSED not in str(error):
                    raise
                raise TimeRefused from None

        try:
            reply: list[Any] = await self._bounded(script)
        except _Moved:
            self._is_cluster = True
            await self.close()
            reply = await self._bounded(script)
        return reply

    async def slots(self, key: str, now: int) -> list[str]:
        """Return the ids of the slots that are taken.

        Raises:
            LinkLost: when Redis cannot be used.
            LinkBroken: when a connection that was open is none any more.
        """
        found = await self._bounded(lambda run: run("ZRANGEBYSCORE", key, f"({now}", "+inf"))
        return [_text(each) for each in found]

    async def time(self) -> float:
        """Return Redis's time in seconds.

        Raises:
            LinkLost: when Redis cannot be used.
            LinkBroken: when a connection that was open is none any more.
        """
        seconds, micros = await self._bounded(lambda run: run("TIME"))
        return float(seconds) + float(micros) / 1e6

    async def close(self) -> None:
        """Close what was opened; it is opened again when needed."""
        keeper, self._keeper, self._execute = self._keeper, None, None
        self._is_under_way = False
        if self._holder is not None:
            self._holder.detach()
        if keeper is not None:
            await keeper.aclose()

    # -- inside -----------------------------------------------------------------------------------

    async def _bounded(self, use: Callable[[Execute], Awaitable[Any]]) -> Any:
        if self._is_under_way:
            await self.close()  # it was cancelled, and its reply would be taken for the next one's
        was_open, began = self.is_open, running_loop().time()
        self._is_under_way = True
        patience = PATIENCE if was_open else CONNECT_PATIENCE
        try:
            async with timeout(patience):
                if self._execute is None:
                    self._keeper = _keep_open(self._url, is_cluster=self._is_cluster)
                    # So that it is no garbage itself when its window is, as that of a session.
                    self._holder = finalize(self, _let_go, self._keeper)
                    self._holder.atexit = False
                    self._execute = await self._keeper.__anext__()
                reply = await use(self._execute)
        except (asyncio.TimeoutError, TimeoutError):
            lost = LinkLost(f"it has not answered within {patience:g} s")
            # A new connection would take as long; unless the reply is there, and we were held up.
            was_open = was_open and running_loop().time() > began + patience + _HELD_UP
        except (TimeRefused, _Moved):
            raise
        except Exception as error:  # noqa: BLE001 -- of redis-py, its hiredis, ssl, the system
            lost = _judged(error)
        else:
            self._is_under_way = False
            return reply
        await self.close()
        # Outside of the handler: the frames of what redis-py raised hold the password.
        raise LinkBroken if was_open else lost


class _Moved(Exception):
    """It is a node of a cluster, and another one has our keys."""


def _let_go(_: AsyncGenerator[Execute, None]) -> None:
    """Hold a generator until its window is gone; the loop finishes what nobody holds."""


async def _keep_open(url: RedisUrl, *, is_cluster: bool) -> AsyncGenerator[Execute, None]:
    from redis.asyncio import RedisCluster  # noqa: PLC0415 -- an extra

    if is_cluster:
        async with _closing(RedisCluster.from_url(url.url, **_bounds())) as cluster:
            yield cluster.execute_command
        return
    pool, others = _pool(url)
    # A bare connection: redis-py's client would look into its pool with each command.
    connection = pool.make_connection()

    async def execute(*command: str | int) -> Any:
        await connection.send_packed_command(_packed(command), check_health=False)
        return await connection.read_response()

    try:
        await connection.connect()
        _open.add(connection)
        yield execute
    finally:
        for closing in (connection.disconnect, *(each.aclose for each in others)):
            with suppress(Exception):  # it is broken, perhaps
                await asyncio.wait_for(closing(), PATIENCE)


def _packed(command: tuple[str | int, ...]) -> bytes:
    """Return a command as it is sent; all of ours is ASCII. redis-py takes as long as Redis."""
    parts = [f"${len(each)}\r\n{each}\r\n" for each in map(str, command)]
    return f"*{len(parts)}\r\n{''.join(parts)}".encode("ascii")


@asynccontextmanager
async def _closing(client: RedisCluster) -> AsyncGenerator[RedisCluster, None]:
    try:
        yield client
    finally:
        with suppress(Exception):
            await asyncio.wait_for(client.aclose(), PATIENCE)


def _bounds() -> dict[str, Any]:
    """Return the bounds in redis-py; its own defaults try for half a minute."""
    from redis.asyncio.retry import Retry  # noqa: PLC0415 -- an extra
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return {
        "socket_timeout": None,  # there is one bound around everything
        "socket_connect_timeout": CONNECT_PATIENCE,
        "retry": Retry(NoBackoff(), 0),
    }


def _pool(url: RedisUrl) -> tuple[Any, list[Redis]]:
    """Return what makes connections, and the clients of sentinels behind it."""
    from redis import asyncio as theirs  # noqa: PLC0415 -- an extra
    from redis.asyncio.connection import parse_url  # noqa: PLC0415

    bounds = _bounds()
    if not url.is_sentinel:
        return theirs.ConnectionPool.from_url(url.url, **bounds), []
    options: dict[str, Any] = {**parse_url(url.server_url), **bounds}
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    tls["ssl"] = options["ssl"] = options.pop("connection_class", None) is not None
    del options["host"]
    login = {
        name: options.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in options
    }
    make: Any = theirs.Sentinel  # it has no types
    sentinel = make(url.sentinels, sentinel_kwargs={**bounds, **login, **tls}, **options)
    return sentinel.master_for(url.service).connection_pool, sentinel.sentinels


def _judged(error: Exception) -> LinkLost:
    """Return what an error means."""
    from redis import exceptions as theirs  # noqa: PLC0415 -- an extra

    denied = (theirs.AuthenticationError, theirs.AuthorizationError, theirs.NoPermissionError)
    passing = (theirs.ReadOnlyError, theirs.ClusterDownError, theirs.TryAgainError)
    text = printable(f"{type(error).__name__}: {error}", _REASON)
    if isinstance(error, theirs.AuthenticationError):
        text += "; its URL has to hold the right user and password"
    is_untrusted = isinstance(error.__context__, ssl.SSLCertVerificationError)
    is_final = (
        isinstance(error, denied)
        or is_untrusted
        or (
            isinstance(error, theirs.ResponseError)
            and not isinstance(error, (*passing, theirs.OutOfMemoryError))
            and not str(error).startswith(_PASSING)
        )
    )
    return LinkLost(text, is_final=is_final)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


_open: WeakSet[Any] = WeakSet()
_left: list[Any] = []


def _leave_to_parent() -> None:
    """In a forked child, keep hands off all connections: they are the parent's, who uses them.

    Closing one would take it out of the selector that the child shares with the parent.
    """
    for connection in tuple(_open):
        _left.append((connection, connection._reader, connection._writer))  # noqa: SLF001
        connection._reader = connection._writer = None  # noqa: SLF001 -- there is no public way


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
