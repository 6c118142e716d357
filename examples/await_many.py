"""Await a hundred Jobs at once, more than the call budget can poll every 15 s.

    python examples/await_many.py [REF ...]

Refs (``job.ref``, such as 123:550e8400-...) are of your own account; without credentials, a hundred
emulated Jobs are awaited.
"""

from __future__ import annotations

import asyncio
import sys

import account

from hevo_edge import HevoClient, Job
from hevo_edge.emulator import HevoEmulator

COUNT = 100


async def await_many(hevo: HevoClient, refs: list[str]) -> bool:
    """Print each failure as it comes; a Job that fails does not end the waits for the others."""
    succeeded = 0
    print(f"Waiting for {len(refs)} Jobs within the budget of 100 calls a minute:")
    async for result in hevo.as_completed(
        refs, poll_interval=account.poll_interval(), timeout=6 * 3600, on_failure="return"
    ):
        if isinstance(result, Job):
            succeeded += 1
        else:
            print(f"  {result}")
    print(f"{succeeded} of {len(refs)} Jobs have succeeded.")
    return succeeded == len(refs)


def start_emulated(emulator: HevoEmulator) -> list[str]:
    """Start a Job in each of many emulated Pipelines; one of them will fail."""
    refs: list[str] = []
    for number in range(1, COUNT + 1):
        pipeline = emulator.add_pipeline(number)
        pipeline.plan(
            appears_after=0, duration=30 + number, outcome="FAILED" if number == 7 else "COMPLETED"
        )
        refs.append(f"{number}:{pipeline.start_job(now=emulator.now).job_id}")
    return refs


async def main() -> int:
    emulator = HevoEmulator(speed=account.SPEED)
    async with account.emulated_or_real(emulator) as hevo:
        refs = sys.argv[1:] if account.is_set() else start_emulated(emulator)
        everything_went_well = await await_many(hevo, refs)
    if not account.is_set():
        refused = sum(call.status == 429 for call in emulator.requests)
        print(f"{len(emulator.requests)} calls were made, and {refused} of them refused.")
        return 0
    return 0 if everything_went_well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
