"""Draws the plan of a trial from a seed and a number: the same pair gives the same trial."""

from __future__ import annotations

import random
from dataclasses import replace

from hevo_edge.emulator import DIALECTS
from hevo_edge.enums import JobStatus, JobType

from .hostile import hostile
from .scenario import Kill, PastJob, PlannedFault, PlannedJob, Scenario
from .sigkill import sigkill

KINDS = {
    "hostile": "faults, clocks apart, and replies that are well-formed and wrong",
    "faults": "faults, kills and scheduled runs",
    "strangers": "also, another person syncs by hand within 30 s after the trigger",
    "sigkill": "a process that is really killed, in real time",
    "quiet": "a sync of an on-demand Pipeline without faults or other runs",
}
HISTORY = 250
"""The longest history, in Jobs."""
_LEAD = 2.0  # seconds from the emulator's start to the trigger, where nothing needs more
_BODIES: tuple[object, ...] = (
    "",
    "upstream connect error",
    "<html><body><h1>Bad gateway</h1></body></html>",
    {"error": "INTERNAL_ERROR", "message": "something went wrong"},
)
_ENDED = (JobStatus.COMPLETED,) * 6 + (
    JobStatus.FAILED,
    JobStatus.CANCELLED,
    JobStatus.COMPLETED_WITH_FAILURES,
    JobStatus.DEFERRED,
)
_TYPES = (JobType.INCREMENTAL,) * 6 + (
    JobType.HISTORICAL,
    JobType.REFRESHER,
    JobType.RESYNC,
    JobType.RESYNC_WITH_EVOLVE,
    JobType.RESYNC_WITH_DROP_AND_LOAD,
    JobType.TRUNCATE_AND_LOAD,
)
_FAULT_KINDS = ("drop", "hold", "late", "slow", "429", "5xx", "truncate", "html", "endless")


def draw(seed: int, number: int, kind: str = "faults") -> Scenario:
    """Draw a trial of one of ``KINDS``. The kinds share what is drawn; each leaves out other parts."""
    scenario = _draw(seed, number)
    if kind == "hostile":
        scenario = hostile(scenario)
    elif kind == "sigkill":
        scenario = sigkill(scenario)
    elif kind == "strangers":
        moment = random.Random(f"{seed}:{number}:stranger").uniform(0, 30)
        scenario = replace(scenario, stranger=moment)
    elif kind == "quiet":
        scenario = replace(
            scenario,
            action="SYNC_NOW",
            drop_and_load=False,
            every_minutes=None,
            lead=_LEAD,
            running_age=None,
            date_skew=0.0,
            faults=(),
            kills=(),
        )
    return scenario


def _draw(seed: int, number: int) -> Scenario:
    rng = random.Random(f"{seed}:{number}")
    dialect = replace(
        DIALECTS[rng.choice(sorted(DIALECTS))],
        list_order=rng.choice(("newest_first", "oldest_first")),
        in_progress=rng.choice(("409", "500")),
        action_reply=rng.choice(("message", "empty", "204")),
    )
    resync = rng.random() < 0.25
    every = rng.choice((5, 10, 15, 30)) if rng.random() < 0.5 else None
    running = rng.uniform(0, 60) if rng.random() < 0.2 else None
    kills = _kills(rng)
    return Scenario(
        seed=seed,
        number=number,
        dialect=dialect,
        action="RESYNC" if resync else "SYNC_NOW",
        drop_and_load=resync and rng.random() < 0.5,
        if_running=rng.choices(("fail", "join", "replace", "wait"), (40, 20, 20, 20))[0],
        history=_history(rng, every),
        every_minutes=every,
        lead=_lead(rng, every, running),
        plans=tuple(PlannedJob(_duration(rng), _lag(rng)) for _ in range(20)),
        running_age=running,
        restart_duration=rng.uniform(0, 40),
        clock_offset=rng.uniform(-3600, 3600),
        date_skew=_date_skew(rng),
        faults=_faults(rng),
        kills=kills,
        without_ticket=not kills and rng.random() < 0.5,
        fresh_connections=rng.random() < 0.25,
        uses_on_ticket=rng.random() < 0.5,
    )


