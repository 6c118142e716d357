"""What one trial will be like, drawn from a seed and a number: the same two, the same trial."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

from hevo_edge.emulator import DIALECTS, Dialect
from hevo_edge.enums import JobStatus, JobType

KINDS = {
    "faults": "faults, kills and scheduled runs",
    "strangers": "besides, somebody else syncs by hand within 30 s after the trigger",
    "quiet": "a sync of an on-demand Pipeline with nothing in its way",
}
HISTORY = 250
"""The longest history, in Jobs."""
_LEAD = 2.0  # seconds from the emulator's start to the trigger, where nothing asks for more
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
_ANYTHING = ("drop", "hold", "late", "slow", "429", "5xx", "truncate", "html", "endless")


@dataclass(frozen=True)
class Past:
    """A Job that ended before the trial; ``ago`` counts back from when the Pipeline was added."""

    ago: float
    duration: float
    status: str
    type: str


@dataclass(frozen=True)
class Plan:
    """How long a Job will run, and how long it will be missing from the list."""

    duration: float
    lag: float


@dataclass(frozen=True)
class Trouble:
    """One fault. An "outage" stops the server after the ``skip``-th request (of its kind)."""

    kind: str
    on: str
    skip: int
    times: int = 1
    effect: str = "before"
    seconds: float = 0.0
    status: int = 503
    body: object = ""
    retry_after: str | None = None


@dataclass(frozen=True)
class Kill:
    """The death of the caller's process.

    ``moment`` is "arrived", "answered" or "received" of the ``nth`` request (``on`` "post": of the
    POSTs), "stored" (between storing the ticket and firing it), or "offset" (after ``seconds``).
    """

    moment: str
    on: str = "any"
    nth: int = 1
    seconds: float = 0.0
    resume_after: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """Everything that a trial needs. Times are seconds; see ``draw`` for how they are drawn."""

    seed: int
    number: int
    dialect: Dialect
    action: str
    drop_and_load: bool
    if_running: str
    history: tuple[Past, ...]
    every_minutes: int | None
    lead: float
    """From the adding of the Pipeline to the trigger."""
    plans: tuple[Plan, ...]
    running_age: float | None
    """How long before the trigger somebody else's Job starts."""
    restart_duration: float
    clock_offset: float
    date_skew: float | None
    troubles: tuple[Trouble, ...]
    kills: tuple[Kill, ...]
    plain: bool
    """Whether the caller does without a ticket."""
    fresh_connections: bool
    """Whether each request opens a connection, so that an outage refuses it for sure."""
    keeps: bool
    """Whether the ticket is stored by ``on_ticket``, and not before it is fired."""
    stranger: float | None = None
    """How long after the trigger somebody else syncs the Pipeline by hand."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes wrong in a sync, and nobody else starts a run."""
        alone = self.every_minutes is None and self.running_age is None and self.stranger is None
        return alone and self.action == "SYNC_NOW" and not self.troubles and not self.kills

    def __str__(self) -> str:
        lines = [f"trial {self.number} of seed {self.seed}"]
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                lines.append(f"  {field.name}: {len(value)}")
                lines += [f"    {item}" for item in value[:3]]
            else:
                lines.append(f"  {field.name}: {value}")
        return "\n".join(lines)


def draw(seed: int, number: int, kind: str = "faults") -> Scenario:
    """Draw a trial of one of ``KINDS``: what is drawn is the same, what is left out differs."""
    scenario = _draw(seed, number)
    if kind == "strangers":
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
            troubles=(),
            kills=(),
        )
    return scenario


def _draw(seed: int, number: int) -> Scenario:
    chance = random.Random(f"{seed}:{number}")
    dialect = replace(
        DIALECTS[chance.choice(sorted(DIALECTS))],
        list_order=chance.choice(("newest_first", "oldest_first")),
        in_progress=chance.choice(("409", "500")),
        action_reply=chance.choice(("message", "empty", "204")),
    )
    resync = chance.random() < 0.25
    every = chance.choice((5, 10, 15, 30)) if chance.random() < 0.5 else None
    running = chance.uniform(0, 60) if chance.random() < 0.2 else None
    kills = _kills(chance)
    return Scenario(
        seed=seed,
        number=number,
        dialect=dialect,
        action="RESYNC" if resync else "SYNC_NOW",
        drop_and_load=resync and chance.random() < 0.5,
        if_running=chance.choices(("fail", "join", "replace", "wait"), (40, 20, 20, 20))[0],
        history=_history(chance, every),
        every_minutes=every,
        lead=_lead(chance, every, running),
        plans=tuple(Plan(_duration(chance), _lag(chance)) for _ in range(20)),
        running_age=running,
        restart_duration=chance.uniform(0, 40),
        clock_offset=chance.uniform(-3600, 3600),
        date_skew=_date_skew(chance),
        troubles=_troubles(chance),
        kills=kills,
        plain=not kills and chance.random() < 0.5,
        fresh_connections=chance.random() < 0.25,
        keeps=chance.random() < 0.5,
    )


