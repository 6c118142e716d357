"""The file cannot be used: a process keeps to its own window, says so once, and comes back."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http import locked_file
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.shared_window import IN_FLIGHT, PATIENCE, FileWindow
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of

from .support import now, use

LOST = "not shared with other processes any more"
BACK = "shared with other processes again"
CALLS, WINDOW = 20, 60.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.calls"


def limiter(path: Path, calls: int = CALLS) -> RateLimiter:
    return RateLimiter(RateLimit(calls, 60.0, shared=path), Clock())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock, as a process does that was stopped while it wrote."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def failing(target: str, number: int) -> Iterator[None]:
    """Let a call of the system fail, as it does whoever the user is (tests may run as root)."""

    def fail(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        module, _, name = target.partition(".")
        patch.setattr({"os": os, "fcntl": fcntl}[module], name, fail)
        yield


@contextmanager
def short_writes() -> Iterator[None]:
    """A disk that becomes full in the middle of a write."""
    write = os.pwrite
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, content, at: write(file, content[:20], at))
        yield


FAULTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "the disk is full": lambda: failing("os.pwrite", errno.ENOSPC),
    "the disk becomes full": short_writes,
    "the quota is used up": lambda: failing("os.pwrite", errno.EDQUOT),
    "the disk is broken": lambda: failing("os.pread", errno.EIO),
    "no lock daemon": lambda: failing("fcntl.flock", errno.ENOLCK),
    "no locks in this file system": lambda: failing("fcntl.flock", errno.EOPNOTSUPP),
    "the file may not be opened": lambda: failing("os.open", errno.EACCES),
    "mounted read-only": lambda: failing("os.open", errno.EROFS),
    "too many open files": lambda: failing("os.open", errno.EMFILE),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_the_file_a_process_keeps_its_own_window(
    path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    shared, other = limiter(path), FileWindow(path, WINDOW)
    for _ in range(5):
        await use(shared, Priority.CANCEL)
    slot = await other.take(now(), CALLS)
    assert slot
    other.give_back(slot, now(), sent=True)
    began = now()
    times: list[float] = []

    async def one() -> None:
        await use(shared, Priority.CANCEL)
        times.append(now() - began)

    with FAULTS[fault]():
        await asyncio.gather(*(one() for _ in range(60)))
    assert [at < 1 for at in sorted(times)[:14]] == [True] * 14
    assert sorted(times)[15] >= 60
    assert sorted(times)[35] >= 120
    assert caplog.text.count(LOST) == 1
    assert BACK not in caplog.text
    await use(shared, Priority.CANCEL)
    await use(shared, Priority.CANCEL)
    assert caplog.text.count(BACK) == 1
    # The others learn of what was sent meanwhile.
    assert other.state(now()).taken == shared._window.state(now()).taken >= 5


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_of_it_escapes_from_a_request(
    path: Path, fault: str, emulator: HevoEmulator
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(100, shared=path)) as hevo:
        await hevo.get_pipeline(123)
        job = None
        with FAULTS[fault]():
            # A socket needs none of the calls that fail.
            job = await hevo.pipeline(123).trigger()
            assert await job.await_completion(timeout=3600) is job
        assert job.status == "COMPLETED"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
async def test_a_client_is_made_although_the_disk_is_full(
    path: Path, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with failing("os.open", number):
        shared = limiter(path, 2)
        for _ in range(2):
            await use(shared, Priority.CANCEL)
        assert shared.free_slots(Priority.CANCEL) == 0
    assert caplog.text.count(LOST) == 1
    await shared.acquire(Priority.CANCEL, now())
    assert caplog.text.count(BACK) == 1
    assert FileWindow(path, WINDOW).state(now()).taken == 2


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused_when_the_client_is_made(
    path: Path, number: int
) -> None:
    with (
        failing("fcntl.flock", number),
        pytest.raises(errors.ConfigurationError, match="cannot be shared through"),
    ):
        HevoClient("k", "s", region="us", rate_limit=RateLimit(shared=path))


FULL = """
import asyncio, resource, sys
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority, RateLimit

async def main():
    shared = RateLimiter(RateLimit(20, 60.0, shared=sys.argv[1]), Clock())
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), most))
    end = Clock().now() + 2
    calls = 0
    while slot := await shared.acquire(Priority.CANCEL, end):
        shared.release(slot, sent=True)
        calls += 1
    print(calls)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(await shared.acquire(Priority.CANCEL, end))

