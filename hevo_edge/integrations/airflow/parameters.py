"""Parameters of the operator and the sensor, checked when the DAG is parsed."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, Protocol

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from hevo_edge.enums import IfRunning, JobType, PipelineAction, ResyncMode
from hevo_edge.errors import (
    AuthenticationError,
    ConfigurationError,
    HevoError,
    NotFound,
    PermissionDenied,
    RequestError,
    TriggerError,
)
from hevo_edge.orchestration import validation
from hevo_edge.schedules import LONGEST_GAP

Word = Literal["auto", "eager"]
WORDS = ("auto", "eager")
CANCEL_ON_KILL = ("user", "always", "never")
BACKSTOP_GRACE = 60.0
"""Seconds after its deadline in which a triggerer must have ended a deferral; then Airflow does."""
LEAST_DISCOVERY = 30.0
"""Seconds; Hevo's docs say that a Job is listed 5 to 15 seconds after it was started."""
_ATTEMPT = 15.0
_FINAL = (ConfigurationError, AuthenticationError, PermissionDenied, NotFound)
# What comes with the action if nothing is asked for is not asked for: a sync of newly included
# objects is HISTORICAL.
_DEFAULT_TYPES = {
    (PipelineAction.SYNC_NOW, False): JobType.INCREMENTAL,
    (PipelineAction.RESYNC, False): JobType.RESYNC,
    (PipelineAction.RESYNC, True): JobType.RESYNC_WITH_DROP_AND_LOAD,
}


class RunParameters(Protocol):
    """The rendered parameters of an operator that one try of its task needs."""

    pipeline_id: Any
    connection_id: str
    action: PipelineAction
    job_type: str | None
    drop_and_load: bool
    if_running: IfRunning
    fresh_within: float | None
    discovery_timeout: float
    poll_interval: float | Word
    deferrable: bool
    accept_completed_with_failures: bool
    on_timeout: str
    cancel_on_kill: str
    durable: bool
    outlets: Any

    @property
    def limit(self) -> float | None:
        """The seconds that the user gave to the whole task."""


@contextmanager
def at_parse(task_id: str) -> Generator[None, None, None]:
    """Raise what is wrong with a parameter as an AirflowException that names the task."""
    try:
        yield
    except ConfigurationError as error:
        raise AirflowException(f"{error} (task_id: {task_id})") from None


@contextmanager
def at_run(connection_id: str, *, resumes: bool = True) -> Generator[None, None, None]:
    """Raise Hevo's errors as Airflow's; what cannot get better fails the task without a retry.

    Args:
        connection_id: The connection, for the message.
        resumes: Whether the task's next try goes on with a run that this one has started.
    """
    try:
        yield
    except HevoError as error:
        kind = AirflowFailException if isinstance(error, _FINAL) else AirflowException
        # One exception, for a log that is read at night; it still is the other's __context__.
        raise kind(message_of(error, connection_id, resumes=resumes)) from None


def message_of(error: HevoError, connection_id: str, *, resumes: bool = True) -> str:
    """Return an error's message with what to do about it in Airflow."""
    if isinstance(error, RequestError):
        return f"{error} (connection {connection_id!r})"
    if isinstance(error, TriggerError) and not resumes:
        return f"{error}. In Airflow: a retry of this task may start a second run"
    if isinstance(error, TriggerError):
        return f"{error}. In Airflow: retry or clear the task, it goes on with this run"
    return str(error)


def is_literal(value: Any) -> bool:
    """Say whether a templated parameter is known already: neither a template nor an XComArg."""
    return "{" not in value if isinstance(value, str) else not hasattr(value, "resolve")


def pipeline_id(value: Any) -> None:
    """Check the id, unless it is yet to be rendered.

    Raises:
        ConfigurationError: when it is none.
    """
    if is_literal(value):
        validation.pipeline_id(value)


def of_one_task(value: Any, name: str) -> None:
    """Check that a rendered parameter is not the whole output of a mapped task.

    Raises:
        ConfigurationError: when it is, with what to write instead.
    """
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        raise ConfigurationError(
            f"{name} is {len(value)} values, like all that a mapped task gives; to have a task for "
            f"each, use expand: partial(...).expand({name}=...)"
        )


def connection_id(value: Any) -> None:
    """Check the connection's id, unless it is yet to be rendered.

    Raises:
        ConfigurationError: when it is no text, or empty.
    """
    if is_literal(value) and (not isinstance(value, str) or not value.strip()):
        raise ConfigurationError(f"connection_id must be a non-empty string, not {value!r}")


