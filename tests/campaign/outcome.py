"""What a caller ended with, and what there is to judge it by."""

from __future__ import annotations

from dataclasses import dataclass, field

from hevo_edge.emulator import EmulatedJob, RecordedCall

JOB, REFUSED, FAILED, UNRESOLVED, UNTYPED, HANG = (
    "job",
    "refused",  # told that no run could be started
    "failed",  # told that something failed; nothing in hand
    "unresolved",  # told that it cannot be known; a ticket in hand
    "untyped",
    "hang",
)


@dataclass
class Outcome:
    """The end of a caller, by its own words.

    Attributes:
        kind: One of the words above.
        job_id: The Job that it was given.
        certainty: How sure the Job is said to be; None where that is not said.
        adopted: Whether the Job is said to be possibly somebody else's.
        detail: The error, as text.
        at: When, by the emulator's clock.
    """

    kind: str
    job_id: str | None = None
    certainty: str | None = None
    adopted: bool = False
    detail: str = ""
    at: float = 0.0

    @property
    def claims_certainty(self) -> bool:
        """Whether the Job is said to be the caller's own for sure."""
        return self.said == "certain"

    @property
    def said(self) -> str:
        """The word for how sure the Job is said to be."""
        if self.certainty is None:
            return "adopted" if self.adopted else "certain"
        return str(self.certainty)


@dataclass
class Span:
    """One call of the SDK that talks; ``killed`` when it was not let to its end."""

    name: str
    started: float
    ended: float = 0.0
    killed: bool = False


@dataclass
class Evidence:
    """A trial as the emulator saw it, and what the caller said in the end.

    Attributes:
        faults_end: When the last fault was over, by the emulator's clock.
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
