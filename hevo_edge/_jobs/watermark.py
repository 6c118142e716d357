"""Which Jobs a Pipeline's list held at some time, to know which runs are new since."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from hevo_edge._common.pagination import Fetch
from hevo_edge._jobs.listing import Reading, by_creation, read_newest
from hevo_edge._text.model import PrintableModel
from hevo_edge.enums import JobStatus
from hevo_edge.errors import ApiError
from hevo_edge.models import JobData

_CURSOR_REFUSED = frozenset({400, 404, 410, 422})
KNOWN_IDS = 200
"""How many of the newest job ids a watermark keeps."""


class Watermark(PrintableModel):
    """Which Jobs the list held at some time, to know which are new since.

    What is new is told by ids and by the list's order, never by a time: one node of Hevo may be an
    hour ahead of another.

    Attributes:
        known_job_ids: The newest ids, newest first in the list's own order.
        is_whole: Whether these were all: then a row that is not known is new, wherever it stands.
        server_time: That time by Hevo's clock (its Date header), in seconds since 1970.
        tail: See ``Reading``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    known_job_ids: tuple[str, ...] = ()
    is_whole: bool = False
    server_time: float | None = None
    tail: str | None = None

    @classmethod
    def of(cls, reading: Reading, server_time: float | None) -> Watermark:
        """Make the watermark of a reading, taken at ``server_time`` by Hevo's clock."""
        return cls(
            known_job_ids=tuple(job.job_id for job in reading.rows[:KNOWN_IDS]),
            is_whole=reading.is_whole and len(reading.rows) <= KNOWN_IDS,
            server_time=server_time,
            tail=reading.tail,
        )

    def is_new(self, job: JobData) -> bool:
        """Say whether a run was not in the list then; a SKIPPED row is no run."""
        return job.job_id not in self.known_job_ids and job.status != JobStatus.SKIPPED

    async def new_jobs(self, fetch: Fetch[JobData], *, thorough: bool = False) -> list[JobData]:
        """Read the list and return the runs that were not in it, oldest first.

        Args:
            fetch: Fetches a page.
            thorough: Read on to the oldest row that was known, instead of to the newest: a new row
                stands deeper in a list that is sorted by a clock which is wrong.
        """
        known = set(self.known_job_ids)
        if thorough:
            # Of a list that was read whole, to its end.
            known = set() if self.is_whole else set(self.known_job_ids[-1:])

        def is_enough(job: JobData) -> bool:
            return job.job_id in known

        try:
            reading = await read_newest(fetch, is_enough, self.tail)
        except ApiError as error:
            if self.tail is None or error.status not in _CURSOR_REFUSED:
                raise
            # A cursor may expire.
            reading = await read_newest(fetch, is_enough)
        new_rows = [job for job in self._since(reading.rows) if self.is_new(job)]
        return by_creation(new_rows)[::-1]

    def _since(self, rows: list[JobData]) -> list[JobData]:
        """Leave out the rows that the list shows as older than all known ones."""
        known = set(self.known_job_ids)
        places = [place for place, job in enumerate(rows) if job.job_id in known]
        return rows if self.is_whole or not places else rows[: places[-1]]
