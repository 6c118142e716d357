"""One client for each connection and event loop: a triggerer's waits share looks and budget."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from weakref import WeakKeyDictionary

import backoff
from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from hevo_edge import HevoClient
from hevo_edge.integrations.airflow.connections import Account, account

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_FRESH = 30.0
"""Seconds for which a connection is not read again: a triggerer may start a thousand waits."""
_PATIENCE = 300.0
"""Seconds for which reading a connection is tried again: Airflow too may have a bad moment."""


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
        self.read_at = 0.0
        self.lock = asyncio.Lock()

    async def current(self) -> _Lease:
        """Return the lease to use, with one more user; read the connection if that is due."""
        async with self.lock:
            now = asyncio.get_running_loop().time()
            if self.lease is None or now - self.read_at > _FRESH:
                of = await _read(self.connection_id)
                if self.lease is None or self.lease.of != of:
                    old, self.lease = self.lease, _Lease(of)
                    await self._close_unused(old)
                self.read_at = now
            self.lease.users += 1
            return self.lease

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


def shared_client(connection_id: str) -> AbstractAsyncContextManager[HevoClient, None]:
    """Lend this event loop's client of a connection.

    Raises:
        AirflowNotFoundException: on entering, when there is no such connection.
        AirflowFailException: on entering, when it lacks something.
    """
    of_loop = _shared.setdefault(asyncio.get_running_loop(), {})
    return _Loan(of_loop.setdefault(connection_id, _Shared(connection_id)))


class _Loan:
    """A client, lent to one user; a wait holds it, so it weighs as little as can be."""

    __slots__ = ("_lease", "_shared")

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    async def __aenter__(self) -> HevoClient:
        self._lease = await self._shared.current()
        return self._lease.hevo

    async def __aexit__(self, *_: object) -> None:
        await self._shared.give_back(self._lease)


def _is_final(error: Exception) -> bool:
    return isinstance(error, AirflowNotFoundException)


@backoff.on_exception(
    backoff.expo, Exception, max_time=_PATIENCE, max_value=30, giveup=_is_final, logger=log
)
async def _connection(connection_id: str) -> object:
    return await get_async_connection(connection_id)


async def _read(connection_id: str) -> Account:
    try:
        return account(connection_id, await _connection(connection_id))
    except AirflowException:
        raise
    except Exception as error:
        raise AirflowException(f"connection {connection_id!r} cannot be read: {error}") from error
