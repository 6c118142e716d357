"""The vocabulary of the Hevo Edge API, as open enums.

The API has changed its vocabulary more than once, so none of these lists is closed: wherever a
value comes from the server or names a job type, a plain string that is not listed here works like a
member. This module imports nothing but the standard library, because DAG files import it and are
parsed again and again.

Sources of the values: the vendor's public provider code (all its generations) and
docs.hevodata.com; see ``docs/api-knowledge.md``.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

__all__ = [
    "FAILED_RESTART_STATUSES",
    "PUT_ASIDE_STATUSES",
    "RESTARTING_STATUSES",
    "RESYNC_TYPES",
    "RUNNING_STATUSES",
    "TERMINAL_STATUSES",
    "UNRUNNABLE_STATUSES",
    "Certainty",
    "Dialect",
    "Freshness",
    "IfRunning",
    "JobStatus",
    "JobType",
    "PipelineAction",
    "PipelineStatus",
    "ResyncMode",
    "SyncType",
    "can_come_of",
    "is_known_status",
    "is_terminal",
    "normalized",
    "same_job_type",
]


class OpenEnum(str, Enum):
    """A string enum that prints as its value, on every supported Python."""

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)


OpenEnumT = TypeVar("OpenEnumT", bound=OpenEnum)


class WireEnum(OpenEnum):
    """Words that the API sends; read in any case, as no two of them differ in that alone."""

    @classmethod
    def _missing_(cls, value: object) -> WireEnum | None:
        known = cls._value2member_map_.get(normalized(value)) if isinstance(value, str) else None
        return known if isinstance(known, WireEnum) else None


def normalized(word: str) -> str:
    """Return a word as it is compared: without white space around it, in upper case."""
    return word.strip().upper()


class JobStatus(WireEnum):
    """What a Job is doing, or how it ended."""

    IN_PROGRESS = "IN_PROGRESS"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_FAILURES = "COMPLETED_WITH_FAILURES"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    DEFERRED = "DEFERRED"
    DEFERRED_WITH_FAILURES = "DEFERRED_WITH_FAILURES"
    # Only older generations of the API name these.
    DEFERRED_WITH_FAILURE = "DEFERRED_WITH_FAILURE"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"


DEFERRED_STATUSES: frozenset[str] = frozenset(
    {JobStatus.DEFERRED, JobStatus.DEFERRED_WITH_FAILURES, JobStatus.DEFERRED_WITH_FAILURE}
)
"""Ended in part (Hevo docs, Handling Rate Limit Exceptions): the source's rate limit was hit, what
had been ingested is loaded, and the next run goes on from there.
"""
TERMINAL_STATUSES: frozenset[str] = frozenset(
    {
        JobStatus.COMPLETED,
        JobStatus.COMPLETED_WITH_FAILURES,
        JobStatus.FAILED,
        JobStatus.CANCELLED,
        JobStatus.SKIPPED,
        *DEFERRED_STATUSES,
    }
)
"""The statuses that end a wait. Anything else, known or not, is treated as still running."""


RUNNING_STATUSES: frozenset[str] = frozenset(
    {JobStatus.IN_PROGRESS, JobStatus.CANCELLING, JobStatus.QUEUED, JobStatus.PENDING}
)
"""The statuses of Jobs that certainly run, or will."""

_KNOWN_STATUSES: frozenset[str] = TERMINAL_STATUSES | RUNNING_STATUSES

PUT_ASIDE_STATUSES: frozenset[str] = frozenset({JobStatus.SKIPPED, *DEFERRED_STATUSES})
"""SKIPPED and the DEFERRED statuses: a row with one is no run, so an older Job may be running."""


class JobType(WireEnum):
    """What a Job does, by the names of all API generations; any other string is allowed too."""

    INCREMENTAL = "INCREMENTAL"
    HISTORICAL = "HISTORICAL"
    RESYNC = "RESYNC"
    RESYNC_WITH_DROP_AND_LOAD = "RESYNC_WITH_DROP_AND_LOAD"
    REFRESHER = "REFRESHER"
    # Older names of the resync family.
    RESYNC_WITH_EVOLVE = "RESYNC_WITH_EVOLVE"
    TRUNCATE_AND_LOAD = "TRUNCATE_AND_LOAD"
    UNKNOWN = "UNKNOWN"


class PipelineStatus(WireEnum):
    """The state of a Pipeline."""

    INITIALIZING = "INITIALIZING"
    INITIALIZED = "INITIALIZED"
    INITIALIZE_FAILED = "INITIALIZE_FAILED"
    DISABLING = "DISABLING"
    DISABLED = "DISABLED"
    DISABLE_FAILED = "DISABLE_FAILED"
    ENABLING = "ENABLING"
    ENABLED = "ENABLED"
    ENABLE_FAILED = "ENABLE_FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"
    DELETE_FAILED = "DELETE_FAILED"
    RESTARTING = "RESTARTING"
    # Hevo's docs call it so: "move the Pipeline to the Resyncing state".
    RESYNCING = "RESYNCING"
    RESTART_FAILED = "RESTART_FAILED"
    # Only the oldest generation of the API names these.
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    INCOMPLETE = "INCOMPLETE"
    UNKNOWN = "UNKNOWN"


RESTARTING_STATUSES: frozenset[str] = frozenset(
    {PipelineStatus.RESTARTING, PipelineStatus.RESYNCING}
)
"""The statuses of a Pipeline that a resync is restarting."""

FAILED_RESTART_STATUSES: frozenset[str] = frozenset(
    {PipelineStatus.RESTART_FAILED, PipelineStatus.FAILED}
)
"""The statuses of a Pipeline after a resync failed to restart it."""


UNRUNNABLE_STATUSES: frozenset[str] = frozenset(
    {
        PipelineStatus.DISABLING,
        PipelineStatus.DISABLED,
        PipelineStatus.DISABLE_FAILED,
        PipelineStatus.ENABLE_FAILED,
        PipelineStatus.INITIALIZE_FAILED,
        PipelineStatus.RESTART_FAILED,
        PipelineStatus.DELETING,
        PipelineStatus.DELETED,
        PipelineStatus.DELETE_FAILED,
        PipelineStatus.PAUSED,
        PipelineStatus.STOPPED,
        PipelineStatus.FAILED,
        PipelineStatus.INCOMPLETE,
    }
)
"""The statuses in which certainly no run can start. In any other Hevo decides."""


class PipelineAction(OpenEnum):
    """What ``Pipeline.trigger`` starts."""

    SYNC_NOW = "SYNC_NOW"
    """Load what is new since the last good offset; newly included objects get a historical load."""
    RESYNC = "RESYNC"
    """Restart the historical load of all active objects."""


class IfRunning(OpenEnum):
    """What ``Pipeline.trigger`` does when a Job of the Pipeline is running already."""

    FAIL = "fail"
    """Raise ``JobInProgress``, naming the running Job."""
    JOIN = "join"
    """Return the running Job."""
    REPLACE = "replace"
    """Cancel it, wait until it is gone, start a new one (what the Sync Now dialog offers)."""
    WAIT = "wait"
    """Wait until it ends, then start a new one."""


class Certainty(OpenEnum):
    """How certain it is that a trigger started a Job; nothing in a Job says who started it."""

    CERTAIN = "certain"
    """Hevo accepted the POST, and this is the only run that can have begun in those seconds."""
    LIKELY = "likely"
    """Hevo accepted the POST, and this run began then or later; so may have another run."""
    POSSIBLE = "possible"
    """This run began after the POST; it is not known whether Hevo accepted the POST, or whether
    this is its run.
    """
    JOINED = "joined"
    """The Job was running already; nothing was sent."""


class Freshness(OpenEnum):
    """How ``Pipeline.ensure_fresh`` came to its Job."""

    FRESH = "fresh"
    """It ended well not long ago; nothing was sent."""
    JOINED = "joined"
    """It was running already; nothing was sent."""
    STARTED = "started"
    """It was started."""


class Dialect(OpenEnum):
    """Which generation of request bodies the client sends; replies of all are understood."""

    RESYNC_MODE = "resync_mode"
    """``{"resync_mode": "EVOLVE_AND_MERGE" | "DROP_AND_LOAD"}``, the vendor's newest form."""
    DROP_AND_LOAD = "drop_and_load"
    """``{"drop_and_load": true | false}``, the form before it."""


