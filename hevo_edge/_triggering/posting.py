"""The POST of a ticket: its request, and what its reply says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hevo_edge import api
from hevo_edge._awaiting.job_reader import FINAL_POLL_TIMEOUT
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge._triggering.ticket import Post, TriggerTicket
from hevo_edge.enums import Dialect, PipelineAction
from hevo_edge.errors import RequestOutcomeUnknown, ServerError, UnexpectedResponse


async def send_post(
    transport: Transport,
    ticket: TriggerTicket,
    dialect: Dialect,
    *,
    deadline: float | None,
    before_sending: Callable[[], None],
) -> Post:
    """Send the POST of a ticket once; return what is known of it.

    Args:
        transport: Sends requests.
        ticket: Says what to start.
        dialect: The form of a resync's body.
        deadline: Loop time (seconds) at which the caller's time-out ends, if it has one.
        before_sending: Called when it leaves; what it raises keeps it from leaving.

    Raises:
        HevoError: when Hevo refused it, or it was never sent.
    """
    try:
        reply = await transport.exchange(
            request_of(ticket, dialect),
            Priority.TRIGGER,
            deadline=deadline,
            # An unknown outcome is worse than a late one.
            reply_timeout=None if deadline is None else FINAL_POLL_TIMEOUT,
            before_sending=before_sending,
        )
    except (ServerError, RequestOutcomeUnknown, UnexpectedResponse) as error:
        return Post(ambiguity=str(error))
    return Post(answered_at=reply.server_time)


def request_of(ticket: TriggerTicket, dialect: Dialect) -> api.Request[Any]:
    """Return the request that starts what a ticket asks for."""
    pipeline_id, drop = ticket.pipeline_id, ticket.drop_and_load
    if ticket.object_ids is not None:
        return api.resync_objects(
            pipeline_id, ticket.object_ids, drop_and_load=drop, dialect=dialect
        )
    if ticket.action is PipelineAction.RESYNC:
        return api.resync_pipeline(pipeline_id, drop_and_load=drop, dialect=dialect)
    return api.sync_now(pipeline_id)
