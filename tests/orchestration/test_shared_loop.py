"""run_shared: the threads of a process, one event loop, and one client."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Account, ClientPool, run_shared, shared_loop

pytestmark = pytest.mark.real_time

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE")
THREADS = 20


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def threads() -> set[str]:
    return {each.name for each in threading.enumerate()}


def test_threads_share_a_loop_with_the_context_of_each() -> None:
    together = threading.Barrier(THREADS)

    async def look(number: int) -> tuple[Any, int]:
        await asyncio.sleep(0.3)
        return asyncio.get_running_loop(), VARIABLE.get() - number

    def work(number: int) -> Any:
        together.wait(30)
        context = contextvars.copy_context()
        context.run(VARIABLE.set, number)
        return context.run(run_shared, look(number))

    before = threads()
    seen = in_threads(work)
    assert {difference for _, difference in seen} == {0}
    assert len({loop for loop, _ in seen}) == 1
    assert threads() == before, "nothing is left behind"


def test_they_share_a_client() -> None:
    with HevoEmulator(speed=100.0, rate_limit=None) as emulator:
        emulator.add_pipeline(7, duration=50)
        account = Account.parse(
            login=emulator.api_key, password=emulator.api_secret, host=emulator.base_url
        )
        pool, clients = ClientPool(keeps_unused=False), set()
        together = threading.Barrier(THREADS)

        async def read(_: Account) -> Account:
            return account

        async def use() -> None:
            async with pool.lease(account, read, max_age=None) as hevo:
                clients.add(id(hevo._core))
                await hevo.pipeline(7).refresh()
                await asyncio.sleep(0.3)

        def work(_: int) -> None:
            together.wait(30)
            run_shared(use())

        in_threads(work)
        assert len(clients) == 1


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3), KeyboardInterrupt()])
def test_what_one_raises_is_its_own(error: BaseException) -> None:
    together = threading.Barrier(2)

    async def raises() -> None:
        raise error

    async def returns() -> int:
        await asyncio.sleep(0.2)
        return 5

    def work(number: int) -> Any:
        together.wait(30)
        if number:
            return run_shared(returns())
        with pytest.raises(type(error)) as caught:
            run_shared(raises())
        return caught.value

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [error, 5]


def test_who_is_interrupted_cancels_its_own_and_waits_for_its_clean_up() -> None:
    """As Prefect interrupts the thread of a task whose time is over."""

    class Interrupted(Exception):
        pass

    has_begun, steps = threading.Event(), []

    async def long() -> None:
        has_begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            steps.append("cleaned up")

    def work() -> None:
        try:
            run_shared(long())
        except Interrupted:
            steps.append("interrupted")

    thread = threading.Thread(target=work)
    thread.start()
    assert has_begun.wait(30)
    assert thread.ident is not None
    number, error = ctypes.c_ulong(thread.ident), ctypes.py_object(Interrupted)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(number, error)
    thread.join(30)
    assert steps == ["cleaned up", "interrupted"]
    assert shared_loop._State.current is None


def test_in_the_main_thread_it_is_run() -> None:
    async def name() -> str:
        return threading.current_thread().name

    assert run_shared(name()) == threading.main_thread().name


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    async def fork() -> int:
        pid = os.fork()
        if pid == 0:
            os._exit(7 if shared_loop._State.current is None else 1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # noqa: ASYNC222

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run_shared, fork()).result(30) == 7
