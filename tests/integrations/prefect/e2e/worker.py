"""A worker of Prefect in a process of its own, and the flow runs that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import LogSort
from prefect.flows import Flow
from prefect.states import Cancelling, Scheduled
from typing_extensions import Self

from tests.integrations.prefect.e2e import flows
from tests.integrations.prefect.server import PrefectServer
from tests.integrations.prefect.support import flow_run, wait_until
from tests.pages.blocks import ROOT

POOL = "hevo-edge"
PATIENCE = 240.0
"""Seconds for what a process of Prefect does, on a machine with other things to do."""
OVER = {StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED}


class Run:
    """A flow run."""

    def __init__(self, run_id: UUID) -> None:
        self.id = run_id

    def read(self) -> FlowRun:
        return flow_run(self.id)

    def until(self, *types: StateType) -> FlowRun:
        """Wait until it is in one of some states."""
        wait_until(lambda: self.read().state_type in types, PATIENCE)
        return self.read()

    @property
    def pid(self) -> int:
        return int(str(self.read().infrastructure_pid).rpartition(":")[2])

    @property
    def log(self) -> str:
        """What is said of it, and lately of others: a subflow's log is its own."""
        with get_client(sync_client=True) as client:
            records = client.read_logs(limit=200, sort=LogSort.TIMESTAMP_DESC)
        return "\n".join(each.message for each in records)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to its process."""
        os.kill(self.pid, number)

    def cancel(self) -> None:
        """Do what `prefect flow-run cancel` does."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.id, Cancelling())

    def again(self) -> None:
        """Do what *Retry* does: let the worker have it once more."""
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self.id, Scheduled(), force=True)


class Worker:
    """A worker, and a deployment for each flow."""

    def __init__(self, server: PrefectServer) -> None:
        self._server = server
        self._deployments: dict[str, UUID] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
        }
        with Path(self._server.home, "worker.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--type", "process"], env=environment, stdout=log, stderr=log
            )
        wait_until(self._is_there, PATIENCE)
        for each in vars(flows).values():
            if isinstance(each, Flow) and each.fn.__module__ == flows.__name__:
                self._deployments[each.name] = self._deploy(each)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def start(self, one: Any, **parameters: Any) -> Run:
        """Start a flow run."""
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(
                self._deployments[one.name], parameters=parameters
            )
        return Run(run.id)

    def _is_there(self) -> bool:
        with get_client(sync_client=True) as client:
            pools = client.request("POST", "/work_pools/filter", json={}).json()
        return POOL in {pool["name"] for pool in pools}

    def _deploy(self, one: Flow[Any, Any]) -> UUID:
        source: Any = Flow.from_source(
            f"{Path(flows.__file__).parent}", entrypoint=f"flows.py:{one.fn.__name__}"
        )
        return UUID(f"{source.deploy('e2e', work_pool_name=POOL, print_next_steps=False)}")
