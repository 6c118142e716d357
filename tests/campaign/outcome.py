"""What a caller reports at its end, and the evidence by which it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from hevo_edge import Job
from hevo_edge.emulator import EmulatedJob, RecordedCall

JOB, REFUSED, FAILED, UNRESOLVED, UNTYPED, HANG = (
    "job",
    "refused",  # the caller was told that no run could be started
    "failed",  # it was told of a failure, and has no Job
    "unresolved",  # it was told that the outcome is unknown, and has a ticket
    "untyped",
    "hang",
)
TIMEOUT = "timeout"


@dataclass
class Outcome:
    """What a caller reports at its end.

    Attributes:
        kind: One of the constants above.
        job_id: The Job that it was given.
        certainty: The certainty of the Job; None where the caller has no such notion.
        adopted: Whether the Job is reported as possibly not the caller's own.
        detail: The error, as text.
        at: When the caller was told, by the emulator's clock.
        end: The status in which it was told that its Job ended; "timeout" or an error's name when
            the wait ended otherwise; None when it did not wait.
        end_of: The id of the Job in the last snapshot of the wait.
        ended_at: When the wait ended.
        job: The handle that it was given.
    """

    kind: str
    job_id: str | None = None
    certainty: str | None = None
    adopted: bool = False
    detail: str = ""
    at: float = 0.0
    end: str | None = None
    end_of: str | None = None
    ended_at: float = 0.0
    job: Job | None = field(default=None, repr=False)

    @property
    def claims_certain(self) -> bool:
        """Whether the Job is claimed as certainly the caller's own."""
        return self.claim == "certain"

    @property
    def claim(self) -> str:
        """The certainty that is claimed for the Job."""
        if self.certainty is None:
            return "adopted" if self.adopted else "certain"
        return str(self.certainty)


@dataclass
class Span:
    """One call of the SDK; ``killed`` when the process was killed during it."""

    name: str
    started: float
    ended: float = 0.0
    killed: bool = False


@dataclass
class Evidence:
    """A trial as the emulator recorded it, and what the caller reported at its end.

    Attributes:
        faults_end: When the last fault ended, by the emulator's clock.
        pause: Seconds that the caller takes to store its ticket, which a call does several times.
        killed: How many processes of the caller were ended.
        others: What the second holder of the ticket reported.
    """

    action: str
    if_running: str
    is_quiet: bool
    restart_duration: float
    journal: list[RecordedCall]
    jobs: list[EmulatedJob]
    outcome: Outcome
    spans: list[Span] = field(default_factory=list)
    faults_end: float = 0.0
    pause: float = 0.0
    killed: int = 0
    others: list[Outcome] = field(default_factory=list)
