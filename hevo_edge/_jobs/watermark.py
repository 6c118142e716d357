"""Which Jobs a Pipeline's list held at some time, to know which runs are new since."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from hevo_edge._common.pagination import Fetch
from hevo_edge._jobs.listing import Reading, is_real_run, read_newest
from hevo_edge._text.model import PrintableModel
from hevo_edge.enums import JobStatus
from hevo_edge.errors import ApiError
from hevo_edge.models import JobData

_CURSOR_REFUSED = frozenset({400, 404, 410, 422})
KNOWN_IDS = 200
"""How many of the newest job ids a watermark keeps."""


class Watermark(PrintableModel):
    """Which Jobs the list held at some time, to know which are new since.

    Attributes:
        known_job_ids: The newest ids.
        server_time: That time by Hevo's clock (its Date header), in seconds since 1970.
        newest_ts: The ``created_ts`` in ms of the newest real run.
        tail: See ``Reading``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    known_job_ids: tuple[str, ...] = ()
    server_time: float | None = None
    newest_ts: int | None = None
    tail: str | None = None

    @classmethod
    def of(cls, reading: Reading, server_time: float | None) -> Watermark:
        """Make the watermark of a reading, taken at ``server_time`` by Hevo's clock."""
        stamps = [
            job.created_ts
            for job in reading.jobs
            if job.created_ts is not None and is_real_run(job)
        ]
        return cls(
            known_job_ids=tuple(job.job_id for job in reading.jobs[:KNOWN_IDS]),
            server_time=server_time,
            newest_ts=max(stamps, default=None),
            tail=reading.tail,
        )

    def is_new(self, job: JobData) -> bool:
        """Say whether a run was not in the list then; a SKIPPED row is no run.

        Only times of one clock are compared: that of the newest run then, and that of this one.
        """
        if job.job_id in self.known_job_ids or job.status == JobStatus.SKIPPED:
            return False
        if job.created_ts is None or self.newest_ts is None:
            return True
        return job.created_ts >= self.newest_ts

    async def new_jobs(self, fetch: Fetch[JobData]) -> list[JobData]:
        """Read the list and return the runs that were not in it, oldest first."""
        known = set(self.known_job_ids)

        def is_known(job: JobData) -> bool:
            return job.job_id in known

        try:
            reading = await read_newest(fetch, is_known, self.tail)
        except ApiError as error:
            if self.tail is None or error.status not in _CURSOR_REFUSED:
                raise
            # A cursor may expire.
            reading = await read_newest(fetch, is_known)
        return [job for job in reversed(reading.jobs) if self.is_new(job)]
