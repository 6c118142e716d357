"""After an outage: find the Pipelines whose last Job failed, and sync them, a few at a time.

    python examples/recover_after_downtime.py [--at-once 3]

Prints what was found and how each recovery ended; the exit code is 0 when all have recovered. On
your own account it asks for --yes first, because it starts runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import account

from hevo_edge import HevoClient, JobStatus, Pipeline, errors
from hevo_edge.emulator import HevoEmulator

NO_RUN = {JobStatus.SKIPPED, JobStatus.CANCELLED}
FAILED = {JobStatus.FAILED, JobStatus.COMPLETED_WITH_FAILURES}


async def has_failed(pipeline: Pipeline) -> bool:
    """Return whether the Pipeline's last real run failed."""
    async for job in pipeline.list_jobs(limit=20):
        if job.status not in NO_RUN:
            return job.status in FAILED
    return False


async def recover(pipeline: Pipeline, at_once: asyncio.Semaphore) -> bool:
    """Sync one Pipeline; if a run has started meanwhile, await that one."""
    async with at_once:
        try:
            job = await pipeline.sync_now(if_running="join")
            await job.await_completion(poll_interval=account.poll_interval(), timeout=4 * 3600)
        except errors.HevoError as error:
            print(f"  {pipeline.name}: {error}")
            return False
        print(f"  {pipeline.name}: {job.status}, {job.data.events_loaded or 0:,} events loaded")
        return True


async def recover_all(hevo: HevoClient, at_once: int, *, start: bool) -> bool:
    pipelines = [pipeline async for pipeline in hevo.list_pipelines()]
    failed = [pipeline for pipeline in pipelines if await has_failed(pipeline)]
    print(f"{len(failed)} of {len(pipelines)} Pipelines failed in their last run:")
    for pipeline in failed:
        print(f"  {pipeline.id} {pipeline.name}")
    if not failed or not start:
        return not failed
    print(f"Syncing them, {at_once} at a time:")
    limit = asyncio.Semaphore(at_once)
    recovered = await asyncio.gather(*(recover(pipeline, limit) for pipeline in failed))
    print(f"{sum(recovered)} of {len(failed)} have recovered.")
    return all(recovered)


def after_an_outage() -> HevoEmulator:
    """Prepare an emulator with eight Pipelines, of which the outage hit five."""
    emulator = HevoEmulator(speed=account.SPEED)
    for number in range(1, 9):
        pipeline = emulator.add_pipeline(number, name=f"Shop {number}", duration=30.0, history=3)
        if number > 3:
            outage = emulator.now - 1800
            pipeline.add_history(created=outage, status=JobStatus.FAILED, duration=30.0)
            pipeline.add_history(created=outage + 10, status=JobStatus.SKIPPED, duration=0.0)
    return emulator


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--yes", action="store_true", help="start runs on your own account")
    options = parser.parse_args()
    start = options.yes or not account.is_set()
    async with account.emulated_or_real(after_an_outage()) as hevo:
        return 0 if await recover_all(hevo, options.at_once, start=start) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
