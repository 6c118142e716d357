"""Streams that are missing, closed, broken or of another encoding; errors that nobody expected."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from hevo_edge._command_line import main, output
from hevo_edge._command_line.output import Console
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import CommandLine, command, end_of, process

ALL = [
    ["status"],
    ["jobs", "123", "--json"],
    ["top", "--once"],
    ["check"],
    ["completion", "bash"],
    ["--help"],
    ["sync", "--help"],
    ["sync"],
    ["status", "99"],
]


def environment(emulator: HevoEmulator, **more: str) -> dict[str, str]:
    return {**os.environ, **emulator.environment, **more}


@pytest.mark.parametrize("arguments", ALL, ids=" ".join)
@pytest.mark.parametrize("closed", ["stdout", "both"])
def test_closed_streams_do_no_harm(
    emulator: HevoEmulator, arguments: list[str], closed: str
) -> None:
    """Closed from the start, as a daemon's may be: then Python's are None."""
    redirect = {"stdout": ">&-", "both": ">&- 2>&-"}[closed]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", *command(*arguments)],
        env=environment(emulator),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    expected = {("sync",): 2, ("status", "99"): 1}.get(tuple(arguments), 0)
    assert done.returncode == expected
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [each for each in ALL if each not in (["sync"], ["status", "99"])], ids=" ".join
)
def test_a_broken_pipe_is_silent(emulator: HevoEmulator, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    started = process(emulator, *arguments, stdout=writing)
    os.close(writing)
    done = end_of(started)
    assert (done.code, done.err) == (0, "")


def test_a_sync_that_nobody_reads_goes_on_and_tells_by_its_code(
    emulator: HevoEmulator,
) -> None:
    emulator.pipeline(123).plan(outcome="FAILED")
    reading, writing = os.pipe()
    os.close(reading)
    started = process(emulator, "sync", "123", "-q", "--poll-interval", "0.1", stdout=writing)
    os.close(writing)
    done = end_of(started)
    assert done.code == 5
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("status",), ("jobs", "123", "--json"), ("completion", "bash")]
)
def test_a_full_disk_is_an_error_in_one_line(
    emulator: HevoEmulator, arguments: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = end_of(process(emulator, *arguments, stdout=full))
    assert done.code == 1
    assert done.err == "hevo-edge: the result cannot be written: No space left on device\n"


def test_a_full_disk_hides_no_worse_end(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(outcome="FAILED")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = end_of(process(emulator, "sync", "123", "--poll-interval", "0.1", stdout=full))
    assert done.code == 5


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_any_encoding(emulator: HevoEmulator, encoding: str) -> None:
    emulator.add_pipeline(7, name="Größe 数据 \udcff")
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = end_of(process(emulator, "status", "7", env=environment, text=False))
    assert done.code == 0
    shown = (
        "Größe 数据" if encoding == "utf-8" else "Gr\\xf6\\xdfe" if encoding == "ascii" else "Größe"
    )
    assert shown in done.out.decode(encoding)  # type: ignore[attr-defined]


def test_cron_has_no_terminal_and_little_of_an_environment(emulator: HevoEmulator) -> None:
    done = subprocess.run(
        command("sync", "123", "-q", "--poll-interval", "0.1"),
        env={**emulator.environment, "HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "COMPLETED" in done.stdout


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "clears"), [("xterm", True), ("dumb", False), ("", False)])
def test_only_a_terminal_that_can_be_cleared_is(
    monkeypatch: pytest.MonkeyPatch, term: str, clears: bool
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", term)
    Console().clear()
    assert ("\x1b" in screen.getvalue()) == clears


def test_what_is_shown_once_clears_and_colours_nothing(
    hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    assert main(["top", "--once"]) == 0
    assert main(["status"]) == 0
    assert "0 of 1 run" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_an_error_that_nobody_expected_is_one_line(
    emulator: HevoEmulator, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of\norder")

    monkeypatch.setattr(output.Console, "results", fail)
    done = hevo_edge("status")
    assert done.code == 1
    assert done.error == "hevo-edge: unexpected RuntimeError: out of\\norder; see --debug"
    emulator.faults.status(500, on="list_pipelines")
    done = hevo_edge("status", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "DEBUG" in done.err


def test_what_it_changes_of_the_process_it_changes_back(hevo_edge: CommandLine) -> None:
    logger = logging.getLogger("hevo_edge")
    before = (logger.level, logger.propagate, list(logger.handlers))
    assert hevo_edge("status", "--debug").code == 0
    assert (logger.level, logger.propagate, logger.handlers) == before


def test_it_runs_in_another_thread(hevo_edge: CommandLine) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(hevo_edge("status").code))
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize("close", [lambda stream: stream.close(), lambda stream: None])
def test_a_stream_that_is_closed_meanwhile(
    hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch, close: Callable[[io.StringIO], None]
) -> None:
    for name in ("stdout", "stderr"):
        stream = io.StringIO()
        close(stream)
        monkeypatch.setattr(sys, name, stream)
    assert main(["status", "99"]) == 1
