"""Trigger, prepare, fire, reconcile: each is one attempt at a ticket of the registry."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from hevo_edge._text.printable import short
from hevo_edge._triggering.attempt import Attempt
from hevo_edge._triggering.attribution import Found
from hevo_edge._triggering.known_tickets import latest_copy
from hevo_edge._triggering.parts import TriggerParts
from hevo_edge._triggering.registry import TicketRecord, TicketRegistry
from hevo_edge._triggering.reporting import TriggerReport
from hevo_edge._triggering.states import TicketState
from hevo_edge._triggering.ticket import OnTicket, TriggerTicket
from hevo_edge.errors import TriggerOutcomeUnknown


class Triggers:
    """Fires triggers and finds their Jobs.

    Args:
        parts: What every attempt needs.
    """

    def __init__(self, parts: TriggerParts) -> None:
        self._parts = parts

    @property
    def registry(self) -> TicketRegistry:
        """This client's tickets."""
        return self._parts.registry

    async def trigger(
        self,
        request: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
    ) -> Found:
        """Start a run and find its Job, with a snapshot.

        Args:
            request: A new ticket that says what to start.
            deadline: Loop time (seconds) at which the caller's time-out ends, if it has one.
            on_ticket: Stores the ticket.

        Raises:
            PipelineNotReady, JobInProgress, TriggerTimeout: nothing was started.
            RequestError: nothing was started.
            TriggerOutcomeUnknown, JobNotFoundAfterTrigger: something was, or may have been.
        """
        record = self.registry.register(request)
        found = await self._fire("trigger", record, deadline, on_ticket)
        if found.job is None:
            # Another task, which fires the same ticket, has found it, and it cannot be read now.
            raise TriggerOutcomeUnknown(
                f"{request.action} of Pipeline {request.pipeline_id} became Job "
                f"{short(found.job_id)}, which cannot be read now. "
                "HevoClient.reconcile(error.ticket) returns its handle",
                ticket=record.ticket,
            )
        return found

    async def prepare(
        self,
        request: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
    ) -> TriggerTicket:
        """Apply ``if_running``, then read the Pipeline and its Jobs.

        Raises: as ``trigger``; nothing is started.
        """
        record = self.registry.register(request)
        with self._reported("prepare", record) as report, record.stored_by(on_ticket):
            await Attempt(self._parts, record, deadline, report).until_read()
        return record.ticket

    async def fire(
        self,
        ticket: TriggerTicket,
        deadline: float | None = None,
        on_ticket: OnTicket | None = None,
        *,
        first: bool = False,
    ) -> Found:
        """Post once and find the Job; a ticket whose POST may have arrived is never posted again.

        Args:
            ticket: What was prepared or stored.
            deadline: As for ``trigger``.
            on_ticket: Stores the ticket.
            first: Whether the caller knows that no other process has fired it.

        Raises: as ``trigger``; and what ``on_ticket`` raises.
        """
        record = self.registry.lookup(ticket)
        return await self._fire("fire", record, deadline, on_ticket, given=ticket, first=first)

    async def reconcile(self, ticket: TriggerTicket, deadline: float | None = None) -> Found | None:
        """Search only: return the Job of a ticket, or None when it has none.

        Polls for as long as the ticket's ``discovery_timeout``: a Job is listed late, and another
        process may have crashed right after its POST.

        Raises:
            TriggerOutcomeUnknown: when the list could not be read to the end of that time, or the
                deadline came before.
            JobNotFoundAfterTrigger: when Hevo accepted the POST, and no Job is listed yet.
        """
        record = self.registry.lookup(ticket)
        may_have_job = record.state is TicketState.FOUND or record.may_have_been_posted
        if not (may_have_job or any(map(record.is_behind, (ticket, latest_copy(ticket))))):
            return None
        with self._reported("reconcile", record) as report:
            attempt = Attempt(self._parts, record, deadline, report, given=ticket)
            return report.found(await attempt.search_only())

    async def _fire(
        self,
        verb: str,
        record: TicketRecord,
        deadline: float | None,
        on_ticket: OnTicket | None,
        *,
        given: TriggerTicket | None = None,
        first: bool = False,
    ) -> Found:
        with self._reported(verb, record) as report, record.stored_by(on_ticket):
            attempt = Attempt(self._parts, record, deadline, report, given=given, first=first)
            return report.found(await attempt.until_found())

    @contextmanager
    def _reported(self, verb: str, record: TicketRecord) -> Generator[TriggerReport, None, None]:
        """Keep a record, and tell the observers how the block goes."""
        parts = self._parts
        report = TriggerReport(parts.observers, parts.clock, verb, record.ticket)
        with self.registry.keeping(record), report:
            yield report
