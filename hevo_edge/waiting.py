"""How to await a Job: the options of a wait, checked before it begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

from hevo_edge._common import validation
from hevo_edge.enums import JobStatus
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData
from hevo_edge.schedules import PollInterval, Schedule
from hevo_edge.schedules._basic import as_schedule

if TYPE_CHECKING:
    from hevo_edge.job import Job

POLL_INTERVAL = 15.0
"""Seconds between looks at a Job, as in the vendor's operator."""
OnUpdate = Callable[["Job"], Awaitable[None] | None]


class WaitKeywords(TypedDict, total=False):
    """The keywords of ``Job.await_completion``, for what passes them on."""

    poll_interval: PollInterval
    timeout: float | None
    accept_completed_with_failures: bool
    accept: Iterable[JobStatus | str]
    on_timeout: str
    cancel_on_interrupt: bool
    on_update: OnUpdate | None
    progress: bool


@lru_cache(maxsize=64)
def _one_of_equals(statuses: frozenset[str]) -> frozenset[str]:
    """Return the first of all equal ones, so that a thousand waits share it."""
    return statuses


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How to await a Job; see ``Job.await_completion`` for the meaning of each."""

    schedule: Schedule
    timeout: float | None
    accept: frozenset[str]
    on_timeout: str
    cancel_on_interrupt: bool
    on_update: OnUpdate | None
    progress: bool

    def ended_by(self, data: JobData) -> bool:
        """Say whether a snapshot ends the wait; an accepted status does, known or not."""
        return data.is_terminal or data.status in self.accept

    @classmethod
    def of(cls, wait: WaitKeywords) -> WaitOptions:
        """Check keywords that were passed on.

        Raises:
            TypeError: for one that does not exist.
            ConfigurationError: when one is wrong.
        """
        for name in wait.keys() - WaitKeywords.__annotations__.keys():
            known = ", ".join(WaitKeywords.__annotations__)
            raise TypeError(f"{name!r} is no keyword of a wait; there are {known}")
        return cls.check(**wait)

    @classmethod
    def check(
        cls,
        *,
        poll_interval: PollInterval = POLL_INTERVAL,
        timeout: float | None = None,
        accept_completed_with_failures: bool = False,
        accept: Iterable[JobStatus | str] = (),
        on_timeout: str = "raise",
        cancel_on_interrupt: bool = False,
        on_update: OnUpdate | None = None,
        progress: bool = False,
    ) -> WaitOptions:
        """Check the options of a wait.

        Raises:
            ConfigurationError: when one is wrong.
        """
        if not isinstance(accept, Iterable):
            raise ConfigurationError(f"accept must be a status or several, not {accept!r}")
        accepted = [accept] if isinstance(accept, str) else list(accept)
        statuses = {JobStatus.COMPLETED.value, *(validation.word(s, "accept") for s in accepted)}
        if validation.flag(accept_completed_with_failures, "accept_completed_with_failures"):
            statuses.add(JobStatus.COMPLETED_WITH_FAILURES.value)
        validation.callback(on_update, "on_update")
        return cls(
            schedule=as_schedule(poll_interval),
            timeout=validation.optional_seconds(timeout, "timeout"),
            accept=_one_of_equals(frozenset(statuses)),
            on_timeout=validation.one_of(on_timeout, "on_timeout", ("raise", "return", "cancel")),
            cancel_on_interrupt=validation.flag(cancel_on_interrupt, "cancel_on_interrupt"),
            on_update=on_update,
            progress=validation.flag(progress, "progress"),
        )
