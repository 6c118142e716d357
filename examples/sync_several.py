"""Sync several Pipelines at once, and continue when all of them have succeeded.

    python examples/sync_several.py [ID ...]

Ids are of your own account; without credentials, three emulated Pipelines are synced.
"""

from __future__ import annotations

import asyncio
import sys

import account

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator


async def sync(hevo: HevoClient, pipeline_id: str) -> bool:
    """Sync one Pipeline; its error must not end the waits for the others."""
    try:
        job = await hevo.pipeline(pipeline_id).sync_now(if_running="join")
        print(f"  Pipeline {pipeline_id}: Job {job.id} is running")
        await job.await_completion(poll_interval=account.poll_interval(), timeout=3600)
    except errors.HevoError as error:
        print(f"  Pipeline {pipeline_id}: {error}")
        return False
    print(f"  Pipeline {pipeline_id}: {job.status}, {job.data.events_loaded or 0:,} events loaded")
    return True


async def sync_all(hevo: HevoClient, pipeline_ids: list[str]) -> bool:
    print(f"Syncing {len(pipeline_ids)} Pipelines at once:")
    results = await asyncio.gather(*(sync(hevo, pipeline_id) for pipeline_id in pipeline_ids))
    if not all(results):
        print(f"Only {sum(results)} of {len(results)} have succeeded; the next step is left out.")
        return False
    print("All have succeeded; the next step can start.")
    return True


async def main() -> int:
    pipeline_ids = sys.argv[1:] or ["1", "2", "3"]
    emulator = HevoEmulator(speed=account.SPEED)
    for number in (1, 2, 3):
        emulator.add_pipeline(number, duration=20.0 * number, events=1000 * number)
    async with account.emulated_or_real(emulator) as hevo:
        return 0 if await sync_all(hevo, pipeline_ids) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
