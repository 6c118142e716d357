"""An emulator in a thread, and a command line that talks to it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import SHORT, CommandLine


@pytest.fixture(autouse=True)
def nobody_elses_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the account, the home folder or the terminal of whoever runs the tests."""
    for name in tuple(os.environ):
        if name.startswith("HEVO_") or name in {"COLUMNS", "LINES"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # The calls of a machine are counted in a file below it.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """With Pipeline 123, whose Jobs are short, and which has a completed Job an hour old.

    Not faster: a pause of this machine would be one between Hevo's clocks, and those tell whose a
    Job is.
    """
    with HevoEmulator(speed=10.0, seed=1) as emulator:
        emulator.add_pipeline(123, name="Orders", history=1, **SHORT)
        yield emulator


@pytest.fixture
def hevo_edge(
    emulator: HevoEmulator,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> CommandLine:
    """``hevo-edge`` in this process, with the emulator's credentials in the environment."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return CommandLine(capfd, tmp_path / "state" / "hevo-edge" / "tickets")
