"""What the hook hands out: plain JSON, which leaves a task and outlives its client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hevo_edge.enums import JobStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hevo_edge import Job

# The vendor's own list, which is not that of the statuses in which a wait fails.
_VENDORS_FAILED = frozenset(
    {JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DEFERRED_WITH_FAILURES}
)


class Record(dict[str, Any]):
    """A dict of JSON values, by the API's names; ``row["status"]`` is ``row.status`` as well.

    Airflow stores it in an XCom, and gives back a plain dict that equals it.
    """

    def __getattr__(self, name: str) -> Any:
        """Return a value as the vendor's models have it."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"there is no {name!r} here, but {', '.join(map(repr, self))}"
            ) from None

    def model_dump(self, *, mode: str = "python") -> Record:  # noqa: ARG002 -- it is JSON in any
        """Return itself, which is what the vendor's models are turned into for an XCom."""
        return self


def plain(value: Any) -> Any:
    """Return the JSON values of a model, or of whatever was read; NaN, which is none, is null."""
    from pydantic_core import to_json  # noqa: PLC0415 -- DAG files import this module

    return json.loads(to_json(value, inf_nan_mode="null"), object_hook=Record)


def record(model: BaseModel) -> Record:
    """Return a model's fields."""
    made: Record = plain(model)
    return made


def job_record(job: Job) -> Record:
    """Return a Job: its fields, its ``ref``, and what the vendor's models work out."""
    known = {} if job.data is None else record(job.data)
    return Record(
        {
            "job_id": job.id,
            "pipeline_id": job.pipeline_id,
            "ref": job.ref,
            "status": None,
            "type": None,
            "certainty": None if job.certainty is None else str(job.certainty),
            "is_terminal": job.is_terminal,
            "is_failed": job.status in _VENDORS_FAILED,
            **known,
        }
    )
