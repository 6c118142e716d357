"""Which process lives: told by pid, start and namespace, and never guessed."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hevo_edge._common import processes
from hevo_edge._common.processes import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is known")
ME = Process.current()
SCRIPT = (
    "from hevo_edge._common.processes import Process as P; p = P.current();"
    "print(p.pid, p.started, p.namespace, flush=True); input()"
)


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], Process]]:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout
            yield running, Process(*map(int, running.stdout.readline().split()))
        finally:
            running.kill()


def test_who_lives_has_not_ended(child: tuple[subprocess.Popen[str], Process]) -> None:
    assert Process.current() == ME
    assert not ME.has_ended(ME)
    assert child[1].namespace == ME.namespace != 0
    assert not child[1].has_ended(ME)


def test_who_was_killed_has_ended(child: tuple[subprocess.Popen[str], Process]) -> None:
    running, process = child
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert process.has_ended(ME), "a zombie sends nothing any more"
    running.wait()
    assert process.has_ended(ME)


def test_a_pid_that_was_given_again_is_another_process() -> None:
    assert dataclasses.replace(ME, started=ME.started - 1).has_ended(ME)


def test_of_another_namespace_nothing_is_known() -> None:
    nobody = 2**22 + 1  # more than Linux gives out
    assert Process(nobody, 1, ME.namespace).has_ended(ME)
    assert not Process(nobody, 1, ME.namespace + 1).has_ended(ME)
    assert not Process(nobody, 1, 0).has_ended(dataclasses.replace(ME, namespace=0))


def test_a_process_of_another_user_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert not ME.has_ended(ME)


def test_what_is_hidden_has_not_surely_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert not ME.has_ended(ME)
    assert Process.current() == Process(os.getpid(), 0, 0)


def test_a_proc_of_another_namespace_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert Process.current().namespace == 0
