"""Start one run, and one only, although the process dies right after it has asked for it.

    python examples/survive_a_crash.py

The ticket is stored before anything is sent. The first worker kills itself between the POST and the
moment when the Job shows up in Hevo; the second finds the ticket, and returns the Job of the first.
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


def store(ticket: TriggerTicket, path: Path) -> None:
    """Write the ticket so that a crash leaves the whole of it or nothing."""
    whole = path.with_suffix(".new")
    whole.write_text(ticket.dumps())
    whole.replace(path)


async def sync_once(hevo: HevoClient, pipeline_id: str, path: Path, every: float) -> None:
    if path.exists():
        ticket = TriggerTicket.loads(path.read_text())
        print("worker 2: there is a ticket, so a run may be under way; looking for it")
    else:
        ticket = await hevo.pipeline(pipeline_id).prepare_trigger()
        store(ticket, path)
        print("worker 1: the ticket is stored; firing it")
    if "--crash" in sys.argv:
        # The POST has left by then, and the first look for the Job comes later. No clean-up.
        asyncio.get_running_loop().call_later(0.5, os._exit, 9)
    job = await hevo.fire(ticket)
    print(f"worker 2: {job.certainty}: Job {job.id}")
    await job.await_completion(poll_interval=every, timeout=3600)
    # Only now: until here, another worker could go on from the ticket.
    path.unlink()
    print(f"worker 2: {job.status}")


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
        print(f"worker 1 died with exit status {died.returncode}")
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
