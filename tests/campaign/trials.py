"""Runs trials one after another in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from hevo_edge.emulator import EmulatedJob, virtual_time

from . import sigkill
from .callers import hevo_edge
from .drawing import draw
from .environment import NOW, Environment
from .judge import Verdict, judge
from .naive import naive
from .outcome import Evidence, Outcome
from .scenario import Scenario

CALLERS: dict[str, Callable[[Environment], Awaitable[Outcome]]] = {
    "hevo_edge": hevo_edge,
    "naive": naive,
}


@dataclass
class Trial:
    """One trial of one caller, its log, and the Jobs that started in it."""

    scenario: Scenario
    caller: str
    verdict: Verdict
    log: list[tuple[float, str]]
    jobs: list[EmulatedJob]

    def __str__(self) -> str:
        lines = [
            f"{self.caller}: {self.verdict.ending}, {self.verdict.breaches}",
            str(self.scenario),
        ]
        lines += ["Jobs, seconds since the trigger:"]
        zero = NOW + self.scenario.clock_offset
        for job in self.jobs:
            ended = "" if job.ended is None else f", ended {job.ended - zero:.3f}"
            lines.append(
                f"{job.created - zero:9.3f}  {job.type} {job.job_id} by {job.origin}, "
                f"listed {job.visible_from - zero:.3f}{ended}, {job.status}"
            )
        lines.append("What happened:")
        for text, group in groupby(self.log, key=lambda line: line[1]):
            moments = [moment for moment, _ in group]
            again = f" ({len(moments)} times, to {moments[-1]:.3f})" if len(moments) > 1 else ""
            lines.append(f"{moments[0]:9.3f}  {text}{again}")
        return "\n".join(lines)


def run_trial(seed: int, number: int, caller: str, kind: str = "faults") -> Trial:
    """Run one trial."""
    scenario = draw(seed, number, kind)
    if kind == "sigkill":
        evidence = sigkill.evidence_of(scenario, caller)
        return Trial(scenario, caller, judge(evidence), [], _not_history(evidence))

    async def main() -> Trial:
        # aiohttp rounds deadlines up to whole seconds of the loop's time, whose start is arbitrary.
        await asyncio.sleep(1.5 - asyncio.get_running_loop().time() % 1)
        env = Environment(scenario)
        evidence = await env.run(CALLERS[caller])
        return Trial(scenario, caller, judge(evidence), env.log, _not_history(evidence))

    with _silence():
        return virtual_time.run(main())


def _not_history(evidence: Evidence) -> list[EmulatedJob]:
    return [job for job in evidence.jobs if job.origin != "history"]


def run_block(
    seed: int, numbers: list[int], caller: str, kind: str = "faults"
) -> list[tuple[int, Verdict]]:
    """Run some trials; return only what is cheap to send to another process."""
    return [(number, run_trial(seed, number, caller, kind).verdict) for number in numbers]


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress thousands of expected warnings."""
    logger = logging.getLogger("hevo_edge")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
