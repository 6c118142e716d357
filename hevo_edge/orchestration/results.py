"""How one attempt of a task ended, as plain JSON that crosses processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from hevo_edge._jobs.handle import WORK_COUNTS
from hevo_edge._text import html
from hevo_edge._text.durations import format_seconds
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import printable, quoted, short
from hevo_edge.errors import (
    AuthenticationError,
    ConfigurationError,
    HevoError,
    JobDidNotSucceed,
    JobInProgress,
    JobTimeout,
    NotFound,
    PermissionDenied,
    TriggerTimeout,
)
from hevo_edge.job import Job
from hevo_edge.orchestration.spec import RunSpec

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Outcome",
    "RunFailed",
    "failure",
    "summary",
]

Kind = Literal["success", "failed", "timeout", "error", "blocked"]

_FINAL = (ConfigurationError, AuthenticationError, PermissionDenied, NotFound)
_MAX_NAMED = 5
"""How many of the failed objects a message names."""
_PAGE = 100


@dataclass(frozen=True)
class Outcome(HasMimeBundle):
    """How one attempt ended.

    Attributes:
        kind: ``"success"``: the Job ended well. ``"failed"``: it ended otherwise. ``"timeout"``:
            the deadline came first. ``"error"``: why it is not known how the Job ends, or whether
            there is one. ``"blocked"``: another Job is in the way, ``job_id`` names it if it is
            listed, and nothing was started.
        message: What happened, for a person.
        pipeline_id: The Pipeline.
        job_id: The Job, if it is known.
        job: What is known of it, plain: ids, status, counts, ``duration_ms``, ``created_ts`` and
            ``ended_ts`` (ms).
        certainty: How surely it is the task's own, see ``Certainty``.
        error: The name of the error's class in ``hevo_edge.errors``.
        is_final: Whether a retry cannot help: a wrong id, key or option.
        exception: The error itself; it stays in the process where it was raised.
    """

    kind: Kind
    message: str
    pipeline_id: int
    job_id: str | None = None
    job: dict[str, Any] | None = None
    certainty: str | None = None
    error: str | None = None
    is_final: bool = False
    exception: Exception | None = field(default=None, repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether the Job is over."""
        return self.kind in {"success", "failed"}

    def raise_for_status(self) -> None:
        """Raise, unless it is a success.

        Raises:
            RunFailed: with this outcome.
        """
        if self.kind != "success":
            raise RunFailed(self.message, outcome=self) from self.exception

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {name: getattr(self, name) for name in _STORED}

    @classmethod
    def from_dict(cls, stored: Any) -> Self:
        """Read what ``to_dict`` has made; more keys do no harm.

        Raises:
            ConfigurationError: when it says nothing of how an attempt ended: that must not pass for
                a success.
        """
        known: dict[str, Any] = {}
        if isinstance(stored, Mapping):
            known = {name: stored[name] for name in _STORED if name in stored}
        says_kind = known.get("kind") in get_args(Kind)
        if not says_kind or (known["kind"] == "success" and not known.get("job_id")):
            raise ConfigurationError(
                "this is no outcome of a run, so whether a Job ended is not known: "
                f"{quoted(stored)}"
            )
        return cls(**{"message": "", "pipeline_id": 0, **known})

    def _html(self) -> str:
        job: Any = self.job
        known = job if isinstance(job, Mapping) else {}
        return html.facts(
            {
                "Outcome": self.kind,
                "Message": self.message,
                "Pipeline": str(self.pipeline_id),
                "Job": self.job_id,
                "Status": known.get("status"),
                **{name.replace("_", " ").capitalize(): known.get(name) for name in WORK_COUNTS},
                "Certainty": self.certainty,
                "Error": self.error,
                "A retry can help": "no" if self.is_final else None,
            }
        )


_STORED = [each.name for each in fields(Outcome) if each.name != "exception"]


class RunFailed(HevoError):
    """An attempt did not end well.

    Attributes:
        outcome: How it ended.
    """

    def __init__(self, message: str, *, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome: Outcome = replace(outcome, exception=None)


def succeeded(job: Job) -> Outcome:
    """Return the outcome of a Job that has ended as it was to end."""
    return Outcome(
        "success",
        f"Job {short(job.id)} of Pipeline {job.pipeline_id} ended {short(job.status)}",
        job.pipeline_id,
        **_of_job(job),
    )


async def not_succeeded(error: HevoError, pipeline_id: int) -> Outcome:
    """Return the outcome of a start or a wait that ended in an error; the Job may still run."""
    if isinstance(error, JobDidNotSucceed):
        objects = await _failed_objects(error.job)
        message = f"{error.message}; {objects}" if objects else str(error)
        return failure(error, pipeline_id, kind="failed", message=message)
    if isinstance(error, JobInProgress):
        return failure(error, pipeline_id, kind="blocked")
    is_late = isinstance(error, (JobTimeout, TriggerTimeout))
    return failure(error, pipeline_id, kind="timeout" if is_late else "error")


async def not_started(error: HevoError, spec: RunSpec) -> Outcome:
    """Return the outcome of a start that ended in an error; a time-out names the user's limit."""
    if isinstance(error, TriggerTimeout) and spec.limit is not None and error.phase:
        message = (
            f"{spec.action} of Pipeline {spec.pipeline_id} was not started within "
            f"{format_seconds(spec.limit)} (it was {error.phase}). Nothing was sent"
        )
        return failure(error, spec.pipeline_id, kind="timeout", message=message)
    return await not_succeeded(error, spec.pipeline_id)


def failure(
    error: Exception,
    pipeline_id: int,
    *,
    kind: Kind = "error",
    job: Job | None = None,
    message: str | None = None,
) -> Outcome:
    """Return the outcome that an error means; ``job`` is the Job, where the error names none."""
    if isinstance(error, HevoError) and error.job is not None:
        job = error.job
    return Outcome(
        kind,
        printable(error if message is None else message),
        pipeline_id,
        error=type(error).__name__,
        is_final=isinstance(error, _FINAL),
        exception=error,
        **({} if job is None else _of_job(job)),
    )


def summary(job: Job) -> dict[str, Any]:
    """Return what is known of a Job as plain values: ids, status, counts, milliseconds."""
    known: dict[str, Any] = {
        "job_id": job.id,
        "pipeline_id": job.pipeline_id,
        "ref": job.ref,
        "status": None if job.status is None else str(job.status),
        "type": None if job.type is None else str(job.type),
    }
    if job.certainty is not None:
        known["certainty"] = str(job.certainty)
    if job.freshness is not None:
        known["freshness"] = str(job.freshness)
    if job.data is not None:
        known |= {name: getattr(job.data, name) for name in WORK_COUNTS}
        known["duration_ms"] = job.data.duration
        known["created_ts"] = job.data.created_ts
        known["ended_ts"] = job.data.ended_ts
    return known


def _of_job(job: Job) -> dict[str, Any]:
    certainty = None if job.certainty is None else str(job.certainty)
    return {"job_id": job.id, "job": summary(job), "certainty": certainty}


async def _failed_objects(job: Job) -> str:
    """Name the objects that failed, of the first page; nothing when that cannot be read."""
    names: list[str] = []
    seen = 0
    try:
        async for row in job.list_objects():
            seen += 1
            if row.has_failed:
                name = short(row.object_name or "an object without a name")
                names.append(f"{name} ({short(row.status)})")
            if seen == _PAGE:
                break
    except HevoError:
        return ""
    if not names:
        return ""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"failed objects: {', '.join(names[:_MAX_NAMED])}{more}"
