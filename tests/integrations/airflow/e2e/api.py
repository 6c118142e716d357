"""What a user does through Airflow's REST API."""

from __future__ import annotations

import json
import urllib.request
from typing import Any, cast
from urllib.parse import quote

from tests.integrations.airflow.e2e.stack import IS_2, Stack

_PREFIX = "/api/v1" if IS_2 else "/api/v2"
_DAGS = {
    "modes",
    "kills",
    "deaths",
    "outages",
    "many",
    "late",
    "together",
    "left",
    "refused",
    "outlets",
}
if not IS_2:
    _DAGS |= {"events"}
_OVER = {"success", "failed", "upstream_failed", "skipped"}


class Api:
    """The API of a stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call.

        Raises:
            OSError: when it is refused, or nobody listens.
        """
        request = urllib.request.Request(
            self.stack.url + _PREFIX + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read() or "null")

    def is_up(self) -> bool:
        """Say whether all processes are at work."""
        path = "/health" if IS_2 else "/monitor/health"
        try:
            health = self.call("GET", path)
        except OSError:
            return False
        return all(part["status"] in {"healthy", None} for part in health.values())

    def has_all_dags(self) -> bool:
        """Say whether all DAG files were parsed."""
        return {dag["dag_id"] for dag in self.call("GET", "/dags")["dags"]} == _DAGS

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, whatever started them."""
        return list(self.call("GET", f"/dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def asset_events(self) -> list[dict[str, Any]]:
        """Return the events of all assets; Airflow 2 calls them datasets."""
        of = "dataset" if IS_2 else "asset"
        return list(self.call("GET", f"/{of}s/events?limit=100")[f"{of}_events"])

    def run(self, dag_id: str) -> Run:
        """Start a DAG."""
        body = {} if IS_2 else {"logical_date": None}
        answer = self.call("POST", f"/dags/{dag_id}/dagRuns", body)
        return Run(self, dag_id, answer["dag_run_id"])


class Run:
    """A DAG run."""

    def __init__(self, api: Api, dag_id: str, run_id: str) -> None:
        self.api, self.dag_id, self.run_id = api, dag_id, run_id
        self._path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"

    def task(self, task_id: str) -> dict[str, Any]:
        """Return what Airflow knows of a task."""
        return cast("dict[str, Any]", self.api.call("GET", f"{self._path}/{task_id}"))

    def tasks(self) -> list[dict[str, Any]]:
        """Return all of them, those of a mapped task one by one."""
        answer = self.api.call("GET", f"{self._path}?limit=100")
        return list(answer["task_instances"])

    def until(self, task_id: str, *states: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until a task is in one of these states."""

        def look() -> dict[str, Any] | None:
            task = self.task(task_id)
            if task["state"] in states:
                return task
            assert task["state"] not in _OVER, f"{task['state']}\n{self.log(task_id)}"
            return None

        what = f"{self.dag_id}.{task_id} is {' or '.join(states)}"
        return cast("dict[str, Any]", self.api.stack.until(what, look, seconds))

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        """Return an XCom of a task."""
        path = f"{self._path}/{task_id}/xcomEntries/{key}?stringify=false"
        return self.api.call("GET", path)["value"]

    def log(self, task_id: str) -> str:
        """Return the logs of all tries of a task and of their triggers."""
        folder = self.api.stack.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        paths = sorted((folder / f"task_id={task_id}").rglob("*.log*"))
        return "\n".join(path.read_text() for path in paths)

    def mark_failed(self, task_id: str) -> None:
        """Mark a task as failed, as a user does."""
        body = {"new_state": "failed", **({"dry_run": False} if IS_2 else {})}
        self.api.call("PATCH", f"{self._path}/{task_id}", body)

    def clear(self, task_id: str) -> None:
        """Clear a task, as a user does."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": [task_id],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.api.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", body)
