"""Deadlines for coroutines and locks, without a lost cancellation and without a lock left held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from hevo_edge._common.cleanup import ended
from hevo_edge._common.per_loop import running_loop

T = TypeVar("T")


class DeadlinePassed(Exception):
    """A deadline passed first; what it bounded was cancelled."""


class Overtaken(Exception):
    """Something else happened first, after which the lock is not wanted any more.

    Attributes:
        by: The result of the future that says so.
    """

    def __init__(self, by: Any) -> None:
        super().__init__(by)
        self.by: Any = by


async def within(deadline: float | None, work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, if it ends before a loop time (seconds).

    ``asyncio.timeout`` came with Python 3.11, and ``asyncio.wait_for`` of 3.10 can lose a
    cancellation.

    Raises:
        DeadlinePassed: when the deadline passed first; the coroutine has ended by then.
    """
    if deadline is None:
        return await work
    loop = running_loop()
    task = loop.create_task(work)
    has_passed = False
    try:
        await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
        has_passed = not task.done()
    finally:
        # When this task was cancelled, nobody else retrieves the error of the other.
        task.add_done_callback(_retrieve_error)
        if not task.done():
            task.cancel()
            await ended([task], "ending what took too long")
    if has_passed and task.cancelled():
        raise DeadlinePassed
    return task.result()


@asynccontextmanager
async def locked(
    lock: asyncio.Lock, deadline: float | None, *, unless: asyncio.Future[Any] | None = None
) -> AsyncGenerator[None, None]:
    """Hold a lock, if it can be acquired before a loop time (seconds).

    Args:
        lock: The lock.
        deadline: The loop time; None for no limit.
        unless: Stop waiting for the lock when this future is done.

    Raises:
        DeadlinePassed: when the deadline passed first.
        Overtaken: when ``unless`` was done first.
    """
    if deadline is None and unless is None:
        async with lock:
            yield
        return
    loop = running_loop()
    acquiring = loop.create_task(lock.acquire())
    first: set[asyncio.Future[Any]] = {acquiring} if unless is None else {acquiring, unless}
    left = None if deadline is None else max(0.0, deadline - loop.time())
    try:
        await asyncio.wait(first, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not acquiring.done():
            if unless is not None and unless.done():
                raise Overtaken(unless.result())
            raise DeadlinePassed
        acquiring.result()  # raises when the loop's shutdown has cancelled it
        yield
    finally:
        if not acquiring.done():
            acquiring.cancel()
            await ended([acquiring], "leaving the queue of a lock")
        elif not acquiring.cancelled():
            # Without an await, which could be cancelled and leave the lock held for ever.
            lock.release()


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
