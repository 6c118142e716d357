"""The plan of one trial."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from hevo_edge.emulator import Dialect
from hevo_edge.enums import JobStatus


@dataclass(frozen=True)
class PastJob:
    """A Job that ended before the trial; ``ago`` counts back from when the Pipeline was added."""

    ago: float
    duration: float
    status: str
    type: str
    skew: float = 0.0


@dataclass(frozen=True)
class PlannedJob:
    """How long a Job will run, how long it is missing from the list, and how it will end."""

    duration: float
    lag: float
    outcome: str = JobStatus.COMPLETED
    skew: float = 0.0
    """Seconds by which the clock of its node is ahead."""


@dataclass(frozen=True)
class PlannedFault:
    """One fault. An "outage" stops the server after the ``skip``-th request to ``on``."""

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
class Lie:
    """A reply that is well-formed and wrong: ``kind`` is a method of ``Faults``."""

    kind: str
    on: str
    options: dict[str, Any] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0


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
    """The plan of a trial. Times are in seconds."""

    seed: int
    number: int
    dialect: Dialect
    action: str
    drop_and_load: bool
    if_running: str
    history: tuple[PastJob, ...]
    every_minutes: int | None
    lead: float
    """The time between adding the Pipeline and the trigger."""
    plans: tuple[PlannedJob, ...]
    running_age: float | None
    """How long before the trigger another person's Job starts."""
    restart_duration: float
    clock_offset: float
    date_skew: float | None
    faults: tuple[PlannedFault, ...]
    kills: tuple[Kill, ...]
    without_ticket: bool
    """Whether the caller stores no ticket."""
    fresh_connections: bool
    """Whether each request opens a new connection, so that an outage always refuses it."""
    uses_on_ticket: bool
    """Whether the ticket is stored by ``on_ticket``, not between preparing and firing it."""
    stranger: float | None = None
    """How long after the trigger another person syncs the Pipeline by hand."""
    lies: tuple[Lie, ...] = ()
    job_type: str | None = None
    """The type that the caller asks for."""
    includes_object: bool = False
    """Whether an object was included since the last Job."""
    pause: float = 0.0
    """How long it takes to store the ticket."""
    awaits: bool = False
    """Whether the caller then waits until its Job has ended."""
    second_holder: float | None = None
    """How long after the ticket was stored a second holder fires it, too."""
    shares_a_loop: bool = False
    """Whether the second holder is another client of the same event loop, not another process."""

    @property
    def is_quiet(self) -> bool:
        """Whether it is a sync without faults and without runs of others."""
        alone = self.every_minutes is None and self.running_age is None and self.stranger is None
        goes_well = not self.faults and not self.kills and not self.lies
        return alone and self.action == "SYNC_NOW" and goes_well

    def __str__(self) -> str:
        lines = [f"trial {self.number} of seed {self.seed}"]
        for each in fields(self)[2:]:
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                lines.append(f"  {each.name}: {len(value)}")
                lines += [f"    {item}" for item in value[:3]]
            else:
                lines.append(f"  {each.name}: {value}")
        return "\n".join(lines)