asyncio.run(main())
"""


@pytest.mark.real_time
@pytest.mark.parametrize("size", [0, 100])
def test_a_file_that_cannot_grow(path: Path, size: int) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(path), str(size)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert found.stdout.split() == [str(CALLS), "None"]
    assert found.stderr.count(LOST) == found.stderr.count(BACK) == 1
    assert FileWindow(path, WINDOW).state(time.monotonic()).taken == CALLS


# -- a lock that is held ---------------------------------------------------------------------------


async def test_a_lock_that_is_taken_is_tried_again_and_blocks_nobody(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = limiter(path)
    with locked(path):
        waiting = asyncio.create_task(use(shared, Priority.TRIGGER))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    began = now()
    await waiting
    assert now() - began < 0.1
    assert not caplog.records


@pytest.mark.parametrize("priority", [Priority.TRIGGER, Priority.POLL])
async def test_a_lock_that_is_taken_is_not_told_as_a_budget_that_is_used_up(
    path: Path, priority: Priority
) -> None:
    shared = limiter(path, 10)
    expected: list[float] = []

    async def wait() -> None:
        slot = await shared.acquire(priority, on_stall=expected.append)
        assert slot is not None
        shared.release(slot, sent=True)

    await use(shared, Priority.TRIGGER)
    with locked(path):
        waiting = [asyncio.create_task(wait()) for _ in range(4)]
        await asyncio.sleep(0.1)
    await asyncio.gather(*waiting)
    assert len(expected) == 4
    assert max(expected) < 1


async def test_short_locks_one_after_another_are_no_reason_to_part(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = limiter(path, 100)
    for _ in range(20):
        with locked(path):
            waiting = asyncio.create_task(use(shared, Priority.TRIGGER))
            await asyncio.sleep(0.1)
        await waiting
    assert not caplog.records


async def test_a_lock_that_goes_from_hand_to_hand_is_no_reason_to_part(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However long this client has bad luck: nobody hangs."""
    shared = limiter(path)
    await use(shared, Priority.CANCEL)
    with locked(path):
        waiting = asyncio.create_task(use(shared, Priority.TRIGGER))
        for uses in range(20):
            await asyncio.sleep(PATIENCE / 2)
            os.utime(path, ns=(uses, uses))
        assert not waiting.done()
    await waiting
    assert not caplog.records


async def test_a_process_that_has_parted_waits_again_when_the_lock_is_in_use(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = limiter(path)
    with locked(path):
        await use(shared, Priority.CANCEL)
        assert caplog.text.count(LOST) == 1
        os.utime(path, ns=(1, 1))
        waiting = asyncio.create_task(use(shared, Priority.CANCEL))
        await asyncio.sleep(PATIENCE / 2)
        assert not waiting.done()
    await waiting
    assert caplog.text.count(BACK) == 1


async def test_behind_a_lock_that_is_never_freed_a_process_goes_on_by_itself(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = limiter(path)
    began = now()
    with locked(path):
        times = []
        for _ in range(CALLS + 1):
            await use(shared, Priority.CANCEL)
            times.append(now() - began)
        assert times[CALLS - 1] < PATIENCE + 0.2
        assert times[CALLS] >= 60
        assert caplog.text.count(LOST) == 1
        assert f"its lock was held for {PATIENCE:g} s" in caplog.text
    await use(shared, Priority.CANCEL)
    assert caplog.text.count(BACK) == 1


async def test_a_wait_ends_at_its_deadline_although_the_lock_is_held(
    path: Path, emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(100, shared=path)) as hevo:
        job = await hevo.pipeline(123).trigger()
        with locked(path):
            began = now()
            with pytest.raises(errors.JobTimeout):
                await job.await_completion(timeout=1)
            assert now() - began < 1 + PATIENCE + 0.5, "the final poll waits for the lock"
    assert caplog.text.count(LOST) == 1


async def test_the_deadline_of_a_call_holds_behind_a_lock(path: Path) -> None:
    shared = limiter(path)
    began = now()
    with locked(path):
        assert await shared.acquire(Priority.CANCEL, began + 0.2) is None
        assert now() - began == pytest.approx(0.2)
        assert await shared.acquire(Priority.CANCEL, began) is None


async def test_giving_back_a_slot_never_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        pytest.fail("it blocks the event loop")

    window, other = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    slot = await window.take(now(), 1)
    assert slot
    monkeypatch.setattr(time, "sleep", sleep)
    with locked(path):
        window.give_back(slot, now(), sent=False)
        window.hold(now(), now() + 5)
        assert other.state(now()).taken == 1
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)
    assert other.state(now()).taken == 0, "it is written as soon as the lock is free"
    assert other.state(now()).held_until > now()


async def test_what_could_not_be_given_back_is_free_when_its_lease_ends(path: Path) -> None:
    window, other = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    slot = await window.take(now(), 1)
    assert slot
    with locked(path):
        window.give_back(slot, now(), sent=False)
        await asyncio.sleep(10)
    await asyncio.sleep(WINDOW + IN_FLIGHT - 11)
    assert await other.take(now(), 1) is None
    await asyncio.sleep(1.1)
    assert await other.take(now(), 1)


async def test_the_lock_is_freed_when_what_is_done_under_it_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = FileWindow(path, WINDOW)
    with monkeypatch.context() as patch:
        patch.setattr("hevo_edge._http.shared_window.read", lambda file: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await window.take(now(), 1)
    assert not locked_file._open_files
    assert await window.take(now(), 1)


async def test_a_folder_that_another_user_has_made_again_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "folder" / "calls"
    window = FileWindow(path, WINDOW, is_private=True)
    assert await window.take(now(), 2)
    path.unlink()
    path.parent.rmdir()
    path.parent.mkdir(mode=0o777)
    path.parent.chmod(0o777)
    assert await window.take(now(), 2)
    assert await window.take(now(), 2) is None
    assert not path.exists()
    assert caplog.text.count(LOST) == 1
    assert "not this user's folder" in caplog.text
