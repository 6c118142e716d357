"""What the clients of an event loop know of each other's tickets: one may have two holders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge._common.per_loop import running_loop
from hevo_edge._triggering.registry import SETTLED_FOR, TicketRecord
from hevo_edge._triggering.ticket import TriggerTicket

MAX_TICKETS = 1000
"""How many posted tickets an event loop knows, the latest, and of one day."""

_tickets: WeakKeyDictionary[asyncio.AbstractEventLoop, BoundedDict[str, TriggerTicket]] = (
    WeakKeyDictionary()
)


def latest_copy(ticket: TriggerTicket) -> TriggerTicket:
    """Return the latest copy of a ticket that a client of this event loop has posted, or itself."""
    known = _tickets.get(running_loop())
    return (None if known is None else known.get(ticket.ticket_id)) or ticket


def forget_tickets() -> None:
    """Forget all tickets, as a new process does; for tests."""
    _tickets.clear()


@contextmanager
def shared(record: TicketRecord) -> Iterator[None]:
    """Take what other clients know of a ticket, and hand on what is known of it at the end.

    Only under the Pipeline's lock, see ``TicketRecord.update``.
    """
    record.update(latest_copy(record.ticket))
    loop = running_loop()
    known = _tickets.setdefault(loop, BoundedDict(MAX_TICKETS, SETTLED_FOR))
    try:
        yield
    finally:
        ticket = record.ticket
        if ticket.post is None and ticket.job_id is None:
            known.discard(ticket.ticket_id)
        else:
            known.set(ticket.ticket_id, ticket, loop.time())
