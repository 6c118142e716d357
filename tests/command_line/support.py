"""Runs ``hevo-edge``, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hevo_edge._command_line import main
from hevo_edge.emulator import HevoEmulator

PATIENCE = 60.0
"""Seconds after which something that is waited for does not come any more."""
FAST = ("--poll-interval", "0.1")
SHORT: dict[str, Any] = {"duration": 2.0, "appears_after": (0.0, 1.0)}
"""A Pipeline whose Jobs are soon there, and soon over."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the JSON objects of stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """Return the only JSON object of stdout."""
        (row,) = self.rows
        return row

    @property
    def error(self) -> str:
        """Return the only line of stderr."""
        (line,) = self.err.splitlines()
        return line


class CommandLine:
    """``hevo-edge`` in this process."""

    def __init__(self, captured: pytest.CaptureFixture[str], tickets: Path) -> None:
        self._captured = captured
        self.tickets = tickets

    def __call__(self, *arguments: str) -> Done:
        self._captured.readouterr()
        try:
            code = main(arguments)
        except SystemExit as left:
            code = int(left.code or 0)
        return Done(int(code), *self._captured.readouterr())

    @property
    def stored(self) -> list[Path]:
        """Return the files in the folder of tickets."""
        return sorted(self.tickets.iterdir()) if self.tickets.exists() else []


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "hevo_edge", *arguments]


def process(emulator: HevoEmulator, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start ``hevo-edge`` in a process of its own, in which no signal is ignored."""
    settings: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.DEVNULL,
        "text": True,
        "env": {**os.environ, **emulator.environment, **options.pop("env", {})},
        "preexec_fn": heed_signals,
        **options,
    }
    return subprocess.Popen(command(*arguments), **settings)


def heed_signals() -> None:
    """What runs in the background may ignore SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def until(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait until something is so, while a process runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def end_of(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of a process."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return Done(process.returncode, out or "", err or "")
