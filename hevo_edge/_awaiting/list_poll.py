"""Several Jobs of a Pipeline polled by one call of its list, and when that is worth it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.failures import UNANSWERED
from hevo_edge._awaiting.poll import Poll, PollsInFlight
from hevo_edge._awaiting.poll_target import JobReader
from hevo_edge._awaiting.watched_job import WatchedJob
from hevo_edge._common.per_loop import loop_time
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import AuthenticationError
from hevo_edge.models import JobData

log: logging.Logger = get_logger("hevo_edge.awaiting")

RETRY_AFTER = 600.0
"""Seconds for which a Pipeline's Jobs are polled one by one when its list could not be read."""
_WORTH_A_LIST = 2
"""A list poll costs as much as a Job's: from so many Jobs of a Pipeline on, it is cheaper."""


class PipelineLists:
    """The Jobs under watch by Pipeline, to poll those of one Pipeline together.

    Args:
        history: Records how long the finished Jobs in the lists took.
    """

    def __init__(self, history: DurationHistory) -> None:
        self.history: DurationHistory = history
        self._jobs: dict[int, dict[WatchedJob, None]] = {}
        self._unreadable_until: dict[int, float] = {}

    def add(self, job: WatchedJob) -> None:
        """Add a Job."""
        self._jobs.setdefault(job.key[0], {})[job] = None

    def remove(self, job: WatchedJob) -> None:
        """Remove a Job."""
        pipeline_id = job.key[0]
        del self._jobs[pipeline_id][job]
        if not self._jobs[pipeline_id]:
            del self._jobs[pipeline_id]
            self._unreadable_until.pop(pipeline_id, None)

    def mark_unreadable(self, pipeline_id: int, now: float) -> None:
        """Record that a Pipeline's list could not be read; it is not tried again for a while."""
        self._unreadable_until[pipeline_id] = now + RETRY_AFTER

    def poll_with(self, job: WatchedJob, in_flight: PollsInFlight, now: float) -> ListPoll | None:
        """Return a list poll of a Job and others; None where a poll of the Job alone is better."""
        pipeline_id = job.key[0]
        of_pipeline = self._jobs[pipeline_id]
        learns = job.needs_history(now)
        if not (learns or len(of_pipeline) >= _WORTH_A_LIST) or not job.is_listable:
            return None
        if now < self._unreadable_until.get(pipeline_id, now):
            return None
        jobs = [
            other
            for other in of_pipeline
            if other.is_listable
            and not other.has_ended
            and not in_flight.includes(other, final=False)
            and not in_flight.includes(other, final=True)
        ]
        return ListPoll(jobs, self) if jobs and (learns or len(jobs) >= _WORTH_A_LIST) else None


class ListPoll(Poll):
    """A poll of several Jobs by the first page of their Pipeline's list.

    It is never final: the list may lag behind, and what it cannot tell for certain is left to polls
    of the Jobs themselves.
    """

    __slots__ = ("_jobs", "_lists")

    def __init__(self, jobs: Sequence[WatchedJob], lists: PipelineLists) -> None:
        super().__init__(jobs, is_final=False)
        self._jobs = jobs
        self._lists = lists

    async def run(self, reader: JobReader, on_slot: Callable[[], None]) -> Exception | None:
        """Read the list, and let the Jobs publish their rows.

        A failure makes no poll pointless, unless the credentials are refused.
        """
        pipeline_id = self._jobs[0].key[0]
        try:
            page = await reader.read_page(pipeline_id, final=False, on_slot=on_slot)
            self._lists.history.record(pipeline_id, page.data, loop_time())
        except AuthenticationError as error:
            return error
        except Exception as error:  # noqa: BLE001 -- what matters shows at each Job
            self._lists.mark_unreadable(pipeline_id, loop_time())
            # What is transient shows in the log of requests.
            log.log(
                logging.DEBUG if isinstance(error, UNANSWERED) else logging.WARNING,
                "the Jobs of Pipeline %s are polled one by one for a while, as they cannot be "
                "listed: %s",
                pipeline_id,
                error,
            )
            return None
        rows: dict[str, JobData] = {}
        for each in page.data:
            # A Job may be listed twice, by two of Hevo's nodes.
            if each.job_id not in rows or not each.is_older_than(rows[each.job_id]):
                rows[each.job_id] = each
        for job in self._jobs:
            row = rows.get(job.key[1])
            if row is None:
                job.mark_unlisted()
            else:
                job.publish_row(row, loop_time())
        return None
