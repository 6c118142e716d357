"""One client for each account and event loop: a daemon's waits share polls and call budget."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakKeyDictionary

import backoff

from hevo_edge._common.per_loop import running_loop
from hevo_edge._text.logger import get_logger
from hevo_edge.client import HevoClient
from hevo_edge.errors import ConfigurationError
from hevo_edge.observing import Observer
from hevo_edge.orchestration.account import Account

__all__ = [
    "ClientPool",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")

MAX_AGE = 30.0
"""Seconds for which an account is not read again: a daemon may start a thousand waits."""
PATIENCE = 300.0
"""Seconds for which reading an account is tried again."""
MAX_WAIT = 30.0
"""Seconds, at most, between two tries: anything from none to a ceiling that doubles."""
MAX_IDLE = 100
"""How many clients of an event loop are kept, those in use aside; the longest unused go first."""
ReadAccount = Callable[[Any], Awaitable[Account]]
"""Reads the account that goes by a key."""
_SHARED_FAILURE = 0.5
"""Seconds for which those who wait share a failure, instead of each meeting it by itself."""


class ClientPool:
    """Lends one client to all who use an account in an event loop.

    The present client of a key stays open until its loop ends, with what its limiter knows, unless
    it is the longest unused of more than a hundred. When the account has changed, new leases get a
    new client; the old one is closed with its last lease.

    Args:
        is_gone: Says of an error of ``read`` that there is no such account: reading is not tried
            again, and nobody gets the client that it had.
        keeps_unused: Whether a client stays open that nobody uses, as a daemon's should; False
            where loops come and go.
        observer: What the clients tell of what they do.
    """

    def __init__(
        self,
        is_gone: Callable[[Exception], bool] | None = None,
        *,
        keeps_unused: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self._is_gone: Callable[[Exception], bool] = is_gone or _is_never_gone
        self._keeps_unused = keeps_unused
        self._observer = observer
        self._of_loop: WeakKeyDictionary[
            asyncio.AbstractEventLoop, OrderedDict[Hashable, _SharedClient]
        ] = WeakKeyDictionary()

    def lease(
        self,
        key: Hashable,
        read: ReadAccount,
        *,
        patience: float = PATIENCE,
        max_age: float | None = MAX_AGE,
    ) -> AbstractAsyncContextManager[HevoClient, None]:
        """Lend the running loop's client of an account.

        Args:
            key: What the account goes by: the id of a connection, or a block's name.
            read: Reads the account that goes by the key. A function of a module, so that a thousand
                leases hold one.
            patience: Seconds for which the first read is tried again, 300 at most; a
                ConfigurationError is raised at once.
            max_age: Seconds after which it is read again; None not to read it again. While it
                cannot be read, leases get the client that is there.

        Raises:
            ConfigurationError: on entering, for what is wrong with the account.
            Exception: on entering, what ``read`` raises.
        """
        of_loop = self._of_loop.setdefault(running_loop(), OrderedDict())
        shared = of_loop.setdefault(
            key, _SharedClient(key, self._is_gone, of_loop, self._keeps_unused, self._observer)
        )
        of_loop.move_to_end(key)
        return _Lease(shared, read, min(patience, PATIENCE), max_age)


class _Leased:
    """A client, and how many use it."""

    def __init__(self, account: Account, observer: Observer | None) -> None:
        self.account = account
        self.hevo: HevoClient = account.client(observer=observer)
        self.users = 0


class _SharedClient:
    """The clients of one key: the present one, and older ones until nobody uses them."""

    def __init__(
        self,
        key: Hashable,
        is_gone: Callable[[Exception], bool],
        of_loop: OrderedDict[Hashable, _SharedClient],
        keeps_unused: bool,
        observer: Observer | None,
    ) -> None:
        self._keeps_unused = keeps_unused
        self._observer = observer
        self._key = key
        self._is_gone = is_gone
        self._of_loop = of_loop
        self._leased: _Leased | None = None
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._failure: Exception | None = None
        self._lock = asyncio.Lock()

    @property
    def is_in_use(self) -> bool:
        """Whether somebody uses its client, or is reading its account."""
        return self._lock.locked() or (self._leased is not None and self._leased.users > 0)

    async def take(self, read: ReadAccount, patience: float, max_age: float | None) -> _Leased:
        """Return the client to use, with one more user; read the account if that is due.

        Where accounts are kept may have an outage. Then a client that is there goes on; without
        one, reading is tried again for ``patience`` seconds.
        """
        if self._leased is None:
            await self._read_patiently(read, patience)
        elif max_age is not None and _now() - self._read_at > max_age:
            try:
                await self._read(read, max_age)
            except Exception as error:
                if self._is_gone(error):
                    raise
                log.warning("account %r cannot be read again: %s", self._key, error)
        assert self._leased is not None  # noqa: S101 -- it was read
        self._leased.users += 1
        return self._leased

    async def _read_patiently(self, read: ReadAccount, patience: float) -> None:
        """Read the account for the first time, and try again for so many seconds."""
        give_up = _now() + patience
        ceilings = backoff.expo(max_value=MAX_WAIT)
        next(ceilings)
        while True:
            try:
                return await self._read(read, math.inf)
            except Exception as error:
                left = give_up - _now()
                if left <= 0 or self._is_final(error):
                    raise
                wait = min(backoff.full_jitter(next(ceilings)), left)
                log.info("reading account %r again in %.1f s: %s", self._key, wait, error)
            await asyncio.sleep(wait)

    async def give_back(self, leased: _Leased) -> None:
        """Count a user less; close a client that is not the present one, and the longest unused."""
        leased.users -= 1
        if leased is not self._leased:
            await _close_unused(leased)
        elif not self._keeps_unused and not self.is_in_use:
            await self.close_unused()
        for key in list(self._of_loop)[: max(0, len(self._of_loop) - MAX_IDLE)]:
            shared = self._of_loop.get(key)
            if shared is not None and not shared.is_in_use:
                del self._of_loop[key]
                await shared.close_unused()

    async def close_unused(self) -> None:
        """Close the present client, unless somebody uses it."""
        unused, self._leased = self._leased, None
        await _close_unused(unused)

    def _is_final(self, error: Exception) -> bool:
        return isinstance(error, ConfigurationError) or self._is_gone(error)

    async def _read(self, read: ReadAccount, max_age: float) -> None:
        """Read the account, and make a client if it has changed; once for all who wait."""
        async with self._lock:
            if self._leased is not None and _now() - self._read_at <= max_age:
                return
            if self._failure is not None and _now() - self._failed_at < _SHARED_FAILURE:
                raise self._failure
            try:
                account = await read(self._key)
                changed = self._leased is None or self._leased.account != account
                new = _Leased(account, self._observer) if changed else self._leased
            except Exception as error:
                self._failed_at, self._failure = _now(), error
                if not self._is_gone(error):
                    # A client that is there serves on; the next read is due after ``max_age``.
                    self._read_at = _now()
                raise
            self._read_at, self._failure = _now(), None
            old, self._leased = self._leased, new
            if changed:
                await _close_unused(old)


class _Lease:
    """A client, lent to one user; a wait holds it, so it weighs as little as can be."""

    __slots__ = ("_leased", "_max_age", "_patience", "_read", "_shared")

    def __init__(
        self,
        shared: _SharedClient,
        read: ReadAccount,
        patience: float,
        max_age: float | None,
    ) -> None:
        self._shared = shared
        self._read = read
        self._patience = patience
        self._max_age = max_age

    async def __aenter__(self) -> HevoClient:
        self._leased = await self._shared.take(self._read, self._patience, self._max_age)
        return self._leased.hevo

    async def __aexit__(self, *_: object) -> None:
        await self._shared.give_back(self._leased)


def _is_never_gone(_: Exception) -> bool:
    return False


async def _close_unused(leased: _Leased | None) -> None:
    if leased is not None and leased.users == 0:
        await leased.hevo.close()


def _now() -> float:
    return running_loop().time()
