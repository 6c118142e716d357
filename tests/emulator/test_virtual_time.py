"""A loop whose clock jumps."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator.virtual_time import VirtualTimeLoop, run


def test_hours_pass_in_no_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for _ in range(10):
            await asyncio.sleep(3600)
        return loop.time() - begin

    begin = time.monotonic()
    assert run(main()) == pytest.approx(36_000, abs=0.001)
    assert time.monotonic() - begin < 60


def test_a_sleep_beyond_the_selectors_longest_wait() -> None:
    async def main() -> float:
        begin = asyncio.get_running_loop().time()
        await asyncio.sleep(30 * 86_400)
        return asyncio.get_running_loop().time() - begin

    assert run(main()) == pytest.approx(30 * 86_400, abs=0.001)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e6), max_size=12, unique_by=lambda delay: round(delay, 3)))
def test_timers_fire_in_order_at_their_time(delays: list[float]) -> None:
    async def main() -> list[tuple[float, float]]:
        loop = asyncio.get_running_loop()
        begin, fired = loop.time(), list[tuple[float, float]]()

        async def sleeper(delay: float) -> None:
            await asyncio.sleep(delay)
            fired.append((delay, loop.time() - begin))

        await asyncio.gather(*map(sleeper, delays))
        return fired

    fired = run(main())
    assert [delay for delay, _ in fired] == sorted(delays)
    assert all(at == pytest.approx(delay, abs=0.001) for delay, at in fired)


def test_time_stands_still_while_code_runs() -> None:
    async def main() -> tuple[float, float]:
        begin = asyncio.get_running_loop().time()
        for _ in range(1000):
            await asyncio.sleep(0)
        return begin, asyncio.get_running_loop().time()

    begin, end = run(main())
    assert end == begin


def test_a_byte_on_loopback_comes_before_the_next_timer() -> None:
    async def main() -> tuple[bytes, float]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await asyncio.sleep(5)
            writer.write(b"later\n")
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            first = await asyncio.wait_for(reader.readline(), timeout=1)
            second = await asyncio.wait_for(reader.readline(), timeout=6)
            writer.close()
            await writer.wait_closed()
        return first + second, loop.time() - begin

    text, passed = run(main())
    assert text == b"hello\nlater\n"
    assert passed == pytest.approx(5, abs=0.5)


def test_a_timeout_fires_when_nothing_comes() -> None:
    async def main() -> float:
        begin = asyncio.get_running_loop().time()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), timeout=500)
        return asyncio.get_running_loop().time() - begin

    assert run(main()) == pytest.approx(500, abs=0.001)


def test_without_a_timer_it_waits_for_real() -> None:
    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        begin, future = loop.time(), loop.create_future()
        # The call comes from another thread, and no timer tempts the clock to jump.
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "in"))
        loop.call_soon(thread.start)
        result = await future
        thread.join()
        return result, loop.time() - begin

    assert run(main()) == ("in", 0)


def test_a_result_an_error_and_a_cancel_come_through() -> None:
    async def good() -> str:
        return "done"

    async def bad() -> None:
        raise LookupError("lost")

    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(10)

    assert run(good()) == "done"
    with pytest.raises(LookupError, match="lost"):
        run(bad())
    with pytest.raises(asyncio.CancelledError):
        run(cancelled())


def test_what_is_left_is_cancelled_and_nothing_leaks() -> None:
    ended: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def left() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append("cancelled")

    async def main() -> asyncio.Task[None]:
        loops.append(asyncio.get_running_loop())
        task = asyncio.create_task(left())
        await asyncio.sleep(1)
        return task

    task = run(main())
    assert (ended, task.cancelled(), loops[0].is_closed()) == (["cancelled"], True, True)
    gc.collect()  # an unclosed socket or a pending task would warn, and so fail


@pytest.mark.parametrize("how", ["run", "asyncio's own way"])
def test_threads_are_joined_in_real_time(how: str) -> None:
    ended = threading.Event()

    def work() -> None:
        time.sleep(0.05)  # longer than the loop waits before its time jumps
        ended.set()

    async def leave_it() -> None:
        asyncio.get_running_loop().run_in_executor(None, work)

    if how == "run":
        run(leave_it())
    else:  # as `asyncio.Runner` does it, which Python 3.10 does not have
        with contextlib.closing(VirtualTimeLoop()) as loop:
            loop.run_until_complete(leave_it())
            limits = (300,) if sys.version_info >= (3, 12) else ()
            loop.run_until_complete(loop.shutdown_default_executor(*limits))
    assert ended.is_set()


async def test_a_nested_run_is_refused() -> None:
    async def main() -> None:
        raise AssertionError("never runs")

    with pytest.raises(RuntimeError, match="from a running event loop"):
        run(main())


async def test_the_tests_themselves_run_in_it() -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
