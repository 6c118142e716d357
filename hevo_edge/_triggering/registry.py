"""What a client knows of the tickets that it has met, and which Job is certainly whose."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.states import (
    MAY_HAVE_ARRIVED,
    TicketEvent,
    TicketState,
    next_state,
)
from hevo_edge._triggering.ticket import IN_FLIGHT, UNKNOWN, OnTicket, Post, TriggerTicket
from hevo_edge.enums import Certainty
from hevo_edge.models import JobData

MAX_RECORDS = 10_000
"""How many tickets a client keeps in mind."""
_UNPOSTED = frozenset({TicketState.NEW, TicketState.READ})


@dataclass(eq=False)
class TicketRecord:
    """A ticket of this client: its state changes here, by ``states.TRANSITIONS``, and nowhere else.

    Attributes:
        ticket: The ticket as it was last read; from its POST on, as it was then.
        on_ticket: The callback that stores it when more is known of it.
        read_at: When it was read, in loop time (seconds); None when it has to be read again.
        earlier: The ticket as it was posted, or may have been, when a search to its end had found
            nothing of that POST: what turns up late may still be its Job.
    """

    ticket: TriggerTicket
    on_ticket: OnTicket | None = None
    read_at: float | None = None
    earlier: TriggerTicket | None = None

    @property
    def state(self) -> TicketState:
        """How far it has come."""
        return self.ticket.state

    @property
    def is_unposted(self) -> bool:
        """Whether a POST may leave, once the Jobs were read."""
        return self.state in _UNPOSTED

    @property
    def may_have_been_posted(self) -> bool:
        """Whether a POST of it may have left, here or elsewhere, for all that is known."""
        return self.state in MAY_HAVE_ARRIVED or self.earlier is not None

    @property
    def earlier_post(self) -> Post:
        """What is known of the POST of ``earlier``: no more than when it was sent."""
        post = None if self.earlier is None else self.earlier.post
        return UNKNOWN if post is None else UNKNOWN.model_copy(update={"sent_at": post.sent_at})

    # -- transitions ------------------------------------------------------------------------------

    def read(self, ticket: TriggerTicket, at: float) -> None:
        """Take the ticket with what is there now, read at a loop time (seconds)."""
        self.ticket, self.read_at = ticket, at
        self._move(TicketEvent.READ, post=None)

    async def sending(self, wall: float) -> None:
        """Store that the POST is about to leave, at a moment in seconds since 1970."""
        self._move(TicketEvent.SEND, post=IN_FLIGHT.model_copy(update={"sent_at": wall}))
        await self.store()

    def leaves(self, read: TriggerTicket, seconds: float) -> None:
        """Note that the POST leaves now, so many seconds after a ticket was read.

        It may have waited for the call budget since. What was created before it leaves cannot be
        its Job, so the watermark moves on with Hevo's clock.
        """
        moved = read.read_later(seconds).watermark
        self.ticket = self.ticket.model_copy(update={"watermark": moved})

    async def not_sent(self, ticket: TriggerTicket, *, store: bool = True) -> None:
        """Note that the POST never left, or was refused: all is as it was before."""
        self.ticket = ticket.model_copy(update={"state": self.state})
        self._move(TicketEvent.NOT_SENT, post=None)
        if store:
            await self.store()

    def interrupted(self, ticket: TriggerTicket, *, has_left: bool) -> None:
        """Note that the sender was cut off; nothing is stored, as whoever cut it off is in haste.

        What is stored says SENDING, which is no less than what is known.
        """
        if has_left:
            self._move(TicketEvent.INTERRUPTED)
        else:
            self.ticket = ticket.model_copy(update={"state": self.state})
            self._move(TicketEvent.NOT_SENT, post=None)

    async def settled(self, post: Post) -> None:
        """Note what came of the POST, and store it."""
        event = TicketEvent.ANSWERED if post.accepted else TicketEvent.NO_ANSWER
        self._move(event, post=post)
        await self.store()

    async def found(self, found: Found) -> Found:
        """Note the Job, store it, and drop what is long and of no more use."""
        self.earlier = None
        self._move(
            TicketEvent.FOUND,
            job_id=found.job_id,
            certainty=found.certainty,
            watermark=Watermark(),
            schedule_grid=ScheduleGrid(),
        )
        await self.store()
        self.on_ticket = None
        return found

    def mark_unposted(self) -> None:
        """Note that a search to its end has found nothing."""
        if self.state in MAY_HAVE_ARRIVED:
            self.earlier, self.read_at = self.ticket, None
            self._move(TicketEvent.NOT_FOUND, post=None)

    def reopen(self) -> None:
        """Note that more time has passed, in which an earlier POST's Job may have appeared.

        Unless another task has posted it meanwhile.
        """
        if self.earlier is not None and self.is_unposted:
            post = self.earlier_post
            self.ticket = self.earlier.model_copy(update={"state": self.state})
            self.earlier = None
            self._move(TicketEvent.REOPENED, post=post)

    async def mark_ambiguous(self, why: str) -> None:
        """Note that something seems to have come of an earlier POST, and store that."""
        self.reopen()
        if self.state is TicketState.FOREIGN or self.is_unposted:
            self._move(TicketEvent.EVIDENCE, post=Post(ambiguity=why, elapsed=0.0))
            await self.store()

    def loaded(self, ticket: TriggerTicket) -> None:
        """Take a ticket that another process has stored."""
        self.ticket, self.earlier = ticket, None
        self._move(TicketEvent.LOADED)

    async def store(self) -> None:
        """Give the ticket to ``on_ticket``."""
        if self.on_ticket is not None:
            stored = self.on_ticket(self.ticket)
            if inspect.isawaitable(stored):
                await stored

    def _move(self, event: TicketEvent, **update: Any) -> None:
        state = next_state(self.state, event)
        self.ticket = self.ticket.model_copy(update={**update, "state": state})


class TicketRegistry:
    """The records of a client, of the latest tickets only."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, TicketRecord] = OrderedDict()
        self._owners: OrderedDict[tuple[int, str], str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def register(self, ticket: TriggerTicket) -> TicketRecord:
        """Begin the record of a ticket of this client."""
        record = self._records[ticket.ticket_id] = TicketRecord(ticket)
        while len(self._records) > MAX_RECORDS:
            self._records.popitem(last=False)
        return record

    def lookup(self, ticket: TriggerTicket) -> TicketRecord:
        """Return the record of a ticket, with what the ticket itself says, if that is more."""
        record = self._records.get(ticket.ticket_id)
        if record is None:
            record = self.register(ticket)
            record.loaded(ticket)
        elif _knows_more(ticket, record):
            record.loaded(ticket)  # it has been fired elsewhere since
        self._records.move_to_end(ticket.ticket_id)
        return record

    def own(self, ticket: TriggerTicket, found: Found) -> None:
        """Note whose a Job is, if that is certain."""
        if found.certainty is Certainty.CERTAIN:
            self._owners[ticket.pipeline_id, found.job_id] = ticket.ticket_id
            while len(self._owners) > MAX_RECORDS:
                self._owners.popitem(last=False)

    def is_of_another(self, ticket: TriggerTicket, job: JobData) -> bool:
        """Say whether a Job is for certain that of another ticket."""
        owner = self._owners.get((ticket.pipeline_id, job.job_id))
        return owner not in {None, ticket.ticket_id}


def _knows_more(ticket: TriggerTicket, record: TicketRecord) -> bool:
    """Say whether a ticket that is passed in tells more than the record of it."""
    if record.state is TicketState.FOUND:
        return False
    if ticket.state is TicketState.FOUND:
        return True
    if ticket.state is TicketState.ACCEPTED:
        # That Hevo has accepted is known better by whoever has seen it.
        return record.state is not TicketState.ACCEPTED
    return ticket.post is not None and not record.may_have_been_posted
