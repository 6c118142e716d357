"""A whole Airflow on loopback: its processes, its settings, its end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil

T = TypeVar("T")

HERE = Path(__file__).parent
IS_2: bool = version("apache-airflow").startswith("2.")
_AIRFLOW = [sys.executable, "-m", "airflow"]
_TAIL = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Starts and ends the processes of one Airflow; its home is a folder of its own.

    Args:
        home: The empty folder that is to be AIRFLOW_HOME.
        connections: The URIs or JSON of Airflow connections, by id.
    """

    def __init__(self, home: Path, connections: dict[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env: dict[str, str] = {**os.environ, **self._settings()}
        self.env |= {f"AIRFLOW_CONN_{name.upper()}": uri for name, uri in connections.items()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the database and start all processes."""
        (self.home / "tmp").mkdir()
        if IS_2:
            (self.home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
        with (self.home / "migrate.log").open("wb") as log:
            subprocess.run(
                [*_AIRFLOW, "db", "migrate"],
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=120,
            )
        for name in self._commands():
            self.launch(name)

    def launch(self, name: str, kind: str | None = None) -> None:
        """Start one of the processes; or one more of a kind, by a name of its own."""
        log = (self.home / f"{name}.log").open("ab")
        self._logs.append(log)
        self._processes[name] = subprocess.Popen(
            [*_AIRFLOW, *self._commands()[kind or name]],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def signal_all(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the processes, and to all that it has started."""
        for member in _session_of(self._processes[name].pid):
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def end(self, name: str, with_signal: signal.Signals = signal.SIGTERM) -> bool:
        """End one of the processes, and all that it has started; say whether it went by itself.

        SIGKILL goes to its children as well: a machine that is lost takes all of them.
        """
        process = self._processes.pop(name)
        if with_signal != signal.SIGKILL:
            process.send_signal(with_signal)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        went = process.returncode is not None
        _kill_session(process.pid)
        process.wait()
        return went

    def close(self) -> None:
        """End everything."""
        # The scheduler would wait for the tasks at work, and start more of them.
        if "scheduler" in self._processes:
            self.end("scheduler", signal.SIGKILL)
        # What stands last in the list are clients of the first, which would wait for them.
        for name in reversed(list(self._processes)):
            self.end(name)
        for log in self._logs:
            log.close()

    # -- waiting ----------------------------------------------------------------------------------

    def until(self, what: str, look: Callable[[], T], seconds: float = 120) -> T:
        """Look until there is something, and return it; else fail, with the ends of all logs."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise AssertionError(f"the {name} has ended by itself\n{self.tails()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.tails()}")
            time.sleep(0.25)

    def tails(self) -> str:
        """Return the ends of all logs."""
        parts = []
        of_tasks = (self.home / "logs").glob("dag_id=*/**/*.log*")
        for path in [*sorted(self.home.glob("*.log")), *sorted(of_tasks)]:
            lines = path.read_text(errors="replace").splitlines()[-_TAIL:]
            parts.append("\n".join([f"---- {path.relative_to(self.home)}", *lines]))
        return "\n".join(parts)

    # -- settings ---------------------------------------------------------------------------------

    def _commands(self) -> dict[str, list[str]]:
        serve = ["-H", "127.0.0.1", "-p", str(self.port), "-w", "1"]
        commands = {
            "scheduler": ["scheduler", "--skip-serve-logs"],
            "triggerer": ["triggerer", "--skip-serve-logs"],
        }
        if IS_2:
            return {"webserver": ["webserver", *serve], **commands}
        return {
            "api-server": ["api-server", *serve],
            "dag-processor": ["dag-processor"],
            **commands,
        }

    def _settings(self) -> dict[str, str]:
        secret = secrets.token_hex(32)
        settings: dict[str, Any] = {
            "core.dags_folder": HERE / "dags",
            "core.load_examples": False,
            "core.executor": "LocalExecutor",
            "core.parallelism": 8,
            "core.max_active_tasks_per_dag": 100,
            "core.dags_are_paused_at_creation": False,
            "core.simple_auth_manager_all_admins": True,
            "core.execution_api_server_url": f"{self.url}/execution/",
            "api.secret_key": secret,
            "api_auth.jwt_secret": secret,
            "webserver.secret_key": secret,
            "api.auth_backends": "airflow.api.auth.backend.default",
            "scheduler.scheduler_heartbeat_sec": 1,
            "scheduler.job_heartbeat_sec": 1,
            "scheduler.scheduler_idle_sleep_time": 0.3,
            "scheduler.trigger_timeout_check_interval": 2,
            "scheduler.min_file_process_interval": 600,
            "dag_processor.min_file_process_interval": 600,
            "triggerer.job_heartbeat_sec": 1,
            "triggerer.triggerer_health_check_threshold": 6,
            "triggerer.on_kill_timeout": 20,
            "workers.min_heartbeat_interval": 1,
            "logging.worker_log_server_port": free_port(),
            "logging.trigger_log_server_port": free_port(),
            "usage_data_collection.enabled": False,
        }
        return {
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": str(HERE.parents[3]),
            # The call budget that the tasks share is a file in there.
            "TMPDIR": str(self.home / "tmp"),
            # Airflow 2 wants another database for this executor; for a few tasks SQLite will do.
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
            **{
                f"AIRFLOW__{name.replace('.', '__').upper()}": str(value)
                for name, value in settings.items()
            },
        }


def _kill_session(leader: int) -> None:
    """Kill all processes of a session; Airflow gives its tasks groups of their own, but no more."""
    for _ in range(5):
        members = _session_of(leader)
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        if not psutil.wait_procs(members, 5)[1]:
            break


def _session_of(leader: int) -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if _session(each.pid) == leader]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@contextmanager
def running(home: Path, connections: dict[str, str]) -> Iterator[Stack]:
    """Run an Airflow."""
    stack = Stack(home, connections)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
