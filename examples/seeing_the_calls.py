"""See what a client does: progress for who waits, an observer for who asks where the calls go.

    python examples/seeing_the_calls.py

With ``pip install "hevo-edge[progress]"`` the progress is a table that is kept up to date; without,
and where stderr is no terminal, it is lines.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import account

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import BudgetEvent, Observer, RequestEvent, StatusEvent


class Calls(Observer):
    """Counts the calls by what they are for, and how long they have waited for the budget."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()
        self.waited = 0.0

    def on_request(self, event: RequestEvent, /) -> None:
        self.by_name[event.name] += 1

    def on_budget(self, event: BudgetEvent, /) -> None:
        self.waited += event.waited or 0.0

    def on_status(self, event: StatusEvent, /) -> None:
        if event.is_terminal:
            print(f"Job {event.job_id} of Pipeline {event.pipeline_id} ended {event.status}")


async def sync(hevo: HevoClient, pipeline_id: str) -> None:
    job = await hevo.pipeline(pipeline_id).trigger(progress=True, timeout=600)
    await job.await_completion(
        progress=True, timeout=2 * 3600, poll_interval=account.poll_interval()
    )


async def main() -> None:
    pipeline_ids = os.environ.get("HEVO_PIPELINE_IDS", "123,124,125").split(",")
    emulator = HevoEmulator(speed=account.SPEED)
    for number in (123, 124, 125):
        emulator.add_pipeline(number, name=f"orders {number}", duration=90.0)
    calls = Calls()
    async with account.emulated_or_real(emulator, calls) as hevo:
        await asyncio.gather(*(sync(hevo, pipeline_id) for pipeline_id in pipeline_ids))
        budget = await hevo.budget()
    for name, count in calls.by_name.most_common():
        print(f"{count:4} {name}")
    print(f"waited {calls.waited:.0f} s for the call budget, of which now {budget}")


if __name__ == "__main__":
    asyncio.run(main())
