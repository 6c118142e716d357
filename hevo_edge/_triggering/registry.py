"""What a client knows of the tickets that it has met, and whom it tells."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.schedule_grid import Timetable
from hevo_edge._triggering.ticket import UNKNOWN, OnTicket, Post, TriggerTicket
from hevo_edge.enums import Certainty
from hevo_edge.models import JobData

REMEMBERED = 10_000
"""How many tickets a client keeps in mind."""


@dataclass(eq=False)
class Memory:
    """What is known of a ticket.

    Attributes:
        ticket: The ticket as it was last read; from its POST on, as it was then.
        on_ticket: Whom to tell when more is known of it.
        read_at: When it was read, in loop time; None when it has to be before it is posted.
        is_foreign: Whether it comes from elsewhere, where it may have been posted.
        earlier: The ticket as it may have been posted when nothing came of that: what turns up
            late may still be its Job.
    """

    ticket: TriggerTicket
    on_ticket: OnTicket | None = None
    read_at: float | None = None
    is_foreign: bool = False
    earlier: TriggerTicket | None = None

    @property
    def may_have_been_posted(self) -> bool:
        """Whether a POST of it may have left, here or elsewhere, for all that is known."""
        return self.ticket.post is not None or self.earlier is not None or self.is_foreign

    @property
    def earlier_post(self) -> Post:
        """What is known of the POST of ``earlier``: no more than when it was sent."""
        post = None if self.earlier is None else self.earlier.post
        return UNKNOWN if post is None else UNKNOWN.model_copy(update={"sent_at": post.sent_at})

    @property
    def must_be_looked_for(self) -> bool:
        """Whether it is from elsewhere, and does not say what became of it there."""
        known = self.ticket.job_id is not None or (self.ticket.post or UNKNOWN).is_over
        return self.is_foreign and not known

    async def learn(self, **news: Any) -> None:
        """Note what is known of the ticket now, and tell."""
        self.ticket = self.ticket.model_copy(update=news)
        if self.on_ticket is not None:
            told = self.on_ticket(self.ticket)
            if inspect.isawaitable(told):
                await told

    async def found(self, found: Found) -> Found:
        """Note what came of it, and forget what is long and of no more use."""
        self.earlier = None
        await self.learn(
            job_id=found.job_id,
            certainty=found.certainty,
            watermark=Watermark(),
            timetable=Timetable(),
        )
        self.on_ticket = None
        return found

    def may_be_fired(self) -> None:
        """Note that nothing has come of it."""
        if self.is_foreign or self.ticket.post is not None:
            self.earlier, self.is_foreign, self.read_at = self.ticket, False, None
            self.ticket = self.ticket.model_copy(update={"post": None})

    def look_again(self) -> None:
        """Note that more time has passed, in which something may have come of an earlier POST.

        Unless another task has posted it meanwhile.
        """
        if self.earlier is not None and self.ticket.post is None:
            self.ticket = self.earlier.model_copy(update={"post": None})
            self.is_foreign, self.earlier = True, None

    async def may_not_be_fired(self, why: str) -> None:
        """Note that something seems to have come of an earlier POST."""
        if self.ticket.post is None:
            self.look_again()
            await self.learn(post=Post(doubt=why, took=0.0))


class Memories:
    """The memories of a client, the latest tickets only."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Memory] = OrderedDict()
        self._owners: OrderedDict[tuple[int, str], str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def remember(self, ticket: TriggerTicket) -> Memory:
        """Begin a memory of a ticket of this client."""
        memory = self._of[ticket.ticket_id] = Memory(ticket)
        while len(self._of) > REMEMBERED:
            self._of.popitem(last=False)
        return memory

    def recall(self, ticket: TriggerTicket) -> Memory:
        """Return what is known of a ticket, here or by its own word."""
        memory = self._of.get(ticket.ticket_id)
        if memory is None:
            memory = self.remember(ticket)
            memory.is_foreign = True
        self._of.move_to_end(ticket.ticket_id)
        mine = memory.ticket
        post = ticket.post
        news = post is not None and (
            not memory.may_have_been_posted
            # That Hevo has accepted is known better by who has seen it.
            or (post.accepted and not (mine.post or UNKNOWN).accepted)
        )
        if mine.job_id is None and (ticket.job_id is not None or news):
            # It has been fired elsewhere since.
            memory.ticket, memory.is_foreign, memory.earlier = ticket, True, None
        return memory

    def own(self, ticket: TriggerTicket, found: Found) -> None:
        """Note whose a Job is, if that is certain."""
        if found.certainty is Certainty.CERTAIN:
            self._owners[ticket.pipeline_id, found.job_id] = ticket.ticket_id
            while len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)

    def is_of_another(self, ticket: TriggerTicket, job: JobData) -> bool:
        """Say whether a Job is for certain that of another ticket."""
        owner = self._owners.get((ticket.pipeline_id, job.job_id))
        return owner not in {None, ticket.ticket_id}
