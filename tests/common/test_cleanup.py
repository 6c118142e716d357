"""Clean-up that goes on to its end, however often the task that awaits it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hevo_edge._common.cleanup import add_note, ended, finish_cleanup


def cancel_at_each_turn(task: asyncio.Task[Any]) -> None:
    """Cancel a task again and again until it is done, as a scope of anyio does."""
    if not task.done():
        task.cancel()
        asyncio.get_running_loop().call_soon(cancel_at_each_turn, task)


def cancel_twice(task: asyncio.Task[Any]) -> None:
    task.cancel()
    task.cancel()


def cancel_now_and_soon(task: asyncio.Task[Any]) -> None:
    task.cancel()
    asyncio.get_running_loop().call_soon(task.cancel)


async def turns(count: int, done: list[str]) -> str:
    for _ in range(count):
        await asyncio.sleep(0)
    done.append("cleaned")
    return "cleaned"


@pytest.mark.parametrize("cancel", [cancel_at_each_turn, cancel_twice, cancel_now_and_soon])
async def test_it_ends_before_the_cancellation_is_raised(
    cancel: Callable[[asyncio.Task[Any]], None],
) -> None:
    done: list[str] = []

    async def main() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await finish_cleanup(turns(50, done), "a test")

    task = asyncio.create_task(main())
    await asyncio.sleep(1)
    cancel(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned"]
    assert task.cancelled()


async def test_without_a_cancellation_it_is_as_if_it_were_awaited() -> None:
    assert await finish_cleanup(turns(3, []), "a test") == "cleaned"

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await finish_cleanup(fail(), "a test")
    # However long it takes.
    await finish_cleanup(asyncio.sleep(1000), "a test")


async def test_a_cancellation_that_comes_meanwhile_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        await asyncio.sleep(5)
        raise ZeroDivisionError("no ticket")

    task = asyncio.create_task(finish_cleanup(fail(), "storing it"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "storing it failed: no ticket" in caplog.text


async def test_it_is_bounded_and_says_what_was_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    now = asyncio.get_running_loop().time

    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(30)
                return

    for cleanup in (asyncio.sleep(1000), stubborn()):
        task = asyncio.create_task(finish_cleanup(cleanup, "closing it", 10))
        await asyncio.sleep(1)
        start = now()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.5)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() - start <= 11.1
    assert caplog.text.count("closing it took longer than 10 s after a cancellation") == 2
    await asyncio.sleep(40)


async def test_tasks_that_were_cancelled_have_ended() -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await turns(20, done)

    async def main() -> None:
        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await ended(tasks, "a test")

    task = asyncio.create_task(main())
    await asyncio.sleep(1.0)
    await asyncio.sleep(0)
    cancel_at_each_turn(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned"] * 3


@pytest.mark.real_time
async def test_a_scope_of_anyio_does_not_wake_it_at_each_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anyio = pytest.importorskip("anyio")
    done: list[str] = []
    wakes = 0
    wait = asyncio.wait

    async def counting(*args: Any, **options: Any) -> Any:
        nonlocal wakes
        wakes += 1
        return await wait(*args, **options)

    async def cleanup() -> None:
        await asyncio.sleep(0.2)
        done.append("cleaned")

    async def work() -> None:
        with anyio.fail_after(0.05):
            try:
                await anyio.sleep(10)
            finally:
                await finish_cleanup(cleanup(), "a test")

    monkeypatch.setattr(asyncio, "wait", counting)
    with pytest.raises(TimeoutError):
        await work()
    assert done == ["cleaned"]
    assert wakes == 1


def test_notes_are_there_on_every_python() -> None:
    error = asyncio.CancelledError()
    add_note(error, "one")
    add_note(error, "two")
    assert error.__notes__ == ["one", "two"]  # type: ignore[attr-defined]
    if sys.version_info >= (3, 11):
        error.add_note("three")
        assert error.__notes__ == ["one", "two", "three"]
