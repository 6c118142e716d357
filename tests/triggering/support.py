"""What the tests of triggering share: the loop's time, and the emulator's calls and Jobs."""

from __future__ import annotations

import asyncio
from typing import Any

from hevo_edge.emulator import HevoEmulator


def now() -> float:
    return asyncio.get_running_loop().time()


def posts(emulator: HevoEmulator) -> int:
    return len(emulator.requests.of("sync_now", "resync_pipeline", "resync_objects"))


def runs(emulator: HevoEmulator, pipeline_id: int = 123) -> list[str]:
    """Return the ids of the Jobs that were started through the API."""
    jobs = emulator.pipeline(pipeline_id).jobs
    return [job.job_id for job in jobs if job.origin not in {"history", "schedule"}]


def run_as_scheduled(emulator: HevoEmulator, **plan: Any) -> str:
    """Let a scheduled Job run that is in the list at once; return its id."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(**{"appears_after": 0, **plan})
    return pipeline.start_job(now=emulator.now).job_id
