"""From synchronous code: run a coroutine to its end, wherever the caller is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, and return what it returns.

    Like ``asyncio.run``, in the caller's context; but where an event loop runs in this thread
    already (a notebook, an async framework that called synchronous code), the coroutine runs in a
    thread of its own, and that loop waits.

    Args:
        coroutine: Must make and close its own ``HevoClient``: a client in use in another running
            loop cannot be used here.

    Raises:
        HevoError: and whatever else the coroutine raises.
    """
    if not _is_in_loop():
        return asyncio.run(coroutine)
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 -- raised below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


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


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
