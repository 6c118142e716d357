"""One look, at a Job or at a Pipeline's list, and what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from hevo_edge._awaiting.duration_history import Experience
from hevo_edge._awaiting.watched_job import JobKey, Watched
from hevo_edge.errors import (
    HevoError,
    NotFound,
    RateLimited,
    RequestNotSent,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)
from hevo_edge.models import JobData

log: logging.Logger = logging.getLogger("hevo_edge.awaiting")

PASSING = (RequestNotSent, RequestOutcomeUnknown, RateLimited, ServerError, UnexpectedResponse)
"""What says nothing about a Job: look again later."""


class Eyes(Protocol):
    """What looks. ``sending`` is called when the request has its place in the call budget.

    A last look is quick or fails, and goes before those on schedule.
    """

    async def job(self, key: JobKey, *, last: bool, sending: Callable[[], None]) -> JobData:
        """Return a Job's snapshot."""
        ...

    async def jobs(
        self, pipeline_id: int, *, last: bool, sending: Callable[[], None]
    ) -> list[JobData]:
        """Return the snapshots on the first page of a Pipeline's jobs list."""
        ...

    def room(self, *, last: bool) -> int:
        """Return how many looks could be sent at once now."""
        ...

    def patience(self, looks: int) -> float:
        """Return the seconds in which so many last looks can be made."""
        ...


class Look:
    """A look under way.

    Attributes:
        targets: The Jobs it is for; several when it reads their Pipeline's list.
        last: Whether it is the last look for somebody.
        at_list: Whether it reads the list.
        has_slot: Whether it has its place in the call budget.
        list_failed: Whether the list could not be read.
        task: What makes it.
    """

    __slots__ = ("at_list", "has_slot", "last", "list_failed", "targets", "task")

    def __init__(self, targets: list[Watched], *, last: bool, at_list: bool) -> None:
        self.targets: list[Watched] = targets
        self.last: bool = last
        self.at_list: bool = at_list
        self.has_slot: bool = False
        self.list_failed: bool = False
        self.task: asyncio.Task[None] | None = None

    async def make(
        self, eyes: Eyes, sending: Callable[[], None], experience: Experience
    ) -> Exception | None:
        """Look, and let the Jobs take in what is seen.

        Returns why looking at the Job is pointless, if so. A reason that passes, such as 429, is
        none.
        """
        if self.at_list:
            await self._read_list(eyes, sending, experience)
            return None
        watched = self.targets[0]
        watched.rows_seen = 0
        snapshot: JobData | None = None
        try:
            if watched.own_look is None:
                snapshot = await eyes.job(watched.key, last=self.last, sending=sending)
            else:
                await watched.own_look(last=self.last, sending=sending)
        except PASSING as error:
            _failed(watched, error)
        except NotFound as error:
            watched.fail(error, _now())
            return error if watched.miss() else None
        except Exception as error:  # noqa: BLE001 -- handed to those who wait
            return error
        else:
            if snapshot is None:
                watched.note_look(_now())
            else:
                watched.publish(snapshot, _now())
        return None

    async def _read_list(
        self, eyes: Eyes, sending: Callable[[], None], experience: Experience
    ) -> None:
        """Read the list; what it cannot tell for certain is left to looks of their own."""
        pipeline_id = self.targets[0].key[0]
        try:
            page = await eyes.jobs(pipeline_id, last=self.last, sending=sending)
            experience.note(pipeline_id, page, _now())
        except Exception as error:  # noqa: BLE001 -- what matters shows at each Job
            self.list_failed = True
            log.warning(
                "the Jobs of Pipeline %s are looked at one by one for a while, as they cannot be "
                "listed: %s",
                pipeline_id,
                error,
            )
            return
        rows = {job.job_id: job for job in page}
        for watched in self.targets:
            row = rows.get(watched.key[1])
            if row is None:
                watched.is_unlisted = True
            else:
                watched.take_row(row, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _failed(watched: Watched, error: HevoError) -> None:
    watched.fail(error, _now())
    log.warning("a look at %s failed, and will be repeated: %s", watched.label, error)
