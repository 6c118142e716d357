"""Jobs as they are drawn for the tests of histories."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hevo_edge import Job, JobStatus
from hevo_edge.models import JobData

MAX_MS = 253_402_300_799_999
TIMES = st.none() | st.integers(0, MAX_MS)
COUNTS = st.none() | st.integers(0, 2**63 - 1)


def job(number: int = 1, pipeline_id: int = 123, **fields: Any) -> Job[JobData]:
    known = {"status": "COMPLETED", "type": "INCREMENTAL", "created_ts": number * 1000}
    return Job(None, pipeline_id, str(number), JobData(job_id=str(number), **{**known, **fields}))


@st.composite
def jobs(draw: st.DrawFn) -> list[Job[JobData]]:
    """Jobs of which anything may be unknown, or as odd as a model lets it be."""
    rows = st.fixed_dictionaries(
        {
            "status": st.sampled_from(list(JobStatus)) | st.text(max_size=5),
            "created_ts": TIMES,
            "updated_ts": TIMES,
            "duration": TIMES,
            "events_loaded": COUNTS,
            "objects_failed": COUNTS,
        }
    )
    drawn: list[Any] = draw(st.lists(rows, max_size=25))
    return [job(number, **fields) for number, fields in enumerate(drawn)]
