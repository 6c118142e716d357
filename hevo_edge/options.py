"""The options of both verbs: their defaults and their checks.

The keywords themselves, with their types, are ``hevo_edge.pipeline.TriggerKeywords`` and
``hevo_edge.job.WaitKeywords``. A DAG file is parsed again and again, and its mistakes should show
there: this module imports neither aiohttp nor pydantic.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hevo_edge._common import validation
from hevo_edge._text.logger import get_logger
from hevo_edge.enums import (
    IfRunning,
    JobStatus,
    JobType,
    PipelineAction,
    can_come_of,
    is_terminal,
    normalized,
)
from hevo_edge.errors import ConfigurationError
from hevo_edge.schedules import Schedule
from hevo_edge.schedules._basic import as_schedule

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TRIGGER_DEFAULTS", "WAIT_DEFAULTS", "TriggerOptions", "WaitOptions"]

log: logging.Logger = get_logger("hevo_edge.options")

TRIGGER_DEFAULTS: Mapping[str, Any] = {
    "job_type": None,
    "drop_and_load": False,
    "if_running": IfRunning.FAIL,
    "discovery_timeout": 150.0,
    "timeout": None,
    "on_ticket": None,
    "progress": False,
}
"""A started Job must be listed within ``discovery_timeout`` seconds; Hevo's docs say 5 to 15."""
WAIT_DEFAULTS: Mapping[str, Any] = {
    "poll_interval": 15.0,
    "timeout": None,
    "accept_completed_with_failures": False,
    "accept": (),
    "on_timeout": "raise",
    "cancel_on_interrupt": False,
    "cancel_timeout": 10.0,
    "on_update": None,
    "progress": False,
}
"""``poll_interval`` in seconds, as in the vendor's operator."""


class TriggerOptions(NamedTuple):
    """What a trigger is to do, checked; see ``Pipeline.trigger`` for the meaning of each."""

    action: PipelineAction
    job_type: str | None
    drop_and_load: bool
    if_running: IfRunning
    discovery_timeout: float
    timeout: float | None
    on_ticket: Callable[[Any], object] | None
    progress: bool

    @classmethod
    def check(cls, action: PipelineAction | str = PipelineAction.SYNC_NOW, **options: Any) -> Self:
        """Check the options of a trigger.

        Raises:
            TypeError: for one that does not exist.
            ConfigurationError: when one is wrong, or they do not go together.
        """
        given = _with_defaults(options, TRIGGER_DEFAULTS, "trigger")
        checked = validation.choice(PipelineAction, action, "action")
        # It drops tables, so nothing but True may count as true.
        drop = validation.parse_bool(given["drop_and_load"], "drop_and_load")
        if drop and checked is not PipelineAction.RESYNC:
            raise ConfigurationError("drop_and_load goes with PipelineAction.RESYNC, not SYNC_NOW")
        validation.callback(given["on_ticket"], "on_ticket")
        return cls(
            action=checked,
            job_type=_job_type(checked, given["job_type"]),
            drop_and_load=drop,
            if_running=validation.choice(IfRunning, given["if_running"], "if_running"),
            discovery_timeout=validation.seconds(given["discovery_timeout"], "discovery_timeout"),
            timeout=validation.optional_seconds(given["timeout"], "timeout"),
            on_ticket=given["on_ticket"],
            progress=validation.parse_bool(given["progress"], "progress"),
        )


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How to await a Job, checked; see ``Job.await_completion`` for the meaning of each."""

    schedule: Schedule
    timeout: float | None
    accept: frozenset[str]
    on_timeout: str
    cancel_on_interrupt: bool
    cancel_timeout: float
    on_update: Callable[[Any], Any] | None
    progress: bool

    @classmethod
    def check(cls, **options: Any) -> Self:
        """Check the options of a wait.

        Raises:
            TypeError: for one that does not exist.
            ConfigurationError: when one is wrong.
        """
        given = _with_defaults(options, WAIT_DEFAULTS, "wait")
        validation.callback(given["on_update"], "on_update")
        accepts_failures = validation.parse_bool(
            given["accept_completed_with_failures"], "accept_completed_with_failures"
        )
        return cls(
            schedule=as_schedule(given["poll_interval"]),
            timeout=validation.timeout(given["timeout"], "timeout"),
            accept=_accepted(given["accept"], accepts_failures=accepts_failures),
            on_timeout=validation.one_of(
                given["on_timeout"], "on_timeout", ("raise", "return", "cancel")
            ),
            cancel_on_interrupt=validation.parse_bool(
                given["cancel_on_interrupt"], "cancel_on_interrupt"
            ),
            cancel_timeout=validation.seconds(given["cancel_timeout"], "cancel_timeout"),
            on_update=given["on_update"],
            progress=validation.parse_bool(given["progress"], "progress"),
        )

    def accepts(self, status: JobStatus | str) -> bool:
        """Say whether a status counts as success, in whatever case it is written."""
        return normalized(status) in self.accept

    def is_ended_by(self, status: JobStatus | str) -> bool:
        """Say whether a status ends the wait; an accepted one does, known or not."""
        return is_terminal(status) or self.accepts(status)


def known_word(value: Any, name: str, known: type[JobStatus | JobType]) -> str:
    """Return a word in its usual case; warn, once a word, of one that nobody knows.

    The vocabularies are open, so such a word is no mistake for certain.

    Raises:
        ConfigurationError: when it is no word.
    """
    word = validation.parse_word(value, name)
    if word not in known.__members__:
        _warn_of(name, word)
    return word


def optional_known_word(value: Any, name: str, known: type[JobStatus | JobType]) -> str | None:
    """Return what ``known_word`` returns, or None for None."""
    return None if value is None else known_word(value, name, known)


@lru_cache(maxsize=256)
def _warn_of(name: str, word: str) -> None:
    log.warning("%s %r is not a known word of the API; is it misspelt?", name, word)


def _with_defaults(
    options: Mapping[str, Any], defaults: Mapping[str, Any], verb: str
) -> dict[str, Any]:
    for name in options.keys() - defaults.keys():
        raise TypeError(f"{name!r} is not a keyword of a {verb}; those are {', '.join(defaults)}")
    return {**defaults, **options}


def _job_type(action: PipelineAction, given: JobType | str | None) -> str | None:
    if given is None:
        return None
    wanted = validation.parse_word(given, "job_type")
    if not can_come_of(action, wanted):
        raise ConfigurationError(f"job_type: a Job of type {wanted} cannot come of {action}")
    return known_word(given, "job_type", JobType)


def _accepted(accept: Any, *, accepts_failures: bool) -> frozenset[str]:
    if not isinstance(accept, Iterable):
        raise ConfigurationError(f"accept must be a status or several, not {accept!r}")
    given = [accept] if isinstance(accept, str) else list(accept)
    words = (known_word(status, "accept", JobStatus) for status in given)
    statuses = {JobStatus.COMPLETED.value, *words}
    if accepts_failures:
        statuses.add(JobStatus.COMPLETED_WITH_FAILURES.value)
    return _interned(frozenset(statuses))


@lru_cache(maxsize=64)
def _interned(statuses: frozenset[str]) -> frozenset[str]:
    """Return the same object for equal sets, so that a thousand waits share it."""
    return statuses
