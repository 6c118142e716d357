"""Sync several Pipelines at once, and go on when all of them have succeeded.

    python examples/sync_several.py [ID ...]

Ids are of your own account; without credentials, three emulated Pipelines are synced.
"""

from __future__ import annotations

import asyncio
import sys

import account

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator


async def sync_all(hevo: HevoClient, pipeline_ids: list[str]) -> bool:
    jobs = await asyncio.gather(
        *(hevo.pipeline(pipeline_id).sync_now(if_running="join") for pipeline_id in pipeline_ids)
    )
    print(f"{len(jobs)} Jobs are under way")
    succeeded = 0
    async for result in hevo.as_completed(
        jobs, on_failure="return", poll_interval=account.poll_interval(), timeout=3600
    ):
        if isinstance(result, errors.HevoError):
            print(f"  {result}")
        else:
            succeeded += 1
            loaded = result.data.events_loaded if result.data else None
            print(f"  Pipeline {result.pipeline_id}: {loaded or 0:,} events loaded")
    if succeeded < len(jobs):
        print(f"Only {succeeded} of {len(jobs)} succeeded; not going on.")
        return False
    print("All have succeeded; going on with what needs them all.")
    return True


async def main() -> int:
    pipeline_ids = sys.argv[1:] or ["1", "2", "3"]
    emulator = HevoEmulator(speed=account.SPEED)
    for number, pipeline_id in enumerate(pipeline_ids):
        emulator.add_pipeline(
            int(pipeline_id), duration=20.0 * (number + 1), events=1000 * (number + 1)
        )
    async with account.emulated_or_real(emulator) as hevo:
        return 0 if await sync_all(hevo, pipeline_ids) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
