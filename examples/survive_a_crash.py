"""Start exactly one run, although the process dies right after its POST.

    python examples/survive_a_crash.py

The ticket is stored before anything is sent, and whenever more is known. The first worker kills
itself when Hevo has accepted the POST, before the Job appears in the list. The second loads the
ticket, and resumes with the Job that the first has started.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import account

from hevo_edge import HevoClient, TriggerTicket
from hevo_edge.emulator import HevoEmulator
from hevo_edge.triggering import TicketState


async def sync_once(hevo: HevoClient, pipeline_id: str, path: Path, every: float) -> None:
    def store(ticket: TriggerTicket) -> None:
        if ticket.post is None and ticket.job_id is None:
            path.unlink(missing_ok=True)  # refused or never sent: nothing to resume
            return
        # Another file first: a crash leaves the old ticket or the new one, never half of one.
        whole = path.with_suffix(".new")
        whole.write_text(ticket.dumps())
        whole.replace(path)
        if "--crash" in sys.argv and ticket.state == TicketState.ACCEPTED:
            os._exit(9)  # no clean-up of any kind

    if path.exists():
        ticket = TriggerTicket.loads(path.read_text())
        print(f"there is a ticket; Hevo has accepted it: {ticket.state == TicketState.ACCEPTED}")
        job = await hevo.fire(ticket, on_ticket=store)
    else:
        print("there is no ticket; triggering")
        job = await hevo.pipeline(pipeline_id).trigger(on_ticket=store)
    print(f"Job {job.id}: {job.certainty}")
    try:
        await job.await_completion(poll_interval=every, timeout=3600)
    finally:
        if job.is_terminal:
            path.unlink(missing_ok=True)  # this run is over, whatever its status
    print(job.status)


async def worker(pipeline_id: str, path: str, every: str) -> None:
    async with HevoClient.from_env() as hevo:
        await sync_once(hevo, pipeline_id, Path(path), float(every))


def two_workers(pipeline_id: str, **environment: str) -> None:
    """Run a worker that dies, then one that does not, as an orchestrator would."""
    with tempfile.TemporaryDirectory() as folder:
        every = str(account.poll_interval())
        command = [sys.executable, __file__, pipeline_id, f"{folder}/ticket.json", every]
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        died = subprocess.run([*command, "--crash"], env=env, check=False)
        print(f"--- the first worker died, with exit status {died.returncode}; the next one starts")
        subprocess.run(command, env=env, check=True)


def main() -> None:
    if sys.argv[1:]:
        asyncio.run(worker(*sys.argv[1:4]))
        return
    pipeline_id = os.environ.get("HEVO_PIPELINE_ID", "123")
    if account.is_set():
        two_workers(pipeline_id)
        return
    with HevoEmulator(speed=account.SPEED) as emulator:
        emulator.add_pipeline(123, duration=60.0)
        two_workers("123", **emulator.environment)
        posts = emulator.requests.of("sync_now")
        runs = [job for job in emulator.pipeline(123).jobs if job.origin == "sync_now"]
        print(f"POSTs that Hevo has seen: {len(posts)}; runs that it has started: {len(runs)}")


if __name__ == "__main__":
    main()
