"""Deadlines for coroutines and locks: punctual, and nothing is left behind, however they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hevo_edge._common.timeouts import DeadlinePassed, locked, within

STEPS = 16
"""More iterations of the event loop than any case below takes between two sleeps."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def iterations(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def cancelled_after(
    work: Callable[[], Coroutine[Any, Any, Any]], *moments: int, start: float = 0.0
) -> BaseException | None:
    """Run a coroutine and cancel it so many iterations after a time, perhaps twice.

    Returns what it raised, and checks that a cancellation is never lost.
    """
    task = asyncio.create_task(work())
    if start:
        await asyncio.sleep(start)
    is_cancelled = False
    for moment in moments:
        await iterations(moment)
        is_cancelled = task.cancel() or is_cancelled
    await asyncio.wait({task})
    await iterations(STEPS)
    assert task.cancelled() or not is_cancelled, "a cancellation was lost"
    return asyncio.CancelledError() if task.cancelled() else task.exception()


# -- within ---------------------------------------------------------------------------------------


async def test_what_ends_in_time_is_returned() -> None:
    async def work() -> int:
        await asyncio.sleep(1)
        return 5

    assert await within(None, work()) == 5
    assert await within(now() + 2, work()) == 5
    with pytest.raises(ZeroDivisionError):
        await within(now() + 2, fails())
    assert not others()


async def fails() -> int:
    await asyncio.sleep(0)
    return 1 // 0


@pytest.mark.parametrize("seconds", [-5, 0, 3])
async def test_what_takes_too_long_is_cancelled_and_has_ended(seconds: float) -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await iterations(3)
            log.append("ended")

    start = now()
    with pytest.raises(DeadlinePassed):
        await within(start + seconds, work())
    assert now() - start == pytest.approx(max(seconds, 0), abs=0.01)
    assert log == ["ended"]
    assert not others()


async def test_an_error_while_it_is_cancelled_is_raised() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            raise ValueError("cannot clean up")

    with pytest.raises(ValueError, match="clean up"):
        await within(now() + 1, work())


async def test_a_coroutine_that_is_cancelled_from_within_is_not_late() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await within(now() + 1, work())


@pytest.mark.parametrize("duration", [0.0, 2.0, 3.0, 9.0])
@pytest.mark.parametrize("start", [0.0, 2.0, 3.0])
async def test_within_may_be_cancelled_at_every_moment(duration: float, start: float) -> None:
    """At first, when the coroutine ends, and at the deadline, by one cancel or by two."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async def work() -> None:
        await asyncio.sleep(duration)
        raise KeyError("an error that nobody may be there to retrieve")

    async def bounded() -> None:
        await within(now() + 3, work())

    raised = set()
    for first in range(STEPS):
        for moments in [(first,), *((first, second) for second in range(4))]:
            raised.add(type(await cancelled_after(bounded, *moments, start=start)))
            assert not others()
    assert raised <= {asyncio.CancelledError, DeadlinePassed, KeyError}
    assert (asyncio.CancelledError in raised) is (start <= duration)
    assert not unhandled


# -- locked ---------------------------------------------------------------------------------------


async def held_for(lock: asyncio.Lock, seconds: float) -> None:
    async with lock:
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("has_deadline", [True, False])
async def test_a_lock_is_held_and_released(has_deadline: bool) -> None:
    lock = asyncio.Lock()
    holding = asyncio.create_task(held_for(lock, 2))
    await iterations(1)

    async def work() -> None:
        async with locked(lock, now() + 3 if has_deadline else None):
            assert holding.done()
            assert lock.locked()
            raise KeyError

    with pytest.raises(KeyError):
        await work()
    assert not lock.locked()
    assert not others()


@pytest.mark.parametrize("seconds", [-1, 0, 3])
async def test_a_lock_that_is_held_for_longer_is_not_waited_for(seconds: float) -> None:
    lock = asyncio.Lock()
    holding = asyncio.create_task(held_for(lock, 9))
    await iterations(1)
    start = now()
    with pytest.raises(DeadlinePassed):
        async with locked(lock, start + seconds):
            pytest.fail("it cannot be held")
    assert now() - start == pytest.approx(max(seconds, 0), abs=0.01)
    assert others() == {holding}
    await holding
    assert not lock.locked()


@pytest.mark.parametrize("held", [0.0, 2.0, 3.0, 9.0])
@pytest.mark.parametrize("start", [0.0, 2.0, 3.0])
async def test_a_lock_is_never_left_held(held: float, start: float) -> None:
    """Cancelled at first, when the lock is released, at the deadline; by one cancel or by two."""

    async def work(lock: asyncio.Lock) -> None:
        async with locked(lock, now() + 3):
            assert lock.locked()
            await iterations(3)

    errors = set()
    for first in range(STEPS):
        for moments in [(first,), *((first, second) for second in range(4))]:
            lock = asyncio.Lock()
            holding = asyncio.create_task(held_for(lock, held))
            await iterations(1)
            error = await cancelled_after(lambda lock=lock: work(lock), *moments, start=start)  # type: ignore[misc]
            errors.add(type(error))
            await holding
            await iterations(STEPS)
            assert not lock.locked(), (moments, error)
            assert not others()
            async with locked(lock, now() + 1):
                assert lock.locked()
    assert errors <= {asyncio.CancelledError, DeadlinePassed, type(None)}
    assert (asyncio.CancelledError in errors) is (start <= held)


async def test_a_lock_that_others_wait_for_goes_to_the_next() -> None:
    """Whoever is cancelled while the lock is handed over does not keep it from the others."""
    for moment in range(STEPS):
        lock = asyncio.Lock()
        holding = asyncio.create_task(held_for(lock, 1))
        await iterations(1)
        order: list[str] = []

        async def work(name: str, lock: asyncio.Lock = lock, order: list[str] = order) -> None:
            async with locked(lock, now() + 5):
                order.append(name)

        first = asyncio.create_task(work("first"))
        await iterations(2)
        second = asyncio.create_task(work("second"))
        await asyncio.sleep(1)
        await iterations(moment)
        first.cancel()
        await asyncio.wait({holding, first, second})
        assert order in (["first", "second"], ["second"])
        assert not lock.locked()


async def test_a_shutdown_that_cancels_the_inner_task_does_not_enter() -> None:
    lock = asyncio.Lock()
    holding = asyncio.create_task(held_for(lock, 5))
    await iterations(1)

    async def work() -> None:
        async with locked(lock, now() + 9):
            pytest.fail("it cannot be held")

    before = asyncio.all_tasks()
    task = asyncio.create_task(work())
    await iterations(2)
    (inner,) = asyncio.all_tasks() - before - {task}
    inner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lock.locked()
    await holding
