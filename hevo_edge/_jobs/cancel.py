"""Cancelling a Job in Hevo, when it is not known whether it still runs."""

from __future__ import annotations

from hevo_edge import api
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge.enums import JobStatus
from hevo_edge.errors import (
    ApiError,
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestOutcomeUnknown,
    UnexpectedResponse,
)
from hevo_edge.models import JobData

_CLEAR = (AuthenticationError, PermissionDenied, NotFound, RateLimited)


async def cancel_job(
    transport: Transport, key: tuple[int, str], patience: float | None = None
) -> JobData | None:
    """Ask Hevo to cancel a Job; return its snapshot if one had to be read.

    What Hevo answers for a Job that has ended is not known, and an answer may be lost. So after
    anything but a clear answer the Job is looked at, and where it has ended or is CANCELLING, all
    is well.

    Args:
        transport: Sends.
        key: Pipeline id and Job id.
        patience: Seconds in which Hevo must answer each request.

    Raises:
        RequestError: when the request failed and the Job is still running.
    """
    try:
        await transport.send(api.cancel_job(*key), Priority.CANCEL, reply_timeout=patience)
    except (ApiError, RequestOutcomeUnknown, UnexpectedResponse) as error:
        if isinstance(error, _CLEAR):
            raise
        job = await transport.send(api.get_job(*key), Priority.CANCEL, reply_timeout=patience)
        if not job.is_terminal and job.status != JobStatus.CANCELLING:
            raise
        return job
    return None
