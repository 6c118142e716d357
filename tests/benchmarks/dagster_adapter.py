"""What the Dagster adapter costs, beside dagster-airbyte on the same shape of work.

Run it where both are: ``nox -s dagster_benchmarks``. Each syncs one Pipeline (there: a connection)
of one table, whose run takes two seconds of the server's, and polls every 0.5 s:

* calls: requests from the start to the materialization, that of the token there included;
* first line, and id: seconds until the step has logged something, and until it has named its run,
  whose id Hevo's API does not return, but lists later;
* runs: how many were started when the reply to the POST was lost, its connection cut after the run
  had begun;
* import: milliseconds of computing that the names of a definitions file take after
  ``import dagster``. Fresh interpreters in turn, medians.

A local server plays each vendor's API: the emulator for Hevo, a few lines for Airbyte.
"""

# Dagster reads annotations as they stand: no `from __future__ import annotations`.

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, hevo_assets

ROUNDS = 9
OURS = "from hevo_edge.integrations.dagster import HevoResource, hevo_assets"
PEER = "from dagster_airbyte import AirbyteWorkspace, airbyte_assets"
IMPORT_GOAL = 60.0
SECONDS = 2.0


class FakeAirbyte(BaseHTTPRequestHandler):
    """The calls of a sync; a job runs for some seconds after it was started."""

    started: list[float]
    calls: list[str]
    loses_reply: bool

    def log_message(self, *_: Any) -> None:
        return

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.calls.append(self.path)
        if self.path.endswith("/jobs"):
            self.started.append(time.monotonic())
            if self.loses_reply:
                type(self).loses_reply = False
                self.connection.close()
                return
            self._answer({"jobId": len(self.started), "jobType": "sync", "status": "running"})
        else:
            self._answer({"access_token": "token", "expires_in": 900, "token_type": "Bearer"})

    def do_GET(self) -> None:
        self.calls.append(self.path)
        is_over = time.monotonic() - self.started[-1] > SECONDS
        status = "succeeded" if is_over else "running"
        self._answer({"jobId": len(self.started), "jobType": "sync", "status": status})

    def _answer(self, body: Any) -> None:
        payload = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@contextmanager
def airbyte(*, loses_reply: bool) -> Generator[tuple[type[FakeAirbyte], str], None, None]:
    class Handler(FakeAirbyte):
        pass

    Handler.started, Handler.calls, Handler.loses_reply = [], [], loses_reply
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Handler, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def hevo_run(*, loses_reply: bool) -> tuple[int, tuple[float, float], int]:
    """Run ours. Returns calls, seconds to the first line and to the run's id, and runs."""
    with HevoEmulator(rate_limit=None) as emu:
        emu.add_pipeline(1, duration=SECONDS, appears_after=0.2, objects=("users",))
        if loses_reply:
            emu.faults.drop(on="sync_now", effect="after")
        keys = {"api_key": emu.api_key, "api_secret": emu.api_secret, "base_url": emu.base_url}
        hevo = HevoResource(**keys, rate_limit=None)  # type: ignore[arg-type]

        @hevo_assets(pipeline_id=1, tables=["users"], poll_interval=0.5)
        def assets(context: dg.AssetExecutionContext, hevo: HevoResource) -> Any:
            yield from hevo.materialize(context)

        seconds = run(assets, {"hevo": hevo}, "Job 1:")
        runs = sum(call.took_effect for call in emu.requests.of("sync_now"))
        return len(emu.requests), seconds, runs


def airbyte_run(*, loses_reply: bool) -> tuple[int, tuple[float, float], int]:
    """Run the peer's legacy-free client in an asset, as its workspace's sync does."""
    from dagster_airbyte.resources import AirbyteClient  # noqa: PLC0415

    with airbyte(loses_reply=loses_reply) as (server, url):
        client = AirbyteClient(
            rest_api_base_url=url,
            configuration_api_base_url=url,
            workspace_id="w",
            client_id="id",
            client_secret="secret",
            username=None,
            password=None,
            request_max_retries=3,
            request_retry_delay=0.25,
            request_timeout=15,
            max_items_per_page=100,
            poll_interval=0.5,
            poll_timeout=None,
            cancel_on_termination=True,
            poll_previous_running_sync=False,
        )

        @dg.asset
        def users(context: dg.AssetExecutionContext) -> None:
            started = client.start_sync_job("connection")
            context.log.info(f"Job {started['jobId']}")  # noqa: G004
            while client.get_job_details(started["jobId"])["status"] == "running":
                time.sleep(0.5)

        seconds = run(users, {}, "Job ")
        return len(server.calls), seconds, len(server.started)


def run(
    asset: dg.AssetsDefinition, resources: dict[str, Any], names_run: str
) -> tuple[float, float]:
    """Materialize; return the seconds to the first line, and to the one that starts so."""
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.time()
        result = dg.materialize([asset], resources=resources, instance=instance)
        lines = [
            (entry.timestamp - began, entry.user_message)
            for entry in instance.all_logs(result.run_id)
            if entry.dagster_event is None
        ]
        named = [at for at, text in lines if text.startswith(names_run)]
        return lines[0][0], named[0]


def import_times() -> dict[str, float]:
    """Return the median milliseconds of each import after Dagster's own."""
    times: dict[str, list[float]] = {OURS: [], PEER: []}
    for _ in range(ROUNDS):
        for what, known in times.items():
            code = f"import dagster, time; t = time.process_time(); {what}; print(time.process_time() - t)"
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code],
                capture_output=True,
                text=True,
                check=True,
            )
            known.append(float(done.stdout.split()[-1]) * 1000)
    return {what: statistics.median(known) for what, known in times.items()}


def main() -> int:
    """Print all figures; return 1 when a goal is missed."""
    print(f"{'':24}{'calls':>8}{'first line':>12}{'id':>10}{'runs, reply lost':>18}")
    missed = False
    for name, measure in (("hevo_edge", hevo_run), ("dagster-airbyte", airbyte_run)):
        calls, (first, named), _ = measure(loses_reply=False)
        _, _, runs = measure(loses_reply=True)
        print(f"{name:24}{calls:>8}{first:>10.2f} s{named:>8.2f} s{runs:>18}")
        missed |= name == "hevo_edge" and runs != 1
    times = import_times()
    print(f"import after dagster: {times[OURS]:.0f} ms, {times[PEER]:.0f} ms for dagster-airbyte")
    return int(missed or times[OURS] > IMPORT_GOAL)


if __name__ == "__main__":
    sys.exit(main())
