"""run and run_in_thread: from synchronous code to the end of a coroutine."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError, NotFound
from hevo_edge.orchestration import run, run_in_thread, sync

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


async def returns(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def raises(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


def outside(work: Callable[[], Any]) -> Any:
    return work()


def inside(work: Callable[[], Any]) -> Any:
    """Call synchronous code from a coroutine, as a notebook does."""

    async def main() -> Any:
        return work()

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


PLACES = pytest.mark.parametrize("place", [outside, inside])


@PLACES
@pytest.mark.parametrize("value", [None, 5, [1, 2]])
def test_what_a_coroutine_returns_is_returned(place: Any, value: Any) -> None:
    assert place(lambda: run(returns(value))) is value


@PLACES
@pytest.mark.parametrize(
    "error", [ConfigurationError("no"), ValueError("no"), KeyboardInterrupt(), SystemExit(3)]
)
def test_what_a_coroutine_raises_is_raised(place: Any, error: BaseException) -> None:
    def work() -> None:
        with pytest.raises(type(error)) as caught:
            run(raises(error))
        assert caught.value is error or isinstance(error, (KeyboardInterrupt, SystemExit))

    place(work)


@PLACES
def test_the_context_is_the_callers(place: Any) -> None:
    async def read() -> str:
        return VARIABLE.get()

    def work() -> str:
        VARIABLE.set("of the caller")
        return run(read())

    assert contextvars.copy_context().run(place, work) == "of the caller"


@pytest.mark.real_time
async def test_a_client_works_inside_a_running_loop() -> None:
    with HevoEmulator(rate_limit=None) as emulator:
        emulator.add_pipeline(123)

        async def read(pipeline_id: int) -> Any:
            async with HevoClient(
                emulator.api_key, emulator.api_secret, base_url=emulator.base_url
            ) as hevo:
                return (await hevo.get_pipeline(pipeline_id)).status

        assert run(read(123)) == "INITIALIZED"
        with pytest.raises(NotFound):
            run(read(404))


def interrupt_when(started: threading.Event) -> threading.Thread:
    """Press Ctrl-C when something has started."""

    def press() -> None:
        started.wait(10)
        time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@PLACES
def test_ctrl_c_cancels_the_coroutine(place: Any) -> None:
    started, ends = threading.Event(), []

    async def works() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    def work() -> None:
        with pytest.raises(KeyboardInterrupt):
            run(works())
        assert ends == ["cancelled"]

    pressing = interrupt_when(started)
    place(work)
    pressing.join()


def test_ctrl_c_that_comes_when_the_loop_is_closed_raises_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = 0

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal waits
            super().wait(timeout)
            waits += 1
            if waits == 1:
                raise KeyboardInterrupt
            return True

    def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading, "Event", Interrupted)
            handover = sync.Handover(returns(5))
        thread = threading.Thread(target=handover.run)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            handover.result()
        thread.join()

    inside(work)
    assert waits == 2


class Interrupted(BaseException):
    """What an orchestrator's signal handler raises."""


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that an orchestrator's handler has got, which raises each time."""
    got: list[int] = []

    def handle(number: int, _frame: object) -> None:
        got.append(number)
        raise Interrupted

    before = signal.signal(signal.SIGTERM, handle)
    yield got
    assert signal.getsignal(signal.SIGTERM) is handle, "the handler is there again"
    signal.signal(signal.SIGTERM, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("late", [0.0, 0.05], ids=["in a callback", "in the selector"])
def test_what_a_handler_raises_cancels_wherever_the_loop_is(
    handled: list[int], late: float
) -> None:
    cleaned: list[str] = []

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        if late:
            threading.Timer(late, terminate).start()
        else:
            # asyncio swallows what is raised in a callback, but for two exceptions.
            loop.call_soon(terminate)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            cleaned.append("cleaned up")
            raise

    with pytest.raises(Interrupted):
        run(waits())
    assert cleaned == ["cleaned up"]
    assert handled == [signal.SIGTERM]


def test_what_a_handler_raises_is_not_lost_where_the_coroutine_ends_otherwise(
    handled: list[int],
) -> None:
    async def ends(error: Exception | None) -> None:
        terminate()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if error is not None:
                raise error from None

    for error in (None, ValueError("while cleaning up")):
        with pytest.raises(Interrupted):
            run(ends(error))


def test_a_handler_that_returns_cancels_nothing() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:

        async def goes_on() -> int:
            terminate()
            await asyncio.sleep(0.01)
            return 5

        assert run(goes_on()) == 5
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]


def test_in_another_thread_signals_are_none_of_its_business(handled: list[int]) -> None:
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(run(returns(5))))
    thread.start()
    thread.join()
    assert results == [5]


# -- run_in_thread --------------------------------------------------------------------------------


def test_work_that_is_over_in_time() -> None:
    done: list[int] = []
    assert run_in_thread(lambda: done.append(1), 10)
    assert done == [1]


def test_work_that_takes_longer_goes_on_in_the_background() -> None:
    go_on, done = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(10)
        done.set()

    assert not run_in_thread(work, 0.01)
    go_on.set()
    assert done.wait(10)


def test_work_may_run_an_event_loop_of_its_own_while_one_runs_here() -> None:
    results: list[int] = []

    def work() -> None:
        results.append(asyncio.run(returns(5)))

    assert inside(lambda: run_in_thread(work, 10))
    assert results == [5]