class ResyncMode(OpenEnum):
    """What a resync does with the Destination tables, in the newest request body."""

    EVOLVE_AND_MERGE = "EVOLVE_AND_MERGE"
    DROP_AND_LOAD = "DROP_AND_LOAD"


class SyncType(WireEnum):
    """Whether a Pipeline runs on Hevo's schedule."""

    ON_DEMAND = "ON_DEMAND"
    SCHEDULED = "SCHEDULED"


RESYNC_TYPES: frozenset[str] = frozenset(
    {
        JobType.RESYNC,
        JobType.RESYNC_WITH_EVOLVE,
        JobType.RESYNC_WITH_DROP_AND_LOAD,
        JobType.TRUNCATE_AND_LOAD,
    }
)
"""The types that no schedule starts."""

# The docs describe a resync as a restarted historical load.
_RESYNC_FAMILY: frozenset[str] = RESYNC_TYPES | {JobType.HISTORICAL}
_SYNC_FAMILY: frozenset[str] = frozenset(
    {
        JobType.INCREMENTAL,
        JobType.HISTORICAL,
        JobType.REFRESHER,
        # An older page of the docs: "runs when a Pipeline is resynced or resumed after a pause".
        JobType.TRUNCATE_AND_LOAD,
    }
)
_FAMILIES = {PipelineAction.SYNC_NOW: _SYNC_FAMILY, PipelineAction.RESYNC: _RESYNC_FAMILY}

