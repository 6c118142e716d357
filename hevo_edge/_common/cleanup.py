"""Clean-up that awaits, and goes on to its end however often its task is cancelled.

A second cancellation would cut it off where it stands: two ``task.cancel()`` in a row, a user who
goes away while the server shuts down, or anyio, whose scopes cancel anew at each turn of the loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Awaitable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from hevo_edge._common.per_loop import running_loop
from hevo_edge._text.logger import get_logger

T = TypeVar("T")
log: logging.Logger = get_logger("hevo_edge")

GRACE = 10.0
"""Seconds that clean-up has left once the task that awaits it is cancelled."""
_LAST_GRACE = 1.0
"""Seconds in which clean-up that is cut off must end."""


async def finish_cleanup(cleanup: Awaitable[T], what: str, grace: float = GRACE) -> T:
    """Await clean-up to its end; a cancellation meanwhile is raised when that has come.

    Args:
        cleanup: What to await; a coroutine runs in a task of its own.
        what: What a warning calls it when it has to be cut off.
        grace: Seconds that it has left from the first cancellation on.

    Raises:
        CancelledError: when this task was cancelled meanwhile, whatever came of the clean-up.
        Exception: else what the clean-up raises.
    """
    task = asyncio.ensure_future(cleanup, loop=running_loop())
    interrupt = await _outlast({task}, what, grace)
    if interrupt is None:
        return task.result()
    if task.done() and not task.cancelled() and task.exception() is not None:
        log.warning("%s failed: %s", what, task.exception())
    raise interrupt


async def ended(tasks: Iterable[asyncio.Future[Any]], what: str, grace: float = GRACE) -> None:
    """Wait until tasks that were cancelled have ended; what they raise is not looked at.

    Raises:
        CancelledError: when this task was cancelled meanwhile.
    """
    interrupt = await _outlast(set(tasks), what, grace)
    if interrupt is not None:
        raise interrupt


async def _outlast(
    tasks: set[asyncio.Future[Any]], what: str, grace: float
) -> asyncio.CancelledError | None:
    """Wait until tasks are done; return the first cancellation that came meanwhile."""
    now = running_loop().time
    interrupt: asyncio.CancelledError | None = None
    deadline = math.inf
    was_cut_off = False
    with _anyio_shield():
        while pending := {task for task in tasks if not task.done()}:
            left = None if interrupt is None else deadline - now()
            if left is not None and left <= 0:
                if was_cut_off:
                    break
                log.warning("%s took longer than %g s after a cancellation: cut off", what, grace)
                for task in pending:
                    task.cancel()
                    task.add_done_callback(_retrieve_error)
                was_cut_off, deadline = True, now() + _LAST_GRACE
                continue
            try:
                await asyncio.wait(pending, timeout=left)
            except asyncio.CancelledError as error:
                if interrupt is None:
                    interrupt, deadline = error, now() + grace
    return interrupt


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error, as ``add_note`` does from Python 3.11 on."""
    notes: list[str] = [*getattr(error, "__notes__", ()), note]
    vars(error)["__notes__"] = notes


def _retrieve_error(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _anyio_shield() -> AbstractContextManager[Any]:
    """Shield from anyio, if it is in use: its scopes would wake this task at each turn."""
    anyio: Any = sys.modules.get("anyio")
    return nullcontext() if anyio is None else anyio.CancelScope(shield=True)
