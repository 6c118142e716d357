"""Several processes share one window through a file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.shared_window import IN_FLIGHT, FileWindow, default_path
from hevo_edge.emulator import HevoEmulator

WINDOW = 60.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.calls"


def limiter(path: Path, calls: int = 10) -> RateLimiter:
    return RateLimiter(RateLimit(calls, 60.0, shared=path), Clock())


async def call(limiter: RateLimiter, priority: Priority = Priority.TRIGGER) -> float:
    slot = await limiter.acquire(priority)
    assert slot is not None
    limiter.release(slot, sent=True)
    return Clock().now()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock, as a process does that is writing."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def test_two_limiters_of_one_file_have_one_window(path: Path) -> None:
    one, other = limiter(path), limiter(path)
    began = Clock().now()
    times = sorted(await asyncio.gather(*(call(each) for each in [one, other] * 10)))
    assert [round(at - began) for at in times[:10]] == [0] * 10
    assert times[10] - began >= WINDOW
    for first, eleventh in zip(times, times[10:], strict=False):
        assert eleventh - first >= 60.0


async def test_a_slot_that_another_gives_back_unused_is_found_within_a_second(path: Path) -> None:
    one, other = limiter(path, 1), limiter(path, 1)
    slot = await one.acquire(Priority.TRIGGER)
    assert slot is not None
    waiting = asyncio.create_task(call(other))
    await asyncio.sleep(10)
    one.release(slot, sent=False)
    began = Clock().now()
    assert await waiting - began <= 1.01


async def test_the_reserve_is_kept_back_from_the_polls_of_all(path: Path) -> None:
    one, other = limiter(path, 100), limiter(path, 100)
    for _ in range(45):
        await call(one, Priority.DISCOVERY)
        await call(other, Priority.DISCOVERY)
    assert one.free_slots(Priority.POLL) == other.free_slots(Priority.POLL) == 0
    assert one.free_slots(Priority.CANCEL) == 10


async def test_a_call_of_a_process_that_died_counts_for_a_while_and_no_longer(path: Path) -> None:
    died, other = limiter(path, 1), limiter(path, 1)
    await died.acquire(Priority.TRIGGER)
    del died
    began = Clock().now()
    taken = await call(other) - began
    assert taken == pytest.approx(WINDOW + IN_FLIGHT, abs=1)


async def test_times_from_before_a_restart_of_the_machine_do_not_count(
    path: Path,
) -> None:
    window = FileWindow(path, WINDOW)
    assert window.take(1e9, at_most=1)
    assert window.expiries(5.0) == []
    assert limiter(path, 1).free_slots(Priority.CANCEL) == 1


async def test_what_was_written_a_moment_after_the_clock_was_read_counts(path: Path) -> None:
    early, late = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    assert late.take(100.002, at_most=2)
    assert early.take(100.001, at_most=2)
    assert len(late.expiries(100.0)) == 2
    assert not early.take(100.0, at_most=2)
    assert len(early.expiries(100.0)) == 2


@pytest.mark.parametrize("content", [b"x", b"1234567", b"\xff" * 17, b"{}" * 100])
async def test_a_file_with_other_content_blocks_nobody(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert await call(limiter(path, 1)) == pytest.approx(Clock().now())
    assert path.stat().st_size % 8 == 0


async def test_a_file_that_goes_away_is_made_again(path: Path) -> None:
    shared = limiter(path, 2)
    await call(shared)
    path.unlink()
    await call(shared)
    assert path.exists()


async def test_when_the_folder_goes_away_calls_go_on_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shared = limiter(folder / "calls", 2)
    (folder / "calls").unlink()
    folder.rmdir()
    for _ in range(3):
        await call(shared)
    assert caplog.text.count("not shared with other processes any more") == 1


async def test_without_the_file_a_process_counts_its_own_calls(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shared = limiter(folder / "calls", 2)
    (folder / "calls").unlink()
    folder.rmdir()
    began = Clock().now()
    times = [await call(shared) - began for _ in range(3)]
    assert times[1] == pytest.approx(0)
    assert times[2] == pytest.approx(WINDOW, abs=1.1)


async def test_a_default_folder_that_was_cleaned_up_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    shared = RateLimiter(RateLimit(2, 60.0, shared=True), Clock(), "account")
    default_path("account").unlink()
    default_path("account").parent.rmdir()
    await call(shared)
    assert default_path("account").stat().st_size == 8


async def test_giving_back_a_slot_does_not_wait_for_the_lock(path: Path) -> None:
    window = FileWindow(path, WINDOW)
    now = Clock().now()
    assert window.take(now, at_most=1)
    with locked(path):
        window.give_back(now, sent=True)
    # Taken for longer than it need be, and the loop was not blocked.
    assert window.expiries(now) == pytest.approx([now + WINDOW + IN_FLIGHT])


async def test_a_lock_that_is_taken_is_tried_again_and_blocks_nobody(path: Path) -> None:
    shared = limiter(path)
    with locked(path):
        waiting = asyncio.create_task(call(shared))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting


def test_the_default_file_is_private_and_tells_accounts_apart() -> None:
    one, other = default_path("https://a key"), default_path("https://b key")
    assert one != other
    assert one == default_path("https://a key")
    assert "key" not in str(one)
    assert one.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / f"hevo_edge-{os.getuid()}").symlink_to("/")
    with pytest.raises(errors.ConfigurationError, match="not this user's"):
        default_path("account")


def test_a_path_that_cannot_be_written_is_refused_when_the_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="cannot be shared through"):
        HevoClient("k", "s", region="us", rate_limit=RateLimit(shared=tmp_path / "none" / "calls"))


SCRIPT = """
import asyncio, sys
from hevo_edge import HevoClient, RateLimit

async def main():
    limit = RateLimit(40, 60.0 / 20, shared=sys.argv[1])
    async with HevoClient.from_env(rate_limit=limit, max_retries=0) as hevo:
        await asyncio.gather(*(hevo.get_pipeline(123) for _ in range(15)))

asyncio.run(main())
"""


@pytest.mark.real_time
def test_four_processes_at_once_never_earn_a_429(path: Path) -> None:
    with HevoEmulator(speed=20.0, rate_limit=40) as emulator:
        emulator.add_pipeline(123)
        running = [
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, str(path)],
                env={**os.environ, **emulator.environment},
            )
            for _ in range(4)
        ]
        assert [process.wait(60) for process in running] == [0] * 4
        assert [call.status for call in emulator.requests] == [200] * 60
