"""What is stored of a task's run between its attempts, and where."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel

from hevo_edge.triggering import TriggerTicket

__all__ = [
    "TicketStore",
    "to_be_cancelled",
]


class TicketStore(Protocol):
    """Keeps one text for one task, from one attempt to the next.

    It is called from the event loop, and must not block for long.
    """

    def load(self) -> str | None:
        """Return the text that was saved last, by this attempt or an earlier one."""

    def save(self, text: str) -> None:
        """Keep a text instead of what was kept before. What it raises ends the attempt."""

    def delete(self) -> None:
        """Keep nothing any more; nothing happens if there is nothing."""


class StoredTicket(BaseModel):
    """What is stored: a ticket, and what it belongs to.

    Attributes:
        ticket: The ticket of the run.
        generation: The generation of the attempt that stored it, see ``Run``.
        account: The fingerprint of the account in which it runs.
        is_to_be_cancelled: Whether its task was killed, and Hevo could not be asked to cancel the
            Job: the next attempt asks, before it starts another one.
    """

    ticket: TriggerTicket
    generation: int | str | None = None
    account: str = ""
    is_to_be_cancelled: bool = False


def to_be_cancelled(text: str) -> str:
    """Return a stored text as that of a task that was killed while its Job ran on.

    Raises:
        ValueError: when the text is none that a ``Run`` has stored.
    """
    stored = StoredTicket.model_validate_json(text)
    return stored.model_copy(update={"is_to_be_cancelled": True}).model_dump_json()
