"""One client for each connection and event loop: a triggerer's waits share looks and budget."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from weakref import WeakKeyDictionary

import backoff
from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)

from hevo_edge import HevoClient
from hevo_edge.integrations.airflow.connections import Account, account

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_FRESH = 30.0
"""Seconds for which a connection is not read again: a triggerer may start a thousand waits."""
_PATIENCE = 300.0
"""Seconds for which reading a connection is tried again."""
_SHARED_FAILURE = 0.5
"""Seconds for which those who wait share a failure, instead of each meeting it by itself."""


class _Lease:
    """A client, and how many use it."""

    def __init__(self, of: Account) -> None:
        self.of = of
        self.hevo: HevoClient = of.client()
        self.users = 0


class _Shared:
    """The clients of one connection: the present one, and older ones until nobody uses them."""

    def __init__(self, connection_id: str) -> None:
        self.connection_id = connection_id
        self.lease: _Lease | None = None
        self.read_at = float("-inf")
        self.failed_at = float("-inf")
        self.failure: Exception | None = None
        self.lock = asyncio.Lock()

    async def current(self, patience: float, *, fresh: bool) -> _Lease:
        """Return the lease to use, with one more user; read the connection if that is due.

        Airflow too may have a bad moment. Then a client that is there goes on; without one, reading
        is tried again for ``patience`` seconds.
        """
        if self.lease is None:
            reading = backoff.on_exception(
                backoff.expo,
                Exception,
                max_time=patience,
                max_value=30,
                giveup=_is_final,
                logger=log,
            )
            await reading(self._read)()
        elif fresh and _now() - self.read_at > _FRESH:
            try:
                await self._read()
            except AirflowNotFoundException:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever fails in Airflow
                log.warning("connection %r is not read anew: %s", self.connection_id, error)
        assert self.lease is not None  # noqa: S101 -- it was read
        self.lease.users += 1
        return self.lease

    async def _read(self) -> None:
        """Read the connection, and make a client if it has changed; at once for all who wait."""
        async with self.lock:
            if _now() - self.read_at <= _FRESH:
                return
            if self.failure is not None and _now() - self.failed_at < _SHARED_FAILURE:
                raise self.failure
            try:
                of = account(self.connection_id, await get_async_connection(self.connection_id))
            except Exception as error:
                self.failed_at, self.failure = _now(), error
                # What is there serves on; it is tried again when that has been fresh once more.
                self.read_at = self.read_at if self.lease is None else _now()
                raise
            self.read_at, self.failure = _now(), None
            if self.lease is None or self.lease.of != of:
                old, self.lease = self.lease, _Lease(of)
                await self._close_unused(old)

    async def give_back(self, lease: _Lease) -> None:
        """Count a user less. The present client stays, with what its limiter knows."""
        lease.users -= 1
        if lease is not self.lease:
            await self._close_unused(lease)

    @staticmethod
    async def _close_unused(lease: _Lease | None) -> None:
        if lease is not None and lease.users == 0:
            await lease.hevo.close()


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = WeakKeyDictionary()


def shared_client(
    connection_id: str, *, patience: float = _PATIENCE, fresh: bool = True
) -> AbstractAsyncContextManager[HevoClient, None]:
    """Lend this event loop's client of a connection.

    Args:
        connection_id: The connection.
        patience: Seconds in which it must have been read.
        fresh: Whether it is to be read again where that was long ago.

    Raises:
        AirflowException: on entering, when there is no such connection, or it lacks something, or
            cannot be read.
    """
    of_loop = _shared.setdefault(asyncio.get_running_loop(), {})
    shared = of_loop.setdefault(connection_id, _Shared(connection_id))
    return _Loan(shared, min(patience, _PATIENCE), fresh=fresh)


class _Loan:
    """A client, lent to one user; a wait holds it, so it weighs as little as can be."""

    __slots__ = ("_fresh", "_lease", "_patience", "_shared")

    def __init__(self, shared: _Shared, patience: float, *, fresh: bool) -> None:
        self._shared = shared
        self._patience = patience
        self._fresh = fresh

    async def __aenter__(self) -> HevoClient:
        shared = self._shared
        try:
            self._lease = await shared.current(self._patience, fresh=self._fresh)
        except AirflowException:
            raise
        except Exception as error:
            raise AirflowException(
                f"connection {shared.connection_id!r} cannot be read: {error}"
            ) from error
        return self._lease.hevo

    async def __aexit__(self, *_: object) -> None:
        await self._shared.give_back(self._lease)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _is_final(error: Exception) -> bool:
    return isinstance(error, (AirflowNotFoundException, AirflowFailException))
