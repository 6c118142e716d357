"""The options of both verbs, checked before anything is loaded that could send a request.

A DAG file is parsed again and again, and its mistakes should show there: this module imports
neither aiohttp nor pydantic.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from hevo_edge._common import validation
from hevo_edge.enums import IfRunning, JobStatus, JobType, PipelineAction, can_come_of
from hevo_edge.errors import ConfigurationError
from hevo_edge.schedules import PollInterval, Schedule
from hevo_edge.schedules._basic import as_schedule

if TYPE_CHECKING:
    from hevo_edge.job import Job
    from hevo_edge.models import JobData

log: logging.Logger = logging.getLogger("hevo_edge.options")


class TriggerOptions(NamedTuple):
    """What a trigger is to do; see ``Pipeline.trigger`` for the meaning of each."""

    action: PipelineAction
    job_type: str | None
    drop_and_load: bool
    if_running: IfRunning


def trigger_options(
    action: PipelineAction | str = PipelineAction.SYNC_NOW,
    job_type: JobType | str | None = None,
    drop_and_load: bool = False,
    if_running: IfRunning | str = IfRunning.FAIL,
) -> TriggerOptions:
    """Check the options of a trigger.

    Raises:
        ConfigurationError: when one is wrong, or they do not go together.
    """
    checked = validation.choice(PipelineAction, action, "action")
    if drop_and_load and checked is not PipelineAction.RESYNC:
        raise ConfigurationError("drop_and_load goes with PipelineAction.RESYNC, not SYNC_NOW")
    wanted = None if job_type is None else validation.word(job_type, "job_type")
    if wanted is not None and not can_come_of(checked, wanted):
        raise ConfigurationError(f"job_type: a Job of type {wanted} cannot come of {checked}")
    if wanted is not None and wanted not in JobType.__members__:
        log.warning("job_type %r is none that is known; is it misspelt?", wanted)
    return TriggerOptions(
        checked, wanted, bool(drop_and_load), validation.choice(IfRunning, if_running, "if_running")
    )


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
