"""One event loop for the threads of a process, so that a hundred of them share a client.

With a loop for each thread, each has a client, connections and polls of its own, and all of them
compete for the interpreter.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from hevo_edge._common.per_loop import has_loop, running_loop
from hevo_edge.orchestration.sync import Handover, run

__all__ = ["run_shared"]

T = TypeVar("T")


def run_shared(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, as ``run`` does; all threads but the main one share a loop.

    So they can share a client, by a ``ClientPool``. The loop runs while somebody uses it. The
    coroutine has the caller's context variables; what is raised in the caller's thread meanwhile
    cancels it, and is raised when it has cleaned up.

    Args:
        coroutine: Must take its ``HevoClient`` from a ``ClientPool``, or make its own.

    Raises:
        HevoError: and whatever else the coroutine raises.
    """
    if threading.current_thread() is threading.main_thread() or has_loop():
        return run(coroutine)
    handover = Handover(coroutine)
    loop = _enter()
    try:
        # With the context variables of this thread.
        asyncio.run_coroutine_threadsafe(handover.main(), loop.loop)
        return handover.result()
    finally:
        _leave(loop)


class _LoopThread:
    """A thread that runs an event loop while it has users."""

    loop: asyncio.AbstractEventLoop
    _is_over: asyncio.Event

    def __init__(self) -> None:
        self.users = 0
        self._has_started = threading.Event()
        # A daemon, for a program that ends while others wait: they keep it waiting, not this.
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._has_started.wait()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self.loop, self._is_over = running_loop(), asyncio.Event()
        self._has_started.set()
        await self._is_over.wait()


class _State:
    lock = threading.Lock()
    current: _LoopThread | None = None


def _enter() -> _LoopThread:
    """Return the thread that runs, or start one."""
    with _State.lock:
        entered = _State.current
        if entered is None:
            entered = _State.current = _LoopThread()
            entered.start()
        entered.users += 1
    return entered


def _leave(entered: _LoopThread) -> None:
    """Stop the thread, if nobody else uses it."""
    with _State.lock:
        entered.users -= 1
        is_unused = entered.users == 0
        if is_unused and _State.current is entered:
            _State.current = None
    if is_unused:
        entered.stop()


def _forget() -> None:
    """In a forked child there is no such thread."""
    _State.lock, _State.current = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