_SAME_TYPE: tuple[frozenset[str], ...] = (
    frozenset({JobType.RESYNC, JobType.RESYNC_WITH_EVOLVE, JobType.TRUNCATE_AND_LOAD}),
    frozenset({JobType.RESYNC_WITH_DROP_AND_LOAD, JobType.TRUNCATE_AND_LOAD}),
)


def is_terminal(status: str) -> bool:
    """Say whether a Job of this status has ended; an unknown status has not."""
    return normalized(status) in TERMINAL_STATUSES


def is_known_status(status: str) -> bool:
    """Say whether a status tells if the Job runs or has ended.

    UNKNOWN, which stands for a status that is missing or unusable, does not, and neither does a
    word that is not listed here: nobody may wait for such a Job without asking Hevo anew.
    """
    return normalized(status) in _KNOWN_STATUSES


def same_job_type(wanted: str, found: str) -> bool:
    """Say whether two job type names mean the same type, across the generations of the API."""
    wanted, found = normalized(wanted), normalized(found)
    return wanted == found or any(wanted in names and found in names for names in _SAME_TYPE)


def may_be_partial(job_type: str) -> bool:
    """Say whether a Job of this type may be of some objects only: its row does not tell.

    A resync of some objects is a HISTORICAL Job (second-hand); so may be a sync that loads what was
    newly included.
    """
    return normalized(job_type) in _RESYNC_FAMILY


def can_come_of(action: PipelineAction, job_type: str) -> bool:
    """Say whether a Job of this type can be the outcome of ``action``.

    An unknown type can be: the vocabulary has changed before.
    """
    name = normalized(job_type)
    known = name in JobType.__members__ and name != JobType.UNKNOWN
    return not known or name in _FAMILIES[action]
