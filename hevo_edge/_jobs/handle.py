"""The part of a Job that needs no client: its ids, its last snapshot, its certainty."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from hevo_edge._common.has_data import HasData, JobDataT_co
from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import quoted, short
from hevo_edge.enums import Certainty, Freshness, JobStatus
from hevo_edge.errors import HevoError
from hevo_edge.models import JobData

WORK_COUNTS = (
    "events_ingested",
    "events_loaded",
    "events_failed",
    "objects_success",
    "objects_queued",
    "objects_skipped",
    "objects_failed",
)
"""The fields of a snapshot that count what the Job has done."""
COUNTS = (*WORK_COUNTS, "billable_events", "non_billable_events")
"""All fields of a snapshot that count something."""


class JobHandle(HasData[JobDataT_co], HasMimeBundle):
    """Ids and last snapshot of a Job; ``hevo_edge.job.Job`` adds the verbs.

    Attributes:
        id: The Job's id.
        pipeline_id: Its Pipeline's id.
        certainty: How certain it is that the trigger which returned this Job started it; None when
            no trigger returned it.
        freshness: How ``Pipeline.ensure_fresh`` came to it; None when that did not return it.
    """

    def __init__(
        self,
        pipeline_id: int,
        job_id: str,
        data: JobDataT_co,
        *,
        certainty: Certainty | None = None,
        account: str | None = None,
    ) -> None:
        self.id = job_id
        self.pipeline_id = pipeline_id
        self._data = data
        self.certainty = certainty
        self.freshness: Freshness | None = None
        self._account = account  # the fingerprint; None when it is not known
        self._read_at: float | None = None

    @property
    def status(self) -> JobStatus | str | None:
        """The status in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.status

    @property
    def type(self) -> str | None:
        """The type in the last snapshot; a plain string when it is not a known one."""
        return None if self.data is None else self.data.type

    @property
    def created(self) -> datetime | None:
        """When the Job was created, an aware datetime in UTC, by Hevo's clock; None if unknown."""
        return None if self.data is None else self.data.created

    @property
    def updated(self) -> datetime | None:
        """When the Job last changed, an aware datetime in UTC, by Hevo's clock; None if unknown."""
        return None if self.data is None else self.data.updated

    @property
    def ended(self) -> datetime | None:
        """When the Job ended, an aware datetime in UTC, by Hevo's clock; None if unknown, or if it
        runs. See ``JobData.ended_ts``.
        """
        return None if self.data is None else self.data.ended

    @property
    def duration(self) -> timedelta | None:
        """How long the Job has run; None if unknown. ``job.data.duration`` has it in ms."""
        if self.data is None or self.data.duration is None:
            return None
        return timedelta(milliseconds=self.data.duration)

    @property
    def is_terminal(self) -> bool:
        """Whether the last snapshot shows that the Job has ended."""
        return self.data is not None and self.data.is_terminal

    @property
    def adopted(self) -> bool:
        """True when the Job was running already, or when it is not certain that the call which
        returned it started it; see ``certainty``.
        """
        return self.certainty not in {None, Certainty.CERTAIN}

    @property
    def ref(self) -> str:
        """A plain string that ``HevoClient.job(ref)`` accepts, in this or another process."""
        return f"{self.pipeline_id}:{self.id}"

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({quoted(self.ref)}, type={_quote(self.type)}, status={_quote(self.status)})"

    def _html(self) -> str:
        counts = {} if self.data is None else {name: getattr(self.data, name) for name in COUNTS}
        return html.facts(
            {
                "Job": self.ref,
                "Type": self.type,
                "Status": self.status or "not read yet",
                "Created": self.created,
                "Ended": self.ended,
                "Duration": self.duration,
                **{name.replace("_", " ").capitalize(): count for name, count in counts.items()},
                "Certainty": self.certainty,
            }
        )

    def __eq__(self, other: object) -> bool:
        """Compare ids and account: another account's Job of the same ids is another Job."""
        return isinstance(other, JobHandle) and _identity(other) == _identity(self)

    def __hash__(self) -> int:
        return hash(_identity(self))


def key_of(job: JobHandle) -> tuple[int, str]:
    """Return Pipeline id and Job id."""
    return (job.pipeline_id, job.id)


def _identity(job: JobHandle) -> tuple[int, str, str | None]:
    return (job.pipeline_id, job.id, job._account)


def label_of(job: JobHandle) -> str:
    """Return what logs and errors call a Job."""
    return f"{short(job.type or 'the')} Job {short(job.id)} of Pipeline {job.pipeline_id}"


def row_of(job: JobHandle) -> dict[str, object]:
    """Return what a table shows of a Job."""
    data = job.data
    return {
        "Job": job.ref,
        "Type": job.type,
        "Status": job.status,
        "Created": job.created,
        "Duration": job.duration,
        "Events loaded": None if data is None else data.events_loaded,
        "Events failed": None if data is None else data.events_failed,
        "Objects failed": None if data is None else data.objects_failed,
    }


def last_snapshot(job: JobHandle) -> tuple[JobData, float] | None:
    """Return the last snapshot and the loop time (seconds) at which it was read, if known."""
    if job.data is None or job._read_at is None:
        return None
    return job.data, job._read_at


def update_snapshot(job: JobHandle, data: JobData, now: float) -> None:
    """Set the last snapshot, read at a loop time (seconds), unless the present one is newer.

    Several tasks may read one Job at once, and their replies arrive in any order.
    """
    if job.data is not None and job.data is not data and data.is_older_than(job.data):
        return
    job._data = data
    job._read_at = now


def name_job(error: Exception, job: JobHandle) -> None:
    """Set the Job that an error is about, unless the error names one."""
    if isinstance(error, HevoError) and error.job is None:
        resource: Any = job  # errors carry the resource, whose class is not known here
        error.job = resource


@contextmanager
def errors_about(job: JobHandle) -> Generator[None, None, None]:
    """Name a Job in the errors of the block."""
    try:
        yield
    except HevoError as error:
        name_job(error, job)
        raise


def _quote(value: str | None) -> str:
    return "None" if value is None else quoted(str(value))
