"""Sync a Pipeline and wait, then resync it with drop-and-load and wait.

    python examples/quickstart.py [--sync-only]

Without credentials it runs against an emulator. With HEVO_API_KEY, HEVO_API_SECRET, HEVO_REGION
(or HEVO_BASE_URL) and HEVO_PIPELINE_ID it runs on that Pipeline of your account. Mind that
drop-and-load drops and recreates its Destination tables. On a host that is not this machine it
waits ten seconds before that, for Ctrl-C; --sync-only leaves it out.

Exit code: 0 when all Jobs succeeded, 1 when one did not, 2 for wrong settings, 3 for any other
error, such as a Hevo that cannot be reached.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable

import account

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData


def duration_of(data: JobData) -> str:
    """Return a Job's duration as text, such as 1m40s."""
    minutes, seconds = divmod(round(data.duration_seconds or 0), 60)
    return f"{minutes}m{seconds:02}s"


def show(job: Job[JobData]) -> None:
    """Print the progress of a Job."""
    if not job.is_terminal:
        duration = duration_of(job.data)
        loaded = job.data.events_loaded or 0
        print(f"  ... {job.status} for {duration}, {loaded:,} events loaded so far")


async def run(title: str, triggering: Awaitable[Job]) -> bool:
    """Trigger a run, wait for its Job, and print how it ended."""
    print(f"\n{title}: asking Hevo to start it, and polling for its Job")
    job = await triggering
    print(f"  started as {job.type} Job {job.id}")
    try:
        await job.await_completion(
            poll_interval=account.poll_interval(), timeout=6 * 3600, on_update=show
        )
    except errors.JobDidNotSucceed as error:
        print(f"  {error}")
        return False
    data = job.data
    assert data is not None
    print(
        f"  {data.status} after {duration_of(data)}: "
        f"{data.events_loaded or 0:,} events loaded, {data.events_failed or 0:,} failed; "
        f"{data.objects_success or 0} objects done, {data.objects_failed or 0} failed"
    )
    return True


async def warn_of_dropped_tables(hevo: HevoClient, pipeline_id: int) -> None:
    """Wait ten seconds for Ctrl-C, on a Pipeline that is real."""
    if "://127.0.0.1" in hevo.base_url or "://localhost" in hevo.base_url:
        return
    print(
        f"\nNext, the resync DROPS AND RECREATES the Destination tables of Pipeline {pipeline_id}."
        "\nCtrl-C within ten seconds stops it; --sync-only leaves it out."
    )
    await asyncio.sleep(10)


async def sync_and_resync(hevo: HevoClient, pipeline_id: str, *, sync_only: bool) -> bool:
    """Run the main job; return whether all of it succeeded."""
    pipeline = await hevo.get_pipeline(pipeline_id)
    print(f"Pipeline {pipeline.id} ({pipeline.name}) is there; its status is {pipeline.status}.")
    results = [await run("Sync", pipeline.sync_now())]
    if not sync_only:
        await warn_of_dropped_tables(hevo, pipeline.id)
        # Hevo restarts the Pipeline before the Job appears, so this needs more time.
        resync = pipeline.resync(drop_and_load=True, discovery_timeout=900)
        results.append(await run("Resync with drop-and-load", resync))
    print(f"\n{sum(results)} of {len(results)} Jobs succeeded.")
    return all(results)


def pipeline_to_run() -> str:
    """Return the Pipeline's id, after a check that the settings of the account are complete."""
    if not account.is_set():
        return "123"
    HevoClient.from_env()  # its error names what is missing
    if not os.environ.get("HEVO_PIPELINE_ID"):
        raise errors.ConfigurationError("set HEVO_PIPELINE_ID to the Pipeline to run")
    return os.environ["HEVO_PIPELINE_ID"]


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sync-only", action="store_true", help="leave the resync out")
    sync_only = parser.parse_args().sync_only
    emulator = HevoEmulator(speed=account.SPEED)
    emulator.add_pipeline(123, name="Orders to the warehouse", duration=100.0)
    try:
        pipeline_id = pipeline_to_run()
        async with account.emulated_or_real(emulator) as hevo:
            return 0 if await sync_and_resync(hevo, pipeline_id, sync_only=sync_only) else 1
    except errors.ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except errors.HevoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
