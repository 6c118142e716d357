"""Runs trials one after another in virtual time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hevo_edge.emulator import virtual_time

from .callers import hevo_edge
from .judge import Verdict, judge
from .outcome import Outcome
from .scenario import Scenario, draw
from .world import World

CALLERS: dict[str, Callable[[World], Awaitable[Outcome]]] = {"hevo_edge": hevo_edge}


@dataclass
class Trial:
    """One trial of one caller, and its log line by line."""

    scenario: Scenario
    caller: str
    verdict: Verdict
    log: list[str]


def run_trial(seed: int, number: int, caller: str) -> Trial:
    """Run one trial."""
    scenario = draw(seed, number)

    async def main() -> Trial:
        world = World(scenario)
        evidence = await world.judge_by(CALLERS[caller])
        return Trial(scenario, caller, judge(evidence), world.log)

    return virtual_time.run(main())


def run_block(seed: int, numbers: list[int], caller: str) -> list[tuple[int, Verdict]]:
    """Run some trials; return only what crosses to another process cheaply."""
    return [(number, run_trial(seed, number, caller).verdict) for number in numbers]


def be_silent() -> None:
    """Let thousands of expected warnings pass."""
    logging.getLogger("hevo_edge").setLevel(logging.CRITICAL + 1)
