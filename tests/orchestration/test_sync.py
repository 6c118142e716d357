"""run and run_in_thread: from synchronous code to the end of a coroutine."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
import time
from collections.abc import Callable
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

    # A process that was started in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
            coroutine = sync._ThreadRun(returns(5))
        with pytest.raises(KeyboardInterrupt):
            coroutine.result()

    inside(work)
    assert waits == 2


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
