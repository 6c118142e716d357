"""Asking Hevo to cancel a Job: once, within the call budget, or during an interrupt."""

from __future__ import annotations

import asyncio
import logging

from hevo_edge import api
from hevo_edge._common.clock import Clock
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.handle import JobHandle, key_of, label_of, update_snapshot
from hevo_edge._text.logger import get_logger
from hevo_edge.enums import PUT_ASIDE_STATUSES, JobStatus
from hevo_edge.errors import (
    ApiError,
    AuthenticationError,
    HevoError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.models import JobData
from hevo_edge.schedules import Geometric, geometric

log: logging.Logger = get_logger("hevo_edge.job")

CANCEL_TIMEOUT = 10.0
"""Seconds that an interrupted wait gives the remote cancel."""
UNTIL_CANCELLED: Geometric = geometric(share=0.1, shortest=3.0, longest=30.0)
"""How often to poll a Job that is being cancelled."""
_DEFINITE = (AuthenticationError, PermissionDenied, NotFound, RateLimited)
"""Refusals that say nothing was cancelled."""


async def cancel_job(
    transport: Transport, key: tuple[int, str], reply_timeout: float | None = None
) -> JobData | None:
    """Ask Hevo to cancel a Job; return its snapshot if one had to be read.

    What Hevo answers for a Job that has ended is not known, and an answer may be lost. So after an
    ambiguous answer the Job is read; if it has ended or is CANCELLING, that counts as success.

    Args:
        transport: Sends requests.
        key: Pipeline id and Job id.
        reply_timeout: Seconds in which Hevo must answer each request.

    Raises:
        RequestError: when the request failed and the Job is still running.
    """
    try:
        await transport.send(api.cancel_job(*key), Priority.CANCEL, reply_timeout=reply_timeout)
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
        snapshot = await cancel_job(self._transport, key_of(job), reply_timeout)
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

    async def cancel_on_interrupt(self, job: JobHandle) -> None:
        """Cancel in Hevo while the task here is cancelled: within ten seconds, and never raise."""
        if job.is_terminal:
            return
        failure = await self._cancel_bounded(job)
        if failure is None:
            log.info("Hevo was asked to cancel %s", label_of(job))
        else:
            log.warning("%s could not be cancelled: %s", label_of(job), failure)

    async def _cancel_bounded(self, job: JobHandle) -> Exception | None:
        """Ask Hevo to cancel, for ten seconds at most; return the error if that failed."""
        cancelling = asyncio.get_running_loop().create_task(self.cancel(job))
        try:
            await asyncio.wait({cancelling}, timeout=CANCEL_TIMEOUT)
        finally:
            cancelling.cancel()
            await asyncio.wait({cancelling})
        if cancelling.cancelled():
            return HevoError(f"Hevo did not answer within {CANCEL_TIMEOUT:g} s")
        error = cancelling.exception()
        return error if isinstance(error, Exception) else None
