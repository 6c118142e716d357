"""Progress in a terminal: a live table, and plain lines where it would break something."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest
from rich.live import Live

from hevo_edge import HevoClient, Job, errors
from hevo_edge._progress import terminal
from hevo_edge._progress.choice import choose_view
from hevo_edge._progress.plain import PlainView
from hevo_edge._progress.terminal import ECHO, TerminalView
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, started

END = "\x00"
"""Written after what was drawn, to see that all of it was read."""
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A terminal that stderr leads to; what is drawn is read by ``drawn``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 120) -> None:
        self._reader, writer = os.openpty()
        self.stream: TextIO = os.fdopen(writer, "w", buffering=1)
        self._text = b""
        # A terminal takes in what is drawn; if nobody read here, writing would block.
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(columns))  # else rich asks the stderr of the process
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)

    def install(self) -> None:
        """Let stderr lead there; pytest sets its own right before each test."""
        self._monkeypatch.setattr(sys, "stderr", self.stream)

    def drawn(self) -> str:
        """Return all that was drawn."""
        self.stream.write(END)
        self.stream.flush()
        while not self._text.endswith(END.encode()):
            time.sleep(0.001)
        self._text = self._text[: -len(END)]
        return self._text.decode()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while part := os.read(self._reader, 1 << 16):
                self._text += part

    def last(self) -> list[str]:
        """Return the lines that stand there: what was drawn last, without its colours."""
        text = re.split(r"\x1b\[2K", self.drawn())[-1].replace("\r", "")
        return [line for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split("\n") if line]

    def close(self) -> None:
        self.stream.close()
        self._thread.join(5)
        os.close(self._reader)


@pytest.fixture(autouse=True)
def no_log_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    found = Terminal(monkeypatch)
    yield found
    found.close()


async def test_a_table_that_ends_as_it_was_last(
    emulator: HevoEmulator, hevo: HevoClient, tty: Terminal
) -> None:
    tty.install()

    async def sync() -> None:
        job = await hevo.pipeline(123).trigger(progress=True)
        await job.await_completion(progress=True, poll_interval=5)

    await sync()
    drawn = tty.drawn()
    assert drawn.count(HIDDEN) == drawn.count(SHOWN) == 1
    assert drawn.rstrip().endswith(SHOWN)
    head, *rows = tty.last()
    assert head.split() == ["Pipeline", "Type", "Job", "State", "Elapsed", "Events", "Objects"]
    assert len(rows) == 1, "that of the trigger has become that of its Job"
    assert "COMPLETED" in rows[-1]
    assert "1,000" in rows[-1]
    assert "3 of 3" in rows[-1]


async def test_many_are_counted(emulator: HevoEmulator, hevo: HevoClient, tty: Terminal) -> None:
    tty.install()
    emulated, jobs = fleet(emulator, hevo, 40, lambda n: 20.0 * n)
    emulated[3].outcome = "FAILED"
    waiting = asyncio.create_task(hevo.await_all(jobs, progress=True, on_failure="return"))
    await asyncio.sleep(30)
    assert [line for line in tty.last() if "waits are over" not in line] == []
    await waiting
    assert tty.last()[0].startswith("40 of 40 waits are over, 1 of them with an error, 0 to go")
    assert "FAILED" in tty.last()[-1]


async def test_an_interrupt_leaves_the_terminal_as_it_was(
    emulator: HevoEmulator, hevo: HevoClient, tty: Terminal
) -> None:
    tty.install()
    _, job = started(emulator, hevo, duration=5000)
    waiting = asyncio.create_task(job.await_completion(progress=True))
    await asyncio.sleep(20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert tty.drawn().count(HIDDEN) == tty.drawn().count(SHOWN) == 1
    assert "goes on in Hevo; " in tty.drawn()
    assert tty.last()[-1] == f"goes on in Hevo: {job.ref}"
    assert sys.stderr is tty.stream


@pytest.mark.parametrize(("count", "more"), [(1, ""), (40, ", and 30 more")])
async def test_a_narrow_terminal_says_in_one_line_what_an_interrupt_leaves_behind(
    emulator: HevoEmulator,
    hevo: HevoClient,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    more: str,
) -> None:
    tty = Terminal(monkeypatch, 70)
    tty.install()
    try:
        _, jobs = fleet(emulator, hevo, count, lambda _: 5000.0)
        waiting = asyncio.create_task(hevo.await_all(jobs, progress=True))
        await asyncio.sleep(20)
        waiting.cancel()
        await asyncio.wait({waiting})
        refs = ", ".join(job.ref for job in jobs[:10])
        assert tty.last()[-1] == f"goes on in Hevo: {refs}{more}"
    finally:
        tty.close()


async def test_what_is_printed_to_a_file_goes_there(
    emulator: HevoEmulator, hevo: HevoClient, tty: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tty.install()
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    _, job = started(emulator, hevo, duration=30)

    def show(job: Job) -> None:
        print(job.status)  # noqa: T201 -- what a user does

    await job.await_completion(progress=True, on_update=show)
    assert file.getvalue().splitlines()[-1] == "COMPLETED"
    assert sys.stdout is file


async def test_names_reach_no_terminal_as_they_are(
    emulator: HevoEmulator, hevo: HevoClient, tty: Terminal
) -> None:
    tty.install()
    emulator.add_pipeline(7, name="[red]a[/red]\x1b]0;title\x07\n\u202eb")
    await hevo.pipeline(7).trigger(progress=True)
    drawn = tty.drawn()
    assert "\x1b]0;" not in drawn
    assert "\u202e" not in drawn
    assert "[red]a[/red]" in drawn


@pytest.mark.parametrize("columns", [20, 45, 80])
async def test_narrow_terminals(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    tty = Terminal(monkeypatch, columns)
    tty.install()
    try:
        _, job = started(emulator, hevo, duration=30, outcome="FAILED")
        with pytest.raises(errors.JobFailed):
            await job.await_completion(progress=True)
        lines = tty.last()
        assert all(len(line) <= columns for line in lines)
        assert "FAILED" in "".join(lines)
    finally:
        tty.close()


async def test_80_columns_have_room_for_the_id_of_a_job_and_for_what_is_left_behind(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tty = Terminal(monkeypatch, 80)
    tty.install()
    try:
        emulator.add_pipeline(7, name="x" * 150).plan(duration=5000)
        job = await hevo.pipeline(7).trigger(progress=True)
        waiting = asyncio.create_task(job.await_completion(progress=True))
        await asyncio.sleep(20)
        waiting.cancel()
        await asyncio.wait({waiting})
        *_, row, _ = tty.last()
        assert job.id in row
        assert "goes on in Hevo" in row
        assert re.search(r"\d+s$", row), "how long it has run"
        assert len(row) <= 80 - ECHO
    finally:
        tty.close()


@pytest.mark.parametrize(
    ("outcome", "colour"), [("COMPLETED", 32), ("DEFERRED", 33), ("SKIPPED", 33), ("FAILED", 31)]
)
async def test_what_was_put_aside_is_not_as_red_as_what_has_failed(
    emulator: HevoEmulator, hevo: HevoClient, tty: Terminal, outcome: str, colour: int
) -> None:
    tty.install()
    _, job = started(emulator, hevo, duration=30, outcome=outcome)
    with contextlib.suppress(errors.JobDidNotSucceed):
        await job.await_completion(progress=True)
    assert f"\x1b[{colour}m" in tty.drawn()
    assert outcome in tty.last()[-1]


# -- where there are plain lines -------------------------------------------------------------------


def test_a_live_view_where_it_can_be(tty: Terminal) -> None:
    tty.install()
    view = choose_view()
    assert isinstance(view, TerminalView)
    assert isinstance(choose_view(), PlainView), "the terminal has room for one"
    view.closed([], 0.0)
    again = choose_view()
    assert isinstance(again, TerminalView)
    again.closed([], 0.0)


def dumb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")


def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.live", None)


def logs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(sys.stderr)])


def broken_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: Live) -> None:
        raise RuntimeError("another display is live")

    monkeypatch.setattr(Live, "start", start)


@pytest.mark.parametrize("obstacle", [dumb, without_rich, logs_there, broken_rich])
async def test_plain_lines_where_a_table_would_break_something(
    emulator: HevoEmulator,
    hevo: HevoClient,
    tty: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    obstacle: Callable[[pytest.MonkeyPatch], None],
) -> None:
    tty.install()
    obstacle(monkeypatch)
    _, job = started(emulator, hevo, duration=30)
    await job.await_completion(progress=True)
    drawn = tty.drawn()
    assert "\x1b" not in drawn
    assert len(drawn.splitlines()) >= 2
    monkeypatch.undo()
    assert not terminal._terminal.locked()
