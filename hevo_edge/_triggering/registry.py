"""A client's tickets and their states, and which Job certainly belongs to which ticket."""

from __future__ import annotations

import inspect
import os
import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge._common.cleanup import finish_cleanup
from hevo_edge._common.per_loop import running_loop
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
"""How many tickets that are settled, that are in doubt, and owners of Jobs a client keeps."""
MAX_READINGS, READING_FOR = 100, 60.0
"""How many tickets that were not posted are kept with the Jobs that were read, and for how many
seconds: one that was prepared is fired within seconds, or reads again."""
SETTLED_FOR = 86_400.0
"""Seconds for which it is kept that a ticket was not posted, or which Job came of it."""
IN_DOUBT_FOR = 7 * 86_400.0
"""Seconds for which a ticket is kept whose POST may have arrived, and to whom a Job belongs."""
_UNPOSTED = frozenset({TicketState.NEW, TicketState.READ})


@dataclass(eq=False)
class TicketRecord:
    """A ticket of this client: its state changes here only, by ``states.TRANSITIONS``.

    Attributes:
        ticket: The ticket with what was read last; from its POST on, what was read before that.
        on_ticket: The callbacks that store it when more is known of it, one of each task that
            fires it.
        read_at: When the Jobs were read, in loop time (seconds); None when they must be read again.
        earlier: The ticket of an earlier POST, after a complete search found nothing of it: a Job
            that appears late may still come of that POST.
        pid: The process that keeps it. A forked child has a copy of what its parent may post.
    """

    ticket: TriggerTicket
    on_ticket: list[OnTicket] = field(default_factory=list)
    read_at: float | None = None
    earlier: TriggerTicket | None = None
    pid: int = field(default_factory=os.getpid)

    @property
    def state(self) -> TicketState:
        """How far it has come."""
        return self.ticket.state

    @property
    def is_unposted(self) -> bool:
        """Whether a POST may leave once the Jobs have been read."""
        return self.state in _UNPOSTED

    @property
    def may_have_been_posted(self) -> bool:
        """Whether a POST of it may have arrived, sent by this or by another process."""
        return self.state in MAY_HAVE_ARRIVED or self.earlier is not None

    @property
    def earlier_post(self) -> Post:
        """What is known of the POST of ``earlier``: only when it was sent."""
        post = None if self.earlier is None else self.earlier.post
        return UNKNOWN if post is None else UNKNOWN.model_copy(update={"sent_at": post.sent_at})

    def drop_reading(self) -> None:
        """Drop the Jobs that were read: they must be read again before the POST."""
        self.read_at = None
        without = {"watermark": Watermark(), "schedule_grid": ScheduleGrid()}
        self.ticket = self.ticket.model_copy(update=without)

    # -- transitions ------------------------------------------------------------------------------

    def mark_read(self, ticket: TriggerTicket, at: float) -> None:
        """Take the ticket with the Jobs that were read at a loop time (seconds)."""
        self.ticket, self.read_at = ticket, at
        self._move(TicketEvent.READ, post=None)

    async def mark_sending(self, wall: float) -> None:
        """Store that the POST is about to leave, at a time in seconds since 1970."""
        self._move(TicketEvent.SEND, post=IN_FLIGHT.model_copy(update={"sent_at": wall}))
        await self.store()

    def mark_leaving(self, read: TriggerTicket, seconds: float) -> None:
        """Record that the POST leaves now, so many seconds after a ticket was read.

        It may have waited for the call budget since. A Job that was created before it leaves cannot
        be its Job, so the watermark moves on with Hevo's clock.
        """
        moved = read.read_later(seconds).watermark
        self.ticket = self.ticket.model_copy(update={"watermark": moved})

    async def mark_not_sent(self, ticket: TriggerTicket, *, store: bool = True) -> None:
        """Record that the POST never left, or was refused: restore the ticket from before it."""
        self._restore(ticket)
        if store:
            await self.store()

    def mark_interrupted(self, ticket: TriggerTicket, *, has_left: bool) -> None:
        """Record that the sender was interrupted, without storing it: an interrupt must not wait.

        What is stored says SENDING, which claims no more than what is known.
        """
        if has_left:
            self._move(TicketEvent.INTERRUPTED)
        else:
            self._restore(ticket)

    async def mark_settled(self, post: Post) -> None:
        """Record the outcome of the POST, and store it."""
        event = TicketEvent.ANSWERED if post.accepted else TicketEvent.NO_ANSWER
        self._move(event, post=post)
        await self.store()

    async def mark_found(self, found: Found) -> Found:
        """Record the Job, store it, and drop what is long and not needed any more."""
        self.earlier = None
        self._move(
            TicketEvent.FOUND,
            job_id=found.job_id,
            certainty=found.certainty,
            watermark=Watermark(),
            schedule_grid=ScheduleGrid(),
        )
        await self.store()
        return found

    def mark_unposted(self) -> None:
        """Record that a complete search has found nothing."""
        if self.state in MAY_HAVE_ARRIVED:
            self.earlier, self.read_at = self.ticket, None
            self._move(TicketEvent.NOT_FOUND, post=None)

    def mark_unfired(self) -> None:
        """Believe that no other process has fired the ticket, unless something tells of a POST."""
        if self.state is TicketState.FOREIGN and self.ticket.post is None:
            self._move(TicketEvent.UNFIRED)

    def reopen(self) -> None:
        """Record that time has passed in which an earlier POST's Job may have appeared.

        Nothing changes when another task has posted the ticket meanwhile.
        """
        if self.earlier is not None and self.is_unposted:
            post = self.earlier_post
            self.ticket = self.earlier.model_copy(update={"state": self.state})
            self.earlier = None
            self._move(TicketEvent.REOPENED, post=post)

    async def mark_ambiguous(self, why: str) -> None:
        """Record evidence that an earlier POST has arrived, and store that."""
        self.reopen()
        if self.state is TicketState.FOREIGN or self.is_unposted:
            self._move(TicketEvent.EVIDENCE, post=Post(ambiguity=why, elapsed=0.0))
            await self.store()

    def mark_loaded(self, ticket: TriggerTicket) -> None:
        """Take a ticket that another process has stored."""
        self.ticket, self.earlier, self.read_at = ticket, None, None
        self._move(TicketEvent.LOADED)

    def is_behind(self, ticket: TriggerTicket) -> bool:
        """Say whether a copy of the ticket that was passed in holds more than this record."""
        if self.state is TicketState.FOUND:
            return False
        if ticket.state is TicketState.FOUND:
            return True
        if ticket.state is TicketState.ACCEPTED:
            # Only the process that sent the POST has seen that Hevo accepted it.
            return self.state is not TicketState.ACCEPTED
        return ticket.post is not None and self.ticket.post is None and self.earlier is None

    def update(self, ticket: TriggerTicket) -> None:
        """Take a copy of the ticket if it holds more: another process has fired it since.

        Only under the Pipeline's lock: a task that reads or posts relies on the state it has set.
        """
        if self.is_behind(ticket):
            self.mark_loaded(ticket)

    async def store(self) -> None:
        """Pass the ticket to every ``on_ticket``."""
        for on_ticket in tuple(self.on_ticket):
            stored = on_ticket(self.ticket)
            if inspect.isawaitable(stored):
                # To its end: half a ticket in a store helps nobody.
                await finish_cleanup(stored, "storing a ticket")

    @contextmanager
    def stored_by(self, on_ticket: OnTicket | None) -> Iterator[None]:
        """Pass the ticket to this callback, too, for as long as the context lasts."""
        if on_ticket is None:
            yield
            return
        self.on_ticket.append(on_ticket)
        try:
            yield
        finally:
            self.on_ticket.remove(on_ticket)

    def _restore(self, ticket: TriggerTicket) -> None:
        """Go back to a ticket from before the POST."""
        self.ticket = ticket.model_copy(update={"state": self.state})
        self._move(TicketEvent.NOT_SENT, post=None)

    def _move(self, event: TicketEvent, **update: Any) -> None:
        state = next_state(self.state, event)
        self.ticket = self.ticket.model_copy(update={**update, "state": state})


