"""Asking Hevo to cancel a Job: once, within the call budget, or during an interrupt."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import backoff

from hevo_edge import api
from hevo_edge._common.cleanup import ended
from hevo_edge._common.clock import Clock
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.retry import BACKOFF_FACTOR, BACKOFF_MAX
from hevo_edge._http.throttle import MAX_PAUSE
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.handle import JobHandle, key_of, label_of, update_snapshot
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge.enums import PUT_ASIDE_STATUSES, JobStatus
from hevo_edge.errors import (
    ApiError,
    AuthenticationError,
    HevoError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    RequestNotSent,
    RequestOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.models import JobData
from hevo_edge.schedules import Geometric, geometric

log: logging.Logger = get_logger("hevo_edge.job")
JobT = TypeVar("JobT", bound=JobHandle)

CANCEL_TIMEOUT = 10.0
"""Seconds in which Hevo must answer a cancel at a deadline."""
MAX_REPEATS = 3
"""How often a cancel is sent again after a 429, a 5xx, or an answer that was lost."""
MAX_WORKERS = 50
"""How many Jobs are being cancelled at once, at most."""
UNTIL_CANCELLED: Geometric = geometric(share=0.1, shortest=3.0, longest=30.0)
"""How often to poll a Job that is being cancelled."""
_DEFINITE = (AuthenticationError, PermissionDenied, NotFound, RateLimited)
"""Refusals that say nothing was cancelled."""


async def cancel_job(
    transport: Transport,
    clock: Clock,
    key: tuple[int, str],
    reply_timeout: float | None = None,
) -> JobData | None:
    """Ask Hevo to cancel a Job; return its snapshot if one had to be read.

    What Hevo answers for a Job that has ended is not known, and an answer may be lost. So after an
    ambiguous answer the Job is read; if it has ended or is CANCELLING, that counts as success. If
    it still runs, and after a 429, the request is repeated: a Job is cancelled once at most.

    Args:
        transport: Sends requests.
        clock: Time and jitter.
        key: Pipeline id and Job id.
        reply_timeout: Seconds in which Hevo must answer each request; then nothing is repeated
            once two such times have passed since the first one left.

    Raises:
        RequestError: when the request failed and the Job is still running.
    """
    ceilings = backoff.expo(factor=BACKOFF_FACTOR, max_value=BACKOFF_MAX)
    next(ceilings)
    sent: list[float] = []
    patience = math.inf if reply_timeout is None else 2 * reply_timeout
    for left in reversed(range(1 + MAX_REPEATS)):
        try:
            return await _cancel_once(
                transport, key, reply_timeout, lambda: sent.append(clock.now())
            )
        except RequestError as error:
            is_late = bool(sent) and clock.now() - sent[0] >= patience
            if left == 0 or is_late or not _may_pass(error):
                raise
            log.debug("the cancel of Job %s is sent again: %s", short(key[1]), error)
        await clock.sleep(clock.random.uniform(0, next(ceilings)))
    raise AssertionError  # the last attempt returns or raises


def _may_pass(error: RequestError) -> bool:
    """Say whether a cancel that failed may be taken soon; what was never sent was repeated."""
    if isinstance(error, ApiError) and (error.retry_after or 0.0) > MAX_PAUSE:
        return False
    return error.transient and not isinstance(error, RequestNotSent)


async def _cancel_once(
    transport: Transport,
    key: tuple[int, str],
    reply_timeout: float | None,
    before_sending: Callable[[], None],
) -> JobData | None:
    try:
        await transport.send(
            api.cancel_job(*key),
            Priority.CANCEL,
            reply_timeout=reply_timeout,
            before_sending=before_sending,
        )
    except (ApiError, RequestOutcomeUnknown, UnexpectedResponse) as error:
        if isinstance(error, _DEFINITE):
            raise
        job = await transport.send(api.get_job(*key), Priority.CANCEL, reply_timeout=reply_timeout)
        if not job.is_terminal and job.status != JobStatus.CANCELLING:
            raise
        return job
    return None


class JobCanceller:
    """Cancels Jobs in Hevo.

    Args:
        transport: Sends requests.
        clock: Time.
    """

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def cancel(self, job: JobHandle, reply_timeout: float | None = None) -> None:
        """Ask Hevo to cancel a Job; one that has ended is left alone.

        Args:
            job: The Job.
            reply_timeout: Seconds in which Hevo must answer each request.

        Raises:
            RequestError: when the request failed and the Job is still running.
        """
        # A deferred Job ends a wait, but Hevo may resume it.
        is_deferred = job.status in PUT_ASIDE_STATUSES and job.status != JobStatus.SKIPPED
        if job.is_terminal and not is_deferred:
            return
        snapshot = await cancel_job(self._transport, self._clock, key_of(job), reply_timeout)
        if snapshot is not None:
            update_snapshot(job, snapshot, self._clock.now())

    async def cancel_within_budget(self, job: JobHandle) -> Exception | None:
        """Ask Hevo to cancel when the call budget allows; return the error if that failed."""
        try:
            # One request to cancel, and perhaps one to read the Job.
            await self.cancel(job, CANCEL_TIMEOUT / 2)
        except HevoError as error:
            return error
        return None

    async def cancel_on_interrupt(self, jobs: Sequence[JobT], within: float) -> list[JobT]:
        """Ask Hevo to cancel many Jobs, newest first, within so many seconds; raise nothing.

        The newest have done the least, so least is lost with them; and where a caller stops right
        after it has started many Jobs, those are the ones that it regrets.

        Returns:
            The Jobs that may go on: Hevo refused, did not answer, or was not asked in time.
        """
        running = [job for job in jobs if not job.is_terminal]
        left = _newest_first(running)
        failures: dict[JobT, Exception | None] = {}

        async def work() -> None:
            while left:
                job = left.popleft()
                # What is cut off may have been sent, or not.
                failures[job] = HevoError(f"Hevo did not answer within {within:g} s")
                try:
                    await self.cancel(job)
                except HevoError as error:
                    failures[job] = error
                else:
                    failures[job] = None

        await _bounded([work() for _ in range(min(len(left), MAX_WORKERS))], within)
        _log_interrupt(running, failures, within)
        return [job for job in running if failures.get(job, job) is not None]


def _newest_first(jobs: Sequence[JobT]) -> deque[JobT]:
    """Sort by creation, newest first; what was never read has just been started, most likely."""

    def age(place: int) -> tuple[float, int]:
        data = jobs[place].data
        created = None if data is None else data.created_ts
        return (-math.inf if created is None else -created, -place)

    return deque(jobs[place] for place in sorted(range(len(jobs)), key=age))


async def _bounded(work: Iterable[Coroutine[Any, Any, None]], seconds: float) -> None:
    """Run coroutines for so many seconds at most; none is left behind."""
    tasks = {asyncio.ensure_future(each) for each in work}
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        await ended(tasks, "ending the cancels of an interrupt")


def _log_interrupt(
    jobs: Sequence[JobT], failures: Mapping[JobT, Exception | None], within: float
) -> None:
    """Log in one line what came of the cancels."""
    failed = [failure for failure in failures.values() if failure is not None]
    if not jobs:
        return
    if len(jobs) == 1 and failed:
        log.warning("%s could not be cancelled: %s", label_of(jobs[0]), failed[0])
    elif len(jobs) == 1:
        log.info("Hevo was asked to cancel %s", label_of(jobs[0]))
    else:
        asked, unasked = len(failures) - len(failed), len(jobs) - len(failures)
        log.log(
            logging.WARNING if failed or unasked else logging.INFO,
            "Hevo was asked to cancel %d of %d Jobs, newest first; %d were not reached within "
            "%g s, %d failed%s",
            asked,
            len(jobs),
            unasked,
            within,
            len(failed),
            f", such as: {failed[0]}" if failed else "",
        )
