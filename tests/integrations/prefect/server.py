"""A server of Prefect in a process of its own, on loopback, in a temporary home."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

PATIENCE = 180.0
"""Seconds in which a server must have started, on a machine with other things to do."""


class PrefectServer:
    """A server that is there for all tests of a session; made before Prefect is imported."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="prefect-home-"))
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.port = port
        self.api = f"http://127.0.0.1:{port}/api"
        self.environment = {
            "PREFECT_HOME": f"{self.home}",
            "PREFECT_API_URL": self.api,
            # Else a wrong address would start another server, in the process that has it.
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "DO_NOT_TRACK": "1",
            # Nothing of the machine's own settings.
            "PREFECT_PROFILES_PATH": f"{self.home / 'profiles.toml'}",
        }
        os.environ.update(self.environment)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it, and return when it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
        # Without coverage, which would measure the server too.
        env = {name: each for name, each in os.environ.items() if "COVERAGE" not in name}
        with (self.home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", f"{self.port}", *arguments], stdout=log, stderr=log, env=env
            )
        give_up = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = (self.home / "server.log").read_text()
                self.stop()
                raise RuntimeError(said)
            time.sleep(0.3)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.api}/health", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End it, and remove its home."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
