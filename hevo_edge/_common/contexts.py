"""What callers share runs in no caller's context: neither its ``contextvars`` nor their values.

asyncio gives each timer, task and connection a copy of the context in which it was made. What goes
on when that caller has ended would run with a stranger's request id, log and trace with it, and
keep all that it holds in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def without_context(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function in an empty context; what it makes in the event loop has one as well."""
    return Context().run(function, *args, **kwargs)


@coroutine
def steps_without_context(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await a coroutine whose steps run in an empty context.

    In the caller's task: with one of its own, a cancellation could come between its end and ours,
    and what it has opened would be lost.
    """
    context = Context()
    step: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waits_for = context.run(step)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            step = partial(work.send, (yield waits_for))
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 -- raised in the coroutine
            step = partial(work.throw, error)
