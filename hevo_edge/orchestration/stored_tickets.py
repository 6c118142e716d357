"""What is stored of a task's run between its attempts, and where."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from pydantic import BaseModel, ValidationError

from hevo_edge._text.logger import get_logger
from hevo_edge._triggering.attribution import MAX_START_DELAY
from hevo_edge.errors import HevoError, TriggerOutcomeUnknown
from hevo_edge.orchestration.spec import RunSpec
from hevo_edge.triggering import TriggerTicket

__all__ = [
    "TicketStore",
    "spec_of",
    "to_be_cancelled",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")


class TicketStore(Protocol):
    """Keeps one text for one task, from one attempt to the next.

    It is called from the event loop, and must not block for long; what ``save`` returns is awaited,
    if it is awaitable.
    """

    def load(self) -> str | None:
        """Return the text that was saved last, by this attempt or an earlier one."""

    def save(self, text: str) -> object:
        """Keep a text instead of what was kept before. What it raises ends the attempt.

        It may be a coroutine function: an awaitable that it returns is awaited before the POST.
        """

    def delete(self) -> None:
        """Keep nothing any more; nothing happens if there is nothing."""


class StoredTicket(BaseModel):
    """What is stored: a ticket, and what it belongs to.

    Attributes:
        ticket: The ticket of the run.
        generation: The generation of the attempt that stored it, see ``Run``.
        account: The fingerprint of the account in which it runs.
        is_prepared: Whether ``Run.prepare`` made it: then it may have been fired since it was
            stored. Else it is stored before each POST, and one without a POST was not sent.
        is_to_be_cancelled: Whether its task was killed, and Hevo could not be asked to cancel the
            Job: the next attempt asks, before it starts another one.
    """

    ticket: TriggerTicket
    generation: int | str | None = None
    account: str = ""
    is_prepared: bool = False
    is_to_be_cancelled: bool = False

    @property
    def is_unposted(self) -> bool:
        """Whether it tells of no POST and of no Job."""
        return self.ticket.post is None and self.ticket.job_id is None

    def is_of_another(self, generation: int | str | None) -> bool:
        """Say whether it is known to be of another generation."""
        return None not in {self.generation, generation} and self.generation != generation

    def may_be_given_up(self, error: HevoError, generation: int | str | None) -> bool:
        """Say whether its run, which cannot be found, is given up for a new one.

        Within a generation only one that certainly began, so long ago that it would be listed: what
        is not listed yet may be listed later, and what may have been sent may have arrived.
        """
        if self.is_unposted:
            return False  # this attempt has posted it
        post = self.ticket.post
        if post is None or self.is_of_another(generation):
            return True
        is_of_now = post.sent_at is None or time.time() - post.sent_at < MAX_START_DELAY
        return not (is_of_now or isinstance(error, TriggerOutcomeUnknown))


def matching(text: str, spec: RunSpec, account: str) -> StoredTicket | None:
    """Read a stored text, if something may have been sent, by the same request."""
    try:
        stored = StoredTicket.model_validate_json(text)
    except ValidationError:
        log.warning("the ticket of an earlier attempt cannot be read, so a new run starts")
        return None
    if stored.account != account:
        log.warning("an earlier attempt ran in another account of Hevo, so a new run starts")
        return None
    if stored.is_unposted and not stored.is_prepared:
        return None
    if any(getattr(stored.ticket, name) != value for name, value in spec.request().items()):
        log.warning("the task was changed since its last attempt, so a new run starts")
        return None
    return stored


def to_be_cancelled(text: str) -> str:
    """Return a stored text as that of a task that was killed while its Job ran on.

    Raises:
        ValueError: when the text is none that a ``Run`` has stored.
    """
    stored = StoredTicket.model_validate_json(text)
    return stored.model_copy(update={"is_to_be_cancelled": True}).model_dump_json()


def spec_of(text: str) -> RunSpec:
    """Return what the run of a stored text was asked for, to cancel it from another process.

    Raises:
        ValueError: when the text is none that a ``Run`` has stored.
    """
    ticket = StoredTicket.model_validate_json(text).ticket
    return RunSpec(
        ticket.pipeline_id,
        action=ticket.action,
        job_type=ticket.job_type,
        drop_and_load=ticket.drop_and_load,
    )
