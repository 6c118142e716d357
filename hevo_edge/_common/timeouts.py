"""A bound in time for what may be cancelled at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlinePassed(Exception):
    """A deadline came first; what was bounded by it has been cancelled."""


async def within(deadline: float | None, work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, if that is before a loop time (seconds).

    ``asyncio.timeout`` came with Python 3.11, and ``asyncio.wait_for`` of 3.10 can lose a
    cancellation.

    Raises:
        DeadlinePassed: when the deadline came first; the coroutine has ended by then.
    """
    if deadline is None:
        return await work
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    try:
        await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled():
        raise DeadlinePassed
    return task.result()


@asynccontextmanager
async def locked(lock: asyncio.Lock, deadline: float | None) -> AsyncGenerator[None, None]:
    """Hold a lock, if it is acquired before a loop time (seconds).

    Raises:
        DeadlinePassed: when the deadline came first.
    """
    if deadline is None:
        async with lock:
            yield
        return
    loop = asyncio.get_running_loop()
    acquiring = loop.create_task(lock.acquire())
    try:
        await asyncio.wait({acquiring}, timeout=max(0.0, deadline - loop.time()))
        if not acquiring.done():
            raise DeadlinePassed
        yield
    finally:
        acquiring.cancel()
        await asyncio.wait({acquiring})
        if not acquiring.cancelled():
            lock.release()