def _lead(chance: random.Random, every: int | None, running: float | None) -> float:
    least = _LEAD + (running or 0.0)
    if every is None:
        return least
    near = chance.random() < 0.5
    until_next = chance.uniform(-20, 60) if near else chance.uniform(60, every * 60)
    # The first scheduled run comes one interval after the Pipeline was added.
    lead = every * 60 - until_next
    return lead if lead >= least else lead + every * 60


def _duration(chance: random.Random) -> float:
    spans = ((0.0, 0.0), (0.0, 3.0), (3.0, 60.0), (60.0, 600.0))
    return chance.uniform(*chance.choices(spans, (15, 20, 35, 30))[0])


def _lag(chance: random.Random) -> float:
    return 0.0 if chance.random() < 0.2 else chance.uniform(0, 30)


def _date_skew(chance: random.Random) -> float | None:
    kind = chance.random()
    if kind < 0.1:
        return None
    return chance.choice((-1, 1)) * chance.uniform(1, 2) if kind < 0.3 else 0.0


def _history(chance: random.Random, every: int | None) -> tuple[Past, ...]:
    rows = 0 if chance.random() < 0.1 else chance.randint(1, HISTORY)
    gap = (every or 0) * 60 or chance.uniform(300, 7200)
    past: list[Past] = []
    for index in range(1, rows + 1):
        ago = index * gap
        if every is None or chance.random() < 0.08:
            ago += chance.uniform(0.1, 0.5) * gap  # started by hand
        skipped = every is not None and chance.random() < 0.1
        duration = 0.0 if skipped else chance.uniform(1, gap * 0.4)
        status = JobStatus.SKIPPED if skipped else chance.choice(_ENDED)
        kind = JobType.INCREMENTAL if skipped or every else chance.choice(_TYPES)
        past.append(Past(ago, duration, status, kind))
    return tuple(past)


def _troubles(chance: random.Random) -> tuple[Trouble, ...]:
    if chance.random() < 0.1:
        return ()
    troubles: list[Trouble] = []
    posts = 0
    for _ in range(chance.choices((1, 2, 3), (50, 30, 20))[0]):
        if chance.random() < 0.12:
            seconds = chance.uniform(0, 25)
            # After the list was read, the POST comes next.
            on, last = chance.choice((("any", 8), ("list_jobs", 4)))
            troubles.append(Trouble("outage", on, chance.randint(1, last), seconds=seconds))
        elif chance.random() < 0.6:
            # Each of a trial's faults on POSTs hits a POST of its own.
            troubles.append(_trouble(chance, "post", posts, 1))
            posts += 1
        else:
            on = chance.choice(("get_pipeline", "list_jobs", "list_jobs"))
            skip = chance.randint(0, 2 if on == "get_pipeline" else 8)
            troubles.append(_trouble(chance, on, skip, chance.randint(1, 3)))
    return tuple(troubles)


def _trouble(chance: random.Random, on: str, skip: int, times: int) -> Trouble:
    return Trouble(
        chance.choices(_ANYTHING, (2, 1, 1, 1, 1, 3, 1, 1, 1))[0],
        on,
        skip,
        times,
        effect=chance.choice(("before", "after")),
        seconds=chance.uniform(35, 50),
        status=chance.choice((500, 502, 503, 504)),
        body=chance.choice(_BODIES),
        retry_after=chance.choice(("seconds", "date", None)),
    )


def _kills(chance: random.Random) -> tuple[Kill, ...]:
    if chance.random() >= 0.4:
        return ()
    return tuple(_kill(chance) for _ in range(chance.choice((1, 1, 2))))


def _kill(chance: random.Random) -> Kill:
    on = chance.choice(("post", "any"))
    return Kill(
        moment=chance.choice(("arrived", "answered", "received", "offset", "stored")),
        on=on,
        nth=1 if on == "post" else chance.randint(1, 12),
        seconds=chance.choice(
            (chance.uniform(0, 5), chance.uniform(0, 60), chance.uniform(0, 200))
        ),
        resume_after=chance.choice((0.0, chance.uniform(0, 60))),
    )
