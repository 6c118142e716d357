"""A ticket store for an engine that keeps the text itself."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TicketText"]


class TicketText:
    """A ``TicketStore`` that holds the text: what one step of a durable engine hands to the next.

    Args:
        text: What was stored before, if anything was.
        on_save: Called with each text, before anything is sent; an awaitable that it returns is
            awaited.

    Attributes:
        text: What is stored now; None when there is nothing.
    """

    def __init__(
        self, text: str | None = None, on_save: Callable[[str], object] | None = None
    ) -> None:
        self.text: str | None = text
        self._on_save = on_save

    def load(self) -> str | None:
        """Return the text."""
        return self.text

    def save(self, text: str) -> object:
        """Hold a text instead, and pass it on."""
        self.text = text
        return None if self._on_save is None else self._on_save(text)

    def delete(self) -> None:
        """Hold nothing any more; what was passed on stays where it is."""
        self.text = None
