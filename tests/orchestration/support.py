"""A task in an orchestrator of the tests' own: a store that outlives its attempts."""

from __future__ import annotations

from typing import Any

from hevo_edge import Job
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.models import JobData
from hevo_edge.orchestration import Outcome, Run, RunSpec
from hevo_edge.orchestration.stored_tickets import StoredTicket


class CutOff(BaseException):
    """The process of an attempt dies."""


class DictStore:
    """Keeps the ticket of one task in a dict; may die right after it has stored the nth text."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.saves: int = 0
        self.dies_after: int | None = None

    def load(self) -> str | None:
        return self.kept.get("ticket")

    def save(self, text: str) -> None:
        self.kept["ticket"] = text
        self.saves += 1
        if self.saves == self.dies_after:
            self.dies_after = None
            raise CutOff

    def delete(self) -> None:
        self.kept.pop("ticket", None)

    @property
    def stored(self) -> StoredTicket | None:
        text = self.load()
        return None if text is None else StoredTicket.model_validate_json(text)


def attempt(store: DictStore | None, generation: int | str | None = None, **spec: Any) -> Run:
    """Return an attempt of a task that runs Pipeline 123."""
    account = spec.pop("account", "account")
    return Run(
        RunSpec(**{"pipeline_id": 123, **spec}), store, account=account, generation=generation
    )


def job_of(started: Job[JobData] | Outcome) -> Job[JobData]:
    """Return the Job of a start that must have succeeded."""
    assert isinstance(started, Job), started
    return started


def outcome_of(started: Job | Outcome) -> Outcome:
    """Return the outcome of a start that must not have succeeded."""
    assert isinstance(started, Outcome), started
    return started


def running_job(emulator: HevoEmulator, **plan: Any) -> EmulatedJob:
    """Start a listed Job of Pipeline 123 that is none of the task's; it runs until it is ended."""
    emulator.pipeline(123).plan(**{"duration": None, "appears_after": 0, **plan})
    return emulator.pipeline(123).start_job(now=emulator.now)


def end_last_job(emulator: HevoEmulator, status: str = "COMPLETED") -> str:
    """Let the newest Job of Pipeline 123 end. Returns its id."""
    job = emulator.pipeline(123).jobs[-1]
    job.end(emulator.now, status)
    return job.job_id


def posts(emulator: HevoEmulator) -> int:
    """Return how many runs were started by API."""
    actions = emulator.requests.of("sync_now", "resync_pipeline")
    return sum(call.took_effect for call in actions)