class TicketRegistry:
    """A client's tickets: those in use, and what is known of its latest others.

    What is in use is held by whoever uses it, and is never dropped. When its last user has left, a
    record is packed, and kept by what it is good for. A ticket whose record was dropped is one
    that another process has stored: what it says itself is believed, and it is not posted before a
    complete search has found nothing.
    """

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[str, TicketRecord] = WeakValueDictionary()
        self._unposted: BoundedDict[str, bytes] = BoundedDict(MAX_READINGS, READING_FOR)
        self._settled: BoundedDict[str, bytes] = BoundedDict(MAX_RECORDS, SETTLED_FOR)
        self._in_doubt: BoundedDict[str, bytes] = BoundedDict(MAX_RECORDS, IN_DOUBT_FOR)
        self._owners: BoundedDict[tuple[int, str], str] = BoundedDict(MAX_RECORDS, IN_DOUBT_FOR)

    def __len__(self) -> int:
        """Return how many records are kept that nobody uses."""
        return sum(map(len, self._kept()))

    def register(self, ticket: TriggerTicket) -> TicketRecord:
        """Start the record of a new ticket of this client."""
        record = self._in_use[ticket.ticket_id] = TicketRecord(ticket)
        return record

    def lookup(self, ticket: TriggerTicket) -> TicketRecord:
        """Return the record of a ticket; start one when nothing is known of it here."""
        ticket_id = ticket.ticket_id
        record = self._in_use.get(ticket_id)
        if record is None:
            packed = next(filter(None, (kept.get(ticket_id) for kept in self._kept())), None)
            if packed is None:
                record = self.register(ticket)
                record.mark_loaded(ticket)
                return record
            record = self._in_use[ticket_id] = _unpacked(packed)
        if record.pid != os.getpid():
            record.pid = os.getpid()
            record.mark_loaded(record.ticket)
        return record

    @contextmanager
    def keeping(self, record: TicketRecord) -> Iterator[None]:
        """Keep what is known of a record when the context ends."""
        loop = running_loop()  # a coroutine that nobody awaits is closed without one
        try:
            yield
        finally:
            self._keep(record, loop.time())

    def set_owner(self, ticket: TriggerTicket, found: Found) -> None:
        """Record to which ticket a Job belongs, if that is certain."""
        if found.certainty is Certainty.CERTAIN:
            now = running_loop().time()
            self._owners.set((ticket.pipeline_id, found.job_id), ticket.ticket_id, now)

    def belongs_to_another(self, ticket: TriggerTicket, job: JobData) -> bool:
        """Say whether a Job certainly belongs to another ticket."""
        owner = self._owners.get((ticket.pipeline_id, job.job_id))
        return owner not in {None, ticket.ticket_id}

    def _kept(self) -> tuple[BoundedDict[str, bytes], ...]:
        return self._unposted, self._settled, self._in_doubt

    def _keep(self, record: TicketRecord, now: float) -> None:
        ticket_id = record.ticket.ticket_id
        for kept in self._kept():
            kept.discard(ticket_id)
        if record.may_have_been_posted:
            self._in_doubt.set(ticket_id, _packed(record), now)
        elif record.is_unposted:
            for old_id, packed in self._unposted.set(ticket_id, _packed(record), now):
                old = _unpacked(packed)
                old.drop_reading()
                self._settled.set(old_id, _packed(old), now)
        else:
            self._settled.set(ticket_id, _packed(record), now)


def _packed(record: TicketRecord) -> bytes:
    """Return a record as bytes: a fourth of what it takes else, most of which are ids of Jobs."""
    kept = record.ticket, record.read_at, record.earlier, record.pid
    return zlib.compress(pickle.dumps(kept), 1)


def _unpacked(packed: bytes) -> TicketRecord:
    ticket, read_at, earlier, pid = pickle.loads(zlib.decompress(packed))  # noqa: S301 -- our own
    return TicketRecord(ticket, read_at=read_at, earlier=earlier, pid=pid)
