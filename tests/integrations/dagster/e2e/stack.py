"""A webserver with its code server and launcher, in a temporary home, by its GraphQL API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from hevo_edge.emulator import HevoEmulator

LIMIT = 240.0
"""Seconds for what a test waits for, whatever hangs."""
DEFINITIONS = Path(__file__).with_name("definitions.py")
CONFIG = """
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
AGAIN = """mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
SELECTOR = {"repositoryLocationName": "definitions.py", "repositoryName": "__repository__"}


def wait_for(what: Callable[[], Any]) -> Any:
    """Return what is true in the end."""
    until = time.monotonic() + LIMIT
    while not (found := what()):
        assert time.monotonic() < until, what
        time.sleep(0.2)
    return found


class Dagster:
    """A webserver at work."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self._process = process

    def query(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer
        return next(iter(answer["data"].values()))

    def launch(self, job: str, **run_config: Any) -> str:
        selector = {**SELECTOR, "jobName": job}
        launched = self.query(LAUNCH, params={"selector": selector, "runConfigData": run_config})
        return str(launched["run"]["runId"])

    def re_execute(self, run_id: str, strategy: str = "FROM_FAILURE") -> str:
        params = {"parentRunId": run_id, "strategy": strategy}
        return str(self.query(AGAIN, params=params)["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        self.query(TERMINATE, id=run_id)

    def end_of(self, run_id: str) -> str:
        """Return how a run ends."""
        ends = {"SUCCESS", "FAILURE", "CANCELED"}

        def ended() -> str | None:
            status = self.query(STATUS, id=run_id)["status"]
            return str(status) if status in ends else None

        return str(wait_for(ended))

    def kill_steps(self) -> None:
        """Kill the processes of steps: Dagster has spawned a run's, and that has spawned them."""
        spawned = [each for each in self._process.children(recursive=True) if _is_spawned(each)]
        pids = {each.pid for each in spawned}
        steps = [each for each in spawned if each.ppid() in pids]
        assert steps
        for step in steps:
            step.kill()


def _is_spawned(process: psutil.Process) -> bool:
    return any("spawn_main" in word for word in process.cmdline())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dagster_at(
    home: Path, emulator: HevoEmulator, limited: HevoEmulator
) -> Generator[Dagster, None, None]:
    """Run a Dagster whose runs talk to emulators."""
    (home / "dagster.yaml").write_text(CONFIG)
    port = free_port()
    env = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "HEVO_BASE_URL": emulator.base_url,
        "HEVO_LIMITED_URL": limited.base_url,
    }
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
    with (home / "webserver.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "-f", str(DEFINITIONS)], env=env, stdout=log, stderr=log, cwd=home
        )
        process = psutil.Process(server.pid)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: _answers(f"{url}/server_info") or server.poll() is not None)
            assert server.poll() is None, (home / "webserver.log").read_text()
            yield Dagster(url, process)
        finally:
            children = process.children(recursive=True)
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            _, left = psutil.wait_procs(children, timeout=30)
            for each in left:
                each.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
