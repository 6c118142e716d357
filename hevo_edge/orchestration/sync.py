"""From synchronous code: run a coroutine to its end, wherever the caller is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = [
    "run",
    "run_in_thread",
]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and return what it returns.

    Like ``asyncio.run``, in the caller's context; but where an event loop runs in this thread
    already (a notebook, an async framework that called synchronous code), the coroutine runs in a
    thread of its own, and that loop waits. What a signal handler raises meanwhile, such as the
    KeyboardInterrupt of Ctrl-C, cancels the coroutine.

    Args:
        coroutine: Must make and close its own ``HevoClient``: a client in use in another running
            loop cannot be used here.

    Raises:
        HevoError: and whatever else the coroutine raises.
    """
    if not _is_in_loop():
        return asyncio.run(coroutine)
    return _ThreadRun(coroutine).result()


def run_in_thread(work: Callable[[], None], seconds: float) -> bool:
    """Do some work in a thread, for a signal handler; say whether it was over in time.

    A signal handler interrupts the main thread wherever it is, in a running loop as well, so
    nothing of that thread can be used.

    Args:
        work: What to do; it goes on in the background when the time is over.
        seconds: How long to wait for it.
    """
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


class _ThreadRun(Generic[T]):
    """A coroutine that runs in a thread and an event loop of its own."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._cancel: Callable[[], object] | None = None
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._is_over = threading.Event()

    def result(self) -> T:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work,))
        thread.start()
        try:
            self._is_over.wait()  # a join() that is interrupted takes the thread for dead
        except BaseException:
            # Ctrl-C: nobody waits for the result any more.
            if (cancel := self._cancel) is not None:
                with suppress(RuntimeError):  # the loop has just been closed
                    cancel()
            self._is_over.wait()
            raise
        finally:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _work(self) -> None:
        try:
            self._results.append(asyncio.run(self._cancellable()))
        except BaseException as error:  # noqa: BLE001 -- raised in the caller's thread
            self._errors.append(error)
        finally:
            self._is_over.set()

    async def _cancellable(self) -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- this is a coroutine of asyncio.run
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await self._coroutine
        finally:
            self._cancel = None


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
