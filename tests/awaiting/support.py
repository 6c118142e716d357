"""What the tests of waiting share: ways to start Jobs, and the loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hevo_edge import HevoClient, Job
from hevo_edge.emulator import EmulatedJob, HevoEmulator


def now() -> float:
    return asyncio.get_running_loop().time()


def started(
    emulator: HevoEmulator, hevo: HevoClient, number: int = 123, **plan: Any
) -> tuple[EmulatedJob, Job]:
    pipeline = emulator.pipeline(123) if number == 123 else emulator.add_pipeline(number)
    pipeline.plan(appears_after=0, **plan)
    emulated = pipeline.start_job(now=emulator.now)
    return emulated, hevo.job(number, emulated.job_id)


def many(emulator: HevoEmulator, hevo: HevoClient, *plans: dict[str, Any]) -> list[Job]:
    jobs = []
    for number, plan in enumerate(plans, 1):
        pipeline = emulator.add_pipeline(number)
        pipeline.plan(appears_after=0, **plan)
        emulated = pipeline.start_job(now=emulator.now)
        jobs.append(hevo.pipeline(number).job(emulated.job_id))
    return jobs


def fleet(
    emulator: HevoEmulator, hevo: HevoClient, count: int, duration: Callable[[int], float]
) -> tuple[list[EmulatedJob], list[Job]]:
    """Start a Job in each of so many Pipelines."""
    emulated = []
    for number in range(1, count + 1):
        pipeline = emulator.add_pipeline(1000 + number)
        pipeline.plan(appears_after=0, duration=duration(number))
        emulated.append(pipeline.start_job(now=emulator.now))
    return emulated, [hevo.job(1000 + n, job.job_id) for n, job in enumerate(emulated, 1)]


def refused(emulator: HevoEmulator) -> int:
    return sum(call.status == 429 for call in emulator.requests)