def interval(value: Any, name: str) -> float | Word:
    """Return seconds, of a number or a timedelta, or one of the words.

    Raises:
        ConfigurationError: for anything else, and for more than a day.
    """
    return value if value in WORDS else seconds(value, name)


def seconds(value: Any, name: str) -> float:
    """Return seconds, of a number or a timedelta.

    Raises:
        ConfigurationError: for anything else, and for more than a day.
    """
    given = validation.seconds(value, name)
    if given > LONGEST_GAP:
        raise ConfigurationError(f"{name} must not be longer than a day, not {value!r}")
    return given


def optional_seconds(value: Any, name: str) -> float | None:
    """Return seconds, of a number or a timedelta; None for None.

    Raises:
        ConfigurationError: for anything else.
    """
    return validation.optional_seconds(value, name)


def limit(timeout: float | None, execution_timeout: timedelta | None) -> float | None:
    """Return the seconds that the user gave: the less of the two, which messages name."""
    execution = None if execution_timeout is None else execution_timeout.total_seconds()
    return min((each for each in (timeout, execution) if each is not None), default=None)


def backstop(deadline: float | None) -> timedelta | None:
    """Return how long a deferral may last before Airflow ends it: no triggerer may be running."""
    if deadline is None:
        return None
    return timedelta(seconds=max(0.0, deadline - time.time()) + BACKSTOP_GRACE)


def drops(drop_and_load: Any, resync_mode: Any) -> bool:
    """Return whether a resync drops the tables, of the two ways to say it.

    Raises:
        ConfigurationError: when they contradict each other.
    """
    drop = validation.parse_bool(drop_and_load, "drop_and_load")
    if resync_mode is None:
        return drop
    mode = validation.choice(ResyncMode, resync_mode, "resync_mode")
    if drop and mode is not ResyncMode.DROP_AND_LOAD:
        raise ConfigurationError(f"drop_and_load=True contradicts resync_mode={mode}")
    return mode is ResyncMode.DROP_AND_LOAD


def asked_type(action: Any, job_type: Any, *, drop: bool) -> str | None:
    """Return the type of the Job to accept; None for whatever comes of the action."""
    if job_type is None:
        return None
    wanted = validation.parse_word(job_type, "job_type")
    return None if wanted == _DEFAULT_TYPES.get((action, drop)) else wanted


def fresh_within(value: Any, action: Any) -> float | None:
    """Return seconds, of a number or a timedelta; None for None.

    Raises:
        ConfigurationError: for anything else, and with a resync, which is not about freshness.
    """
    within = validation.optional_seconds(value, "fresh_within")
    if within is not None and validation.choice(PipelineAction, action, "action") != "SYNC_NOW":
        raise ConfigurationError(f"fresh_within goes with SYNC_NOW, not with {action}")
    return within


def if_running(given: Any, ensure_new_job: Any, fresh_within: Any = None) -> IfRunning:
    """Return what to do about a Job that runs already.

    Hevo runs one Job of a Pipeline at a time, so ``ensure_new_job=False`` cannot mean a second one
    beside it: the new one starts when the other is over. One that runs will be ``fresh``, so it is
    joined.
    """
    ensure = validation.parse_bool(ensure_new_job, "ensure_new_job")
    if given is None and not ensure:
        return IfRunning.WAIT
    if given is None:
        return IfRunning.FAIL if fresh_within is None else IfRunning.JOIN
    return validation.choice(IfRunning, given, "if_running")


def discovery_timeout(retry_limit: Any, poll_interval: float | Word) -> float:
    """Return the seconds in which the started Job must show up.

    Raises:
        ConfigurationError: when the limit is no positive integer.
    """
    attempts = validation.count(retry_limit, "retry_limit")
    every = poll_interval if isinstance(poll_interval, float) else _ATTEMPT
    return max(attempts * every, LEAST_DISCOVERY)


def moment(value: Any, name: str) -> datetime | None:
    """Return an aware datetime, of one or of the ISO text that a template gives; None for None.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            raise ConfigurationError(f"{name} is no ISO date and time: {value!r}") from None
    validation.parse_timestamp(value, name)
    return None if value is None else datetime.fromtimestamp(value.timestamp(), value.tzinfo)


def begin(value: Any, name: str) -> datetime:
    """Return when a time span began, of what ``moment`` takes, or of how long ago that was.

    Raises:
        ConfigurationError: for anything else, None among it.
    """
    if isinstance(value, timedelta):
        return datetime.now(timezone.utc) - value
    at = moment(value, name)
    if at is None:
        raise ConfigurationError(f"{name} must be a datetime or a timedelta, not None")
    return at
