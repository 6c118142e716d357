"""From synchronous code: run a coroutine to its end, wherever the caller is."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from hevo_edge._common.per_loop import has_loop

__all__ = [
    "run",
    "run_in_thread",
]

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CHECK_EVERY = 0.5
"""Seconds after which a thread that waits can be interrupted: some engines raise errors in it."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and return what it returns.

    Like ``asyncio.run``, in the caller's context; but where an event loop runs in this thread
    already (a notebook, an async framework that called synchronous code), the coroutine runs in a
    thread of its own, and that loop waits. What a signal handler raises meanwhile, such as the
    KeyboardInterrupt of Ctrl-C, cancels the coroutine, and is raised when that has cleaned up.

    Args:
        coroutine: Must make and close its own ``HevoClient``: a client in use in another running
            loop cannot be used here.

    Raises:
        HevoError: and whatever else the coroutine raises.
    """
    if not has_loop():
        return _run_here(coroutine)
    handover = Handover(coroutine)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(handover.run,))
    thread.start()
    try:
        return handover.result()
    finally:
        thread.join()


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


def _run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread, where signal handlers may raise.

    asyncio swallows what one raises while the loop runs a callback, but for KeyboardInterrupt and
    SystemExit: so such handlers are called by the loop itself, and what they raise is kept.
    """
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = {number: each for number, each in handlers.items() if _may_raise(each)}
    if not ours or threading.current_thread() is not threading.main_thread():
        return asyncio.run(coroutine)
    raised: list[BaseException] = []

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- this is a coroutine of asyncio.run

        def handle(number: int) -> None:
            try:
                ours[number](number, None)
            except BaseException as error:  # noqa: BLE001 -- raised when the coroutine has ended
                raised.append(error)
                task.cancel()

        try:
            for number in ours:
                loop.add_signal_handler(number, handle, number)
        except NotImplementedError:  # on Windows
            return await coroutine
        try:
            return await coroutine
        finally:
            for number, handler in ours.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    try:
        return asyncio.run(cancellable())
    finally:
        if raised:
            raise raised[0]


def _may_raise(handler: Any) -> bool:
    """Say whether a handler is somebody's own; asyncio knows what to do with Python's."""
    return callable(handler) and handler is not signal.default_int_handler


class Handover(Generic[T]):
    """A coroutine that runs in another thread, while its caller waits.

    Args:
        coroutine: What ``main`` awaits.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._cancel: Callable[[], object] | None = None
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._is_over = threading.Event()

    def result(self) -> T:
        """Wait, and return what the coroutine returns; what is raised here cancels it.

        Raises:
            BaseException: what the coroutine raises.
        """
        try:
            while not self._is_over.wait(_CHECK_EVERY):
                pass
        except BaseException:
            # Ctrl-C: nobody waits for the result any more.
            if (cancel := self._cancel) is not None:
                with suppress(RuntimeError):  # the loop has just been closed
                    cancel()
            self._is_over.wait()
            raise
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def run(self) -> None:
        """Run it to its end in this thread, in a loop of its own."""
        try:
            asyncio.run(self.main())
        except BaseException as error:  # noqa: BLE001 -- raised in the caller's thread
            self._errors.append(error)
        finally:
            self._is_over.set()

    async def main(self) -> None:
        """Run it to its end in this loop."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- this is a coroutine of a task
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            self._results.append(await self._coroutine)
        except BaseException as error:  # noqa: BLE001 -- raised in the caller's thread
            self._errors.append(error)
        finally:
            self._cancel = None
            self._is_over.set()
