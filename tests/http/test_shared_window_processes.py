"""Real processes share one window: exact together, whoever is killed, and whoever forks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.shared_window import RECHECK, FileWindow
from hevo_edge.emulator import HevoEmulator
from tests.http import processes

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(sys.platform != "linux", reason="who has ended is known on Linux only"),
]
SLACK = 8.0
"""Real seconds that a busy machine may take longer."""
HEAD = """
import asyncio, os, random, signal, sys, time
from pathlib import Path
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http import shared_window
from hevo_edge._http.shared_window import FileWindow

path = Path(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.calls"


def python(
    code: str, *arguments: object
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return processes.python(HEAD + code, *arguments, seconds=60)


def taken(path: Path) -> int:
    return FileWindow(path, 60.1).state(time.monotonic()).taken


# -- exact -----------------------------------------------------------------------------------------

BUSY = """
shared = RateLimiter(RateLimit(20, 0.5, margin=0, shared=path), Clock())

async def call_again_and_again(end):
    while slot := await shared.acquire(random.choice([Priority.CANCEL, Priority.POLL]), end):
        await asyncio.sleep(random.random() * 0.02)
        sent = random.random() < 0.9
        if sent:
            print(time.monotonic(), flush=True)  # it arrives
        await asyncio.sleep(random.random() * 0.02)
        shared.release(slot, sent=sent)

async def main():
    end = Clock().now() + 3
    await asyncio.gather(*(call_again_and_again(end) for _ in range(10)))

asyncio.run(main())
"""


def test_in_no_period_do_all_processes_make_more_calls_than_the_limit(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(python(BUSY, path)) for _ in range(6)]
        times = sorted(
            float(at) for each in running for at in each.communicate(timeout=60)[0].split()
        )
        assert [each.returncode for each in running] == [0] * 6
    assert len(times) > 60
    assert min(after - at for at, after in zip(times, times[20:], strict=False)) >= 0.5


SCRIPT = """
from hevo_edge import HevoClient, RateLimit

async def main():
    limit = RateLimit(40, 60.0 / 20, shared=path)
    async with HevoClient.from_env(rate_limit=limit, max_retries=0) as hevo:
        await asyncio.gather(*(hevo.get_pipeline(123) for _ in range(15)))

asyncio.run(main())
"""


def test_four_processes_at_once_never_earn_a_429(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HevoEmulator(speed=20.0, rate_limit=40) as emulator, contextlib.ExitStack() as stack:
        emulator.add_pipeline(123)
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        running = [stack.enter_context(python(SCRIPT, path)) for _ in range(4)]
        assert [process.wait(60) for process in running] == [0] * 4
        assert [call.status for call in emulator.requests] == [200] * 60


# -- killed ----------------------------------------------------------------------------------------

TAKES_ALL = """
async def main():
    window = FileWindow(path, 2.5)
    while await window.take(Clock().now(), 5):
        pass
    print("all are taken", flush=True)
    time.sleep(60)

asyncio.run(main())
"""


def test_slots_of_a_killed_process_are_free_one_period_later(path: Path) -> None:
    """Not at once: its calls may have arrived in the moment of its death."""
    period = 2.5  # longer than the dead are looked for anew
    shared = RateLimiter(RateLimit(5, period, margin=0, shared=path), Clock())

    async def next_slot() -> None:
        assert await shared.acquire(Priority.CANCEL, Clock().now() + 60)

    with python(TAKES_ALL, path) as running:
        assert processes.line(running) == "all are taken"
        running.kill()
        killed = time.monotonic()
        asyncio.run(next_slot())
        assert period <= time.monotonic() - killed < period + RECHECK + SLACK


def test_slots_of_a_living_process_stay_taken(path: Path) -> None:
    shared = RateLimiter(RateLimit(5, 1.0, margin=0, shared=path), Clock())

    async def no_slot() -> None:
        assert await shared.acquire(Priority.CANCEL, Clock().now() + 3) is None

    with python(TAKES_ALL, path) as running:
        assert processes.line(running) == "all are taken"
        asyncio.run(no_slot())


HASTY = """
async def main():
    window = FileWindow(path, 0.05)
    print("begins", flush=True)
    while True:
        slot = await window.take(time.monotonic(), 10)
        if slot is not None:
            window.give_back(slot, time.monotonic(), sent=True)

asyncio.run(main())
"""


def test_kills_at_any_moment_leave_neither_a_lock_nor_a_broken_file(path: Path) -> None:
    chance = random.Random(1)
    for _ in range(8):
        with python(HASTY, path) as running, python(HASTY, path) as other:
            assert [processes.line(running), processes.line(other)] == ["begins"] * 2
            time.sleep(chance.random() * 0.05)
            running.send_signal(signal.SIGKILL)
            other.send_signal(signal.SIGKILL)
            assert [running.wait(10), other.wait(10)] == [-signal.SIGKILL] * 2

        async def still_works() -> None:
            window = FileWindow(path, 0.05)
            end = time.monotonic() + 1.0 + SLACK
            while (slot := await window.take(time.monotonic(), 10)) is None:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)
            window.give_back(slot, time.monotonic(), sent=False)

        asyncio.run(still_works())


# -- forked ----------------------------------------------------------------------------------------

FORKS_INSIDE = """
def read_and_fork(file, read=shared_window.read):
    if read_and_fork.child is None:
        read_and_fork.child = os.fork()
        if read_and_fork.child == 0:
            time.sleep(60)
            os._exit(0)
        print(read_and_fork.child, flush=True)
        if "dies" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)
    return read(file)

async def main():
    window = FileWindow(path, 60.1)
    read_and_fork.child = None
    shared_window.read = read_and_fork
    slot = await window.take(time.monotonic(), 5)
    print(slot is not None and await window.take(time.monotonic(), 5) is not None, flush=True)

asyncio.run(main())
"""


@contextlib.contextmanager
def forked_inside(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with python(FORKS_INSIDE, path, *arguments) as running:
        child = int(processes.line(running))
        try:
            yield running
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_fork_inside_the_lock_does_not_keep_it(path: Path) -> None:
    with forked_inside(path) as running:
        assert processes.line(running) == "True"
        assert running.wait(10) == 0
        assert asyncio.run(FileWindow(path, 60.1).take(time.monotonic(), 5))


def test_nor_when_the_parent_dies_inside_it(path: Path) -> None:
    with forked_inside(path, "dies") as running:
        assert running.wait(10) == -signal.SIGKILL
        window, end = FileWindow(path, 60.1), time.monotonic() + SLACK
        while not asyncio.run(window.take(time.monotonic(), 5)):
            assert time.monotonic() < end
            time.sleep(0.01)  # the child has not begun yet, perhaps
        assert not window._is_apart


CHILD_GOES_ON = """
async def takes(window, slots):
    return [await window.take(time.monotonic(), 4) for _ in range(slots)]

window = FileWindow(path, 60.1)
slots = asyncio.run(takes(window, 2))
child = os.fork()
if child == 0:
    window.give_back(slots[0], time.monotonic(), sent=False)  # it is the parent's: of no effect
    got = asyncio.run(takes(window, 3))
    print("child", [slot is not None for slot in got], flush=True)
    time.sleep(60)
    os._exit(0)
sys.stdin.readline()
print("parent", asyncio.run(takes(window, 1)), flush=True)
window.give_back(slots[0], time.monotonic(), sent=False)
print("parent", asyncio.run(takes(window, 1)) != [None], flush=True)
sys.stdin.readline()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


def test_parent_and_child_are_two_processes_of_one_window(path: Path) -> None:
    with python(CHILD_GOES_ON, path) as running:
        assert processes.line(running) == "child [True, True, False]"
        assert taken(path) == 4
        assert running.stdin
        print("go on", file=running.stdin, flush=True)
        assert processes.line(running) == "parent [None]"
        assert processes.line(running) == "parent True"
        assert taken(path) == 4
        print("and end", file=running.stdin, flush=True)
        assert running.wait(10) == 0


def test_a_child_without_the_file_still_counts_the_parents_calls(path: Path) -> None:
    code = """
window = FileWindow(path, 60.1)
asyncio.run(window.take(time.monotonic(), 4))
path.unlink()
path.mkdir()
child = os.fork()
got = [asyncio.run(window.take(time.monotonic(), 2)) is not None for _ in range(2)]
if child == 0:
    print(got, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    with python(code, path) as running:
        assert processes.line(running) == "[True, False]"
        assert running.wait(10) == 0
