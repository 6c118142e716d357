"""Several processes share one window through a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hevo_edge import RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.shared_window import IN_FLIGHT, FileWindow, default_path
from hevo_edge._http.window import WindowState

WINDOW = 60.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.calls"


def limiter(path: Path, calls: int = 10) -> RateLimiter:
    return RateLimiter(RateLimit(calls, 60.0, shared=path), Clock())


async def call(limiter: RateLimiter, priority: Priority = Priority.CANCEL) -> float:
    slot = await limiter.acquire(priority)
    assert slot is not None
    limiter.release(slot, sent=True)
    return Clock().now()


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
    assert await window.take(1e9, at_most=1)
    window.hold(1e9, 1e9 + 100)
    other = FileWindow(path, WINDOW)
    assert other.state(5.0) == WindowState(0, None, float("-inf"))
    assert await other.take(5.0, at_most=1)


async def test_what_was_written_a_moment_after_the_clock_was_read_counts(path: Path) -> None:
    early, late = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    assert await late.take(100.002, at_most=2)
    assert await early.take(100.001, at_most=2)
    assert late.state(100.0).taken == 2
    assert await early.take(100.0, at_most=2) is None
    assert early.state(100.0).taken == 2


DAMAGED = [b"\0" * 100, b"hevo", b"hevoedg2" + b"x" * 7, b"hevoedg2" + b"\xff" * 200]


@pytest.mark.parametrize("content", DAMAGED)
async def test_a_damaged_file_blocks_nobody(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert await call(limiter(path, 1)) == pytest.approx(Clock().now())
    assert limiter(path, 1).free_slots(Priority.CANCEL) == 1, "no loop has used it yet"
    assert FileWindow(path, WINDOW).state(Clock().now()).taken == 1


async def test_when_the_file_is_damaged_each_writes_its_calls_again(path: Path) -> None:
    one, other = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    now = Clock().now()
    slot = await one.take(now, 5)
    assert slot
    assert await other.take(now, 5)
    path.write_bytes(b"hevoedg2" + b"x" * 50)
    one.give_back(slot, now, sent=True)
    assert await other.take(now, 5)
    for member in (one, other, FileWindow(path, WINDOW)):
        assert member.state(now).taken == 3


@pytest.mark.parametrize("content", [b"x", b"important\n" * 20, b"\xff" * 17])
async def test_a_file_of_something_else_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match="it holds something else"):
        limiter(path)
    assert path.read_bytes() == content


async def test_a_file_that_becomes_something_else_is_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = limiter(path, 1)
    await call(shared)
    path.write_bytes(b"important")
    began = Clock().now()
    assert await call(shared) - began == pytest.approx(WINDOW, abs=1.1)
    assert path.read_bytes() == b"important"
    assert caplog.text.count("it holds something else") == 1


async def test_a_file_that_goes_away_is_made_again(path: Path) -> None:
    shared = limiter(path, 2)
    await call(shared)
    path.unlink()
    await call(shared)
    assert path.exists()


async def test_calls_count_after_the_file_was_removed(path: Path) -> None:
    one, other = FileWindow(path, WINDOW), FileWindow(path, WINDOW)
    now = Clock().now()
    for member in (one, other):
        slot = await member.take(now, 2)
        assert slot
        member.give_back(slot, now, sent=True)
    path.unlink()
    assert await FileWindow(path, WINDOW).take(now, 3), "a stranger does not know of them"
    assert await other.take(now, 2) is None
    assert path.stat().st_size > 100, "with a refusal, what the file lacks is written again"
    assert await one.take(now, 3) is None


async def test_a_default_folder_that_was_cleaned_up_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    shared = RateLimiter(RateLimit(2, 60.0, shared=True), Clock(), "account")
    default_path("account").unlink()
    default_path("account").parent.rmdir()
    await call(shared)
    assert FileWindow(default_path("account"), WINDOW).state(Clock().now()).taken == 1


async def test_a_429_of_one_pauses_all(path: Path) -> None:
    one, other = limiter(path), limiter(path)
    await call(one)
    await call(other)
    one.rejected(30.0)
    began = Clock().now()
    assert other.free_slots(Priority.CANCEL) == 0
    assert other.pause_left() == pytest.approx(30)
    assert await call(other, Priority.CANCEL) - began == pytest.approx(30, abs=1)
    assert other.pause_left() == 0


def test_the_default_file_tells_accounts_apart_and_names_none() -> None:
    one, other = default_path("https://a key"), default_path("https://b key")
    assert one != other
    assert one == default_path("https://a key")
    assert "key" not in str(one)
