"""A small orchestrator of one's own: retries, tickets in files, and a SIGTERM that cancels.

    python examples/own_orchestrator.py [--tickets FOLDER] [ID ...]

With credentials it syncs the Pipelines that are named. Kill it at any moment and start it again
with the same folder: a run that it had started is resumed, not started again. Without credentials
it shows that on an emulator: one worker is killed, one has a Job that fails, one gets SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import account

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.journal import RecordedCall
from hevo_edge.orchestration import Account, Outcome, Run, RunSpec, TicketFile

ATTEMPTS = 3
"""How often a task is tried."""
STOP_WITHIN = 20.0
"""Seconds that cancelling a Job may take; a supervisor kills what has not stopped some time after
its SIGTERM.
"""


class Orchestrator:
    """Runs tasks, each of which syncs one Pipeline.

    Args:
        hevo: One client for all tasks, so that they share polls and the call budget.
        account: The account's fingerprint: a ticket of another account is not used.
        folder: Where the tickets are.
        every: Seconds between polls of a Job.
    """

    def __init__(self, hevo: HevoClient, account: str, folder: Path, every: float) -> None:
        self._hevo = hevo
        self._account = account
        self._folder = folder
        self._every = every

    async def run_task(self, pipeline_id: str) -> bool:
        """Sync a Pipeline, and try again where that can help; return whether it succeeded."""
        spec = RunSpec(
            pipeline_id=int(pipeline_id),
            if_running="wait",
            poll_interval=self._every,
            deadline=time.time() + 2 * 3600,  # for all attempts together
        )
        store = TicketFile(self._folder / f"pipeline-{pipeline_id}.json")
        # The same for all attempts. On another day, a Job that has ended is not taken for the run.
        today = datetime.now(timezone.utc).date().isoformat()
        for number in range(1, ATTEMPTS + 1):
            attempt = Run(spec, store, account=self._account, generation=today)
            outcome = await self._attempt(attempt)
            print(f"  Pipeline {pipeline_id}, attempt {number}: {outcome.kind}: {outcome.message}")
            if outcome.kind == "success":
                return True
            if outcome.kind == "timeout" or outcome.is_final:
                return False
            await asyncio.sleep(self._every)
        return False

    async def _attempt(self, attempt: Run) -> Outcome:
        try:
            started = await attempt.start(self._hevo)
            if isinstance(started, Outcome):
                outcome = started
            else:
                verb = "resumed" if attempt.is_resumed else "started"
                print(f"  Pipeline {started.pipeline_id}: {verb} Job {started.id}", flush=True)
                outcome = await attempt.wait(self._hevo)
        except asyncio.CancelledError:
            await self._cancel(attempt)
            raise
        attempt.finish(outcome)
        return outcome

    async def _cancel(self, attempt: Run) -> None:
        """Cancel the Job in Hevo, unless it may be somebody else's."""
        try:
            asked = await attempt.cancel(self._hevo, within=STOP_WITHIN)
        except errors.HevoError as error:
            print(f"  cancelling failed, so the ticket stays for the next start: {error}")
        else:
            print("  stopped; its Job was " + ("cancelled" if asked else "left running"))


async def work(pipeline_ids: list[str], folder: Path, every: float) -> int:
    """Run a task for each Pipeline, until all are done or SIGTERM comes."""
    hevo_account = Account.parse(
        login=os.environ.get("HEVO_API_KEY"),
        password=os.environ.get("HEVO_API_SECRET"),
        host=os.environ.get("HEVO_BASE_URL") or os.environ.get("HEVO_REGION"),
    )
    async with hevo_account.client() as hevo:
        orchestrator = Orchestrator(hevo, hevo_account.fingerprint, folder, every)
        tasks = asyncio.gather(*map(orchestrator.run_task, pipeline_ids))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, tasks.cancel)
        try:
            return 0 if all(await tasks) else 1
        except asyncio.CancelledError:
            return 128 + signal.SIGTERM  # what a shell reports of a process that SIGTERM ended


# -- what shows it on an emulator -----------------------------------------------------------------


def worker(emulator: HevoEmulator, folder: str, *pipeline_ids: str) -> subprocess.Popen[str]:
    """Start this file again, as a process that can be killed."""
    command = [sys.executable, __file__, "--tickets", folder, "--every", "1", *pipeline_ids]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", **emulator.environment}
    return subprocess.Popen(command, env=env, text=True)


def kill_after_post(emulator: HevoEmulator, folder: str) -> None:
    """Kill a worker when Hevo has taken its POST, before the answer is sent."""
    victims: list[subprocess.Popen[str]] = []

    def kill(call: RecordedCall) -> None:
        if call.endpoint == "sync_now":
            victims[0].kill()

    emulator.on_request = kill
    victims.append(worker(emulator, folder, "1"))
    victims[0].wait()
    emulator.on_request = None


def stop_when_running(emulator: HevoEmulator, folder: str) -> None:
    """Send SIGTERM to a worker when the Job that it has started runs, and it knows the Job."""
    stopped = worker(emulator, folder, "3")
    while not any(call.endpoint == "get_job" for call in emulator.requests):
        time.sleep(0.1)
    stopped.terminate()
    print(f"it ended with exit status {stopped.wait()}")
    while not emulator.pipeline(3).jobs[-1].is_over:  # CANCELLING takes a moment
        time.sleep(0.1)


def show() -> None:
    """Let four workers run, of which one is killed and one is stopped."""
    emulator = HevoEmulator(speed=account.SPEED)
    emulator.add_pipeline(1, duration=60.0)
    emulator.add_pipeline(2, duration=20.0).plan(outcome="FAILED")
    emulator.add_pipeline(3, duration=3600.0)
    with emulator, tempfile.TemporaryDirectory() as folder:
        print("A worker that is killed between the POST and its answer:")
        kill_after_post(emulator, folder)
        print("The next worker finds the ticket:")
        worker(emulator, folder, "1").wait()
        print("A worker whose first Job fails:")
        worker(emulator, folder, "2").wait()
        emulator.requests.clear()
        print("A worker that gets SIGTERM:")
        stop_when_running(emulator, folder)
        for number in (1, 2, 3):
            jobs = emulator.pipeline(number).jobs
            ended = [str(job.status) for job in jobs if job.origin == "sync_now"]
            print(f"Pipeline {number}: its runs are {', '.join(ended)}")
        print(f"tickets that are left: {[path.name for path in Path(folder).iterdir()]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pipeline_ids", nargs="*", metavar="ID")
    parser.add_argument("--tickets", type=Path, default=Path("tickets"), metavar="FOLDER")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between polls")
    options = parser.parse_args()
    if not account.is_set():
        show()
        return 0
    if not options.pipeline_ids:
        parser.error("name the Pipelines to sync")
    options.tickets.mkdir(exist_ok=True)
    try:
        return asyncio.run(work(options.pipeline_ids, options.tickets, options.every))
    except errors.ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
