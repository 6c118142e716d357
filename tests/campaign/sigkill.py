"""Trials in which the caller is a process of its own, ended by SIGKILL at a random moment.

The emulator runs in a thread of this process and counts the runs. All clocks run fast.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from dataclasses import replace
from math import inf
from multiprocessing.context import ForkServerContext
from pathlib import Path

from hevo_edge.emulator import HevoEmulator

from .environment import PIPELINE, Address, add_fault, add_pipelines
from .outcome import HANG, UNTYPED, Evidence, Outcome
from .scenario import Kill, Scenario
from .victim import SPEED, Orders, fast_time, run

_FAULTS = frozenset({"drop", "reset", "5xx", "truncate", "html"})
_EPOCH = 1_767_225_600.0
_PATIENCE = 120.0  # real seconds for one process
_SETTLE = 0.1  # real seconds, for requests of a process that is gone


def sigkill(scenario: Scenario) -> Scenario:
    """Return a trial whose caller is killed once or twice, mostly near its POST."""
    rng = random.Random(f"{scenario.seed}:{scenario.number}:sigkill")
    action = scenario.action
    if action == "RESYNC" and rng.random() < 0.4:
        action = "RESYNC_OBJECTS"
    faults = [each for each in scenario.faults if each.on == "post" and each.kind in _FAULTS]
    return replace(
        scenario,
        action=action,
        every_minutes=None,
        running_age=None,
        clock_offset=0.0,
        faults=tuple(faults[:1]),
        kills=tuple(_kill(rng) for _ in range(rng.choice((1, 1, 2)))),
        without_ticket=False,
        uses_on_ticket=rng.random() < 0.8,
        pause=rng.choice((0.0, 0.0, rng.uniform(0, 2))),
    )


def _kill(rng: random.Random) -> Kill:
    seconds = rng.choices((rng.uniform(0, 4), rng.uniform(0, 40), rng.uniform(0, 200)), (6, 3, 1))
    return Kill("offset", seconds=seconds[0], resume_after=rng.choice((0.0, rng.uniform(0, 60))))


def evidence_of(scenario: Scenario, caller: str) -> Evidence:
    """Run one trial."""
    zero = _EPOCH - fast_time()
    with (
        tempfile.TemporaryDirectory() as folder,
        HevoEmulator(
            speed=SPEED,
            seed=scenario.number,
            dialect=scenario.dialect,
            start=zero + fast_time(),
            date_skew=scenario.date_skew,
        ) as emulator,
    ):
        add_pipelines(emulator, scenario)
        for fault in scenario.faults:
            add_fault(emulator, scenario, fault)
        orders = Orders(
            scenario=scenario,
            caller=caller,
            address=Address(emulator.base_url, emulator.api_key, emulator.api_secret),
            object_ids=list(emulator.pipeline(PIPELINE).objects)[:2],
            file=Path(folder, "ticket.json"),
            epoch=zero,
            seed=scenario.number,
        )
        outcome, killed = _run_processes(scenario, orders)
        outcome.at = outcome.at or emulator.now
        time.sleep(_SETTLE)
        return Evidence(
            action=scenario.action,
            if_running=scenario.if_running,
            is_quiet=False,
            restart_duration=scenario.restart_duration,
            journal=list(emulator.requests),
            jobs=emulator.pipeline(PIPELINE).jobs,
            outcome=outcome,
            killed=killed,
            # A busy machine makes time-outs of its own, in any call: a ticket may stay unresolved.
            faults_end=inf,
        )


def _run_processes(scenario: Scenario, orders: Orders) -> tuple[Outcome, int]:
    """Run the caller, kill it, run it again, and so on.

    Returns:
        What the last process reported, and how many were killed.
    """
    killed = 0
    for kill in scenario.kills:
        reported = _run_process(orders, kill)
        if reported is not None:
            return _outcome_of(reported), killed
        killed += 1
        time.sleep(kill.resume_after / SPEED)
        orders = replace(orders, seed=orders.seed + 1)
    return _outcome_of(_run_process(orders, None)), killed


def _outcome_of(reported: object) -> Outcome:
    if isinstance(reported, Outcome):
        return reported
    if reported is None or isinstance(reported, TimeoutError):
        return Outcome(HANG, detail=f"no end within {_PATIENCE:.0f} real seconds")
    return Outcome(UNTYPED, detail=str(reported))


def _run_process(orders: Orders, kill: Kill | None) -> object:
    """Run the caller's process; return what it reports, or None when it was killed before."""
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(orders, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()  # it is ready
        if not ours.poll(_PATIENCE if kill is None else kill.seconds / SPEED):
            return None
        return ours.recv()
    except EOFError:
        return "the process ended without a report"
    finally:
        process.kill()
        process.join()
        ours.close()


def _context() -> ForkServerContext:
    # A forked process has all modules already; a fork of this one would have its threads' locks.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign.victim"])
    return context