def _lead(rng: random.Random, every: int | None, running: float | None) -> float:
    least = _LEAD + (running or 0.0)
    if every is None:
        return least
    near = rng.random() < 0.5
    until_next = rng.uniform(-20, 60) if near else rng.uniform(60, every * 60)
    # The first scheduled run comes one interval after the Pipeline was added.
    lead = every * 60 - until_next
    return lead if lead >= least else lead + every * 60


def _duration(rng: random.Random) -> float:
    spans = ((0.0, 0.0), (0.0, 3.0), (3.0, 60.0), (60.0, 600.0))
    return rng.uniform(*rng.choices(spans, (15, 20, 35, 30))[0])


def _lag(rng: random.Random) -> float:
    return 0.0 if rng.random() < 0.2 else rng.uniform(0, 30)


def _date_skew(rng: random.Random) -> float | None:
    kind = rng.random()
    if kind < 0.1:
        return None
    return rng.choice((-1, 1)) * rng.uniform(1, 2) if kind < 0.3 else 0.0


def _history(rng: random.Random, every: int | None) -> tuple[PastJob, ...]:
    rows = 0 if rng.random() < 0.1 else rng.randint(1, HISTORY)
    gap = (every or 0) * 60 or rng.uniform(300, 7200)
    past: list[PastJob] = []
    for index in range(1, rows + 1):
        ago = index * gap
        if every is None or rng.random() < 0.08:
            ago += rng.uniform(0.1, 0.5) * gap  # started by hand
        skipped = every is not None and rng.random() < 0.1
        duration = 0.0 if skipped else rng.uniform(1, gap * 0.4)
        status = JobStatus.SKIPPED if skipped else rng.choice(_ENDED)
        kind = JobType.INCREMENTAL if skipped or every else rng.choice(_TYPES)
        past.append(PastJob(ago, duration, status, kind))
    return tuple(past)


def _faults(rng: random.Random) -> tuple[PlannedFault, ...]:
    if rng.random() < 0.1:
        return ()
    faults: list[PlannedFault] = []
    posts = 0
    for _ in range(rng.choices((1, 2, 3), (50, 30, 20))[0]):
        if rng.random() < 0.12:
            seconds = rng.uniform(0, 25)
            # The POST follows the list.
            on, last = rng.choice((("any", 8), ("list_jobs", 4)))
            faults.append(PlannedFault("outage", on, rng.randint(1, last), seconds=seconds))
        elif rng.random() < 0.6:
            # Each fault on a POST hits a different one.
            faults.append(_fault(rng, "post", posts, 1))
            posts += 1
        else:
            on = rng.choice(("get_pipeline", "list_jobs", "list_jobs"))
            skip = rng.randint(0, 2 if on == "get_pipeline" else 8)
            faults.append(_fault(rng, on, skip, rng.randint(1, 3)))
    return tuple(faults)


def _fault(rng: random.Random, on: str, skip: int, times: int) -> PlannedFault:
    return PlannedFault(
        rng.choices(_FAULT_KINDS, (2, 1, 1, 1, 1, 3, 1, 1, 1))[0],
        on,
        skip,
        times,
        effect=rng.choice(("before", "after")),
        seconds=rng.uniform(35, 50),
        status=rng.choice((500, 502, 503, 504)),
        body=rng.choice(_BODIES),
        retry_after=rng.choice(("seconds", "date", None)),
    )


def _kills(rng: random.Random) -> tuple[Kill, ...]:
    if rng.random() >= 0.4:
        return ()
    return tuple(_kill(rng) for _ in range(rng.choice((1, 1, 2))))


def _kill(rng: random.Random) -> Kill:
    on = rng.choice(("post", "any"))
    return Kill(
        moment=rng.choice(("arrived", "answered", "received", "offset", "stored")),
        on=on,
        nth=1 if on == "post" else rng.randint(1, 12),
        seconds=rng.choice((rng.uniform(0, 5), rng.uniform(0, 60), rng.uniform(0, 200))),
        resume_after=rng.choice((0.0, rng.uniform(0, 60))),
    )
