"""Functions and coroutines in no caller's context."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from hevo_edge._common.contexts import steps_without_context, without_context

name: ContextVar[str] = ContextVar("name", default="nobody")


async def seen_after(seconds: float, *, fails: bool = False) -> list[str]:
    seen = [name.get()]
    await asyncio.sleep(seconds)
    seen.append(name.get())
    if fails:
        raise KeyError(*seen)
    return seen


def test_a_function_sees_an_empty_context_within_another() -> None:
    name.set("caller")
    assert without_context(lambda: without_context(name.get)) == "nobody"
    assert name.get() == "caller"


async def test_so_does_each_step_of_a_coroutine() -> None:
    name.set("caller")
    task = asyncio.current_task()

    async def both() -> object:
        inner = await steps_without_context(seen_after(1))
        assert asyncio.current_task() is task
        return inner

    assert await steps_without_context(both()) == ["nobody"] * 2
    assert name.get() == "caller"


async def test_what_it_raises_is_passed_on() -> None:
    with pytest.raises(KeyError) as raised:
        await steps_without_context(seen_after(0, fails=True))
    assert raised.value.args == ("nobody", "nobody")


async def test_a_cancellation_reaches_it_and_it_may_go_on() -> None:
    cleaned: list[str] = []

    async def cleans_up() -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cleaned.extend(await seen_after(1))
        return "opened"

    task = asyncio.ensure_future(steps_without_context(cleans_up()))
    await asyncio.sleep(1)
    task.cancel()
    assert await task == "opened"
    assert cleaned == ["nobody"] * 2


def test_closing_it_closes_the_coroutine() -> None:
    closed: list[bool] = []

    class Forever:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield

    async def work() -> None:
        try:
            await Forever()
        finally:
            closed.append(True)

    async def outer() -> None:
        await steps_without_context(work())

    coroutine = outer()
    coroutine.send(None)
    coroutine.close()
    assert closed == [True]
