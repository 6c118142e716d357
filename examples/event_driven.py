"""Start a sync when something upstream has finished: here, a database backup.

    python examples/event_driven.py

The backup is a coroutine of your own. The sync starts only after it has succeeded, so the Pipeline
never reads a half-written source. The reports are built only after the sync, so they see its data.
"""

from __future__ import annotations

import asyncio
import os

import account

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator


async def back_up_database() -> str:
    """Stand in for your own backup."""
    await asyncio.sleep(0.5)
    return "backup-2026-01-01.dump"


async def build_reports() -> None:
    """Stand in for a task that needs the synced data, such as a dbt run."""
    await asyncio.sleep(0.1)


async def nightly(hevo: HevoClient, pipeline_id: str) -> None:
    backup = await back_up_database()
    print(f"{backup} is complete; syncing Pipeline {pipeline_id}")
    # A scheduled run may have read the source before the backup: wait for its end, then start ours.
    job = await hevo.pipeline(pipeline_id).sync_now(if_running="wait")
    await job.await_completion(poll_interval=account.poll_interval(), timeout=3600)
    print(f"Job {job.id} {job.status}: {job.data.events_loaded or 0:,} events; building reports")
    await build_reports()
    print("done")


async def main() -> None:
    pipeline_id = os.environ.get("HEVO_PIPELINE_ID", "123")
    emulator = HevoEmulator(speed=account.SPEED)
    emulator.add_pipeline(123, duration=40.0)
    async with account.emulated_or_real(emulator) as hevo:
        await nightly(hevo, pipeline_id)


if __name__ == "__main__":
    asyncio.run(main())
