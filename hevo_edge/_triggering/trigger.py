"""Trigger, prepare, fire, reconcile: each is one attempt at a ticket that the registry knows."""

from __future__ import annotations

from hevo_edge._triggering.attempt import Attempt, TriggerParts
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.registry import TicketRecord, TicketRegistry
from hevo_edge._triggering.states import TicketState
from hevo_edge._triggering.ticket import OnTicket, TriggerTicket


class Triggers:
    """Fires triggers and finds their Jobs.

    Args:
        parts: What every attempt needs.
    """

    def __init__(self, parts: TriggerParts) -> None:
        self._parts = parts

    @property
    def registry(self) -> TicketRegistry:
        """What is known of the tickets that this client has met."""
        return self._parts.registry

    async def trigger(
        self,
        request: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
    ) -> Found:
        """Start what is asked for and find its Job.

        Args:
            request: A ticket that says what to start.
            deadline: Loop time (seconds) at which the caller's time-out ends, if it has one.
            on_ticket: Stores the ticket.

        Raises:
            PipelineNotReady, JobInProgress, TriggerTimeout: nothing was started.
            RequestError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        return await self._fire(self.registry.register(request), deadline, on_ticket)

    async def prepare(
        self,
        request: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
    ) -> TriggerTicket:
        """Do what ``if_running`` says, then read what is there.

        Raises: as ``trigger``; nothing is started.
        """
        record = self.registry.register(request)
        record.on_ticket = on_ticket
        attempt = Attempt(self._parts, record, deadline)
        try:
            await attempt.until_read()
        finally:
            record.on_ticket = None
        return record.ticket

    async def fire(
        self,
        ticket: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
    ) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Raises: as ``trigger``; and what ``on_ticket`` raises.
        """
        return await self._fire(self.registry.lookup(ticket), deadline, on_ticket)

    async def reconcile(self, ticket: TriggerTicket) -> Found | None:
        """Only look: return the Job that came of a ticket, or None when none can have.

        Polls for as long as the ticket's ``discovery_timeout``: a Job shows up late, and the POST
        may have been the last thing that another process did.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time.
            JobNotFoundAfterTrigger: when Hevo has accepted the POST, and there is no Job still.
        """
        record = self.registry.lookup(ticket)
        if record.state is not TicketState.FOUND and not record.may_have_been_posted:
            return None
        return await Attempt(self._parts, record, None).search_only()

    async def _fire(
        self, record: TicketRecord, deadline: float | None, on_ticket: OnTicket | None
    ) -> Found:
        if on_ticket is not None:
            record.on_ticket = on_ticket
        try:
            return await Attempt(self._parts, record, deadline).until_found()
        finally:
            # Another task that fires the same ticket may have a callback of its own.
            if record.on_ticket is on_ticket:
                record.on_ticket = None
