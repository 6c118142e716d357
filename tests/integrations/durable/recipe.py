"""What each recipe promises, whatever the engine: tests for a class that has one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.journal import RecordedCall
from tests.integrations.durable.servers import WITHIN, until

WORKER = Path(__file__).with_name("worker.py")


class Engine(ABC):
    """A server, and the workflow of one test.

    Args:
        emulator: Hevo.
        address: The server.
    """

    name: str

    def __init__(self, emulator: HevoEmulator, address: str) -> None:
        self.emulator = emulator
        self.address = address
        self.workflow_id = uuid.uuid4().hex
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        command = [sys.executable, f"{WORKER}", self.name, self.address, *arguments]
        env = {**os.environ, **self.emulator.environment}
        self.workers.append(subprocess.Popen(command, env=env))
        return self.workers[-1]

    def stop(self, how: signal.Signals) -> None:
        """End the worker."""
        self.workers[-1].send_signal(how)
        self.workers[-1].wait(WITHIN)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    @abstractmethod
    def start(self) -> None:
        """Start the workflow, and a worker that runs it."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel the workflow."""

    @abstractmethod
    def result(self) -> dict[str, Any] | str:
        """Wait for the end of the workflow; return its result, or what its error says."""

    # -- what Hevo sees ---------------------------------------------------------------------------

    @property
    def job(self) -> EmulatedJob:
        return self.emulator.pipeline(1).jobs[-1]

    def calls(self, endpoint: str) -> int:
        return len(self.emulator.requests.of(endpoint))

    def until_it_waits(self) -> None:
        """Wait until a worker polls for the Job, from now on."""
        before = self.calls("get_job")
        until(lambda: self.calls("get_job") >= before + 3, "the wait for the Job")

    def end(self, status: str) -> None:
        self.job.end(self.emulator.now, status)


class Recipe:
    """The tests; the module of an engine has a fixture ``address``, its server."""

    kind: type[Engine]

    @pytest.fixture
    def engine(self, emulator: HevoEmulator, address: str) -> Iterator[Engine]:
        engine = self.kind(emulator, address)
        try:
            yield engine
        finally:
            engine.close()

    def test_killed_right_after_the_post_and_in_the_wait(self, engine: Engine) -> None:
        def kill(call: RecordedCall) -> None:
            if call.endpoint == "sync_now":
                engine.workers[0].kill()

        engine.emulator.on_request = kill
        engine.start()
        engine.workers[0].wait(WITHIN)
        engine.emulator.on_request = None
        engine.worker()
        engine.until_it_waits()
        engine.stop(signal.SIGKILL)
        engine.worker()
        engine.until_it_waits()
        engine.end("COMPLETED")
        outcome = engine.result()
        assert isinstance(outcome, dict), outcome
        assert (outcome["kind"], outcome["job_id"]) == ("success", engine.job.job_id)
        # Nobody has seen what Hevo answered, so somebody else may have started the Job.
        assert outcome["certainty"] == "possible"
        assert engine.calls("sync_now") == 1

    def test_its_worker_is_stopped_and_the_job_ends_meanwhile(self, engine: Engine) -> None:
        engine.start()
        engine.until_it_waits()
        engine.stop(signal.SIGINT)
        assert engine.calls("cancel_job") == 0
        engine.end("FAILED")
        engine.worker()
        assert "FAILED" in str(engine.result())
        assert engine.calls("sync_now") == 1

    @pytest.mark.parametrize("when", ["right after the POST", "in the wait"])
    def test_cancelled(self, engine: Engine, when: str) -> None:
        engine.emulator.pipeline(1).appears_after = 5.0
        engine.start()
        if when == "in the wait":
            engine.until_it_waits()
        else:
            until(lambda: engine.calls("sync_now"), "the POST")
        engine.cancel()
        assert "cancelled" in str(engine.result())
        until(lambda: engine.job.is_over, "the end of the Job")
        assert engine.job.status == "CANCELLED"
        assert engine.calls("sync_now") == engine.calls("cancel_job") == 1
