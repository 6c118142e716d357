"""Tickets in private files: what a trigger may have started is known after a crash, too."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hevo_edge._command_line.profiles import base_folder
from hevo_edge.errors import ConfigurationError

_MAX_BYTES = 4 << 20


def tickets_folder() -> Path:
    """Return the path of the folder of tickets."""
    return base_folder("XDG_STATE_HOME", os.path.join(".local", "state")) / "tickets"  # noqa: PTH118


class TicketFile:
    """A file that holds one ticket; there is none before the first ``write``.

    Args:
        path: Its path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, pipeline_id: int, ticket_id: str) -> TicketFile:
        """Return the file of a new ticket."""
        return cls(tickets_folder() / f"{pipeline_id}-{ticket_id}.json")

    @property
    def is_ours(self) -> bool:
        """Whether it lies in the folder of tickets, so that it is ours to remove."""
        return self.path.resolve().parent == tickets_folder().resolve()

    def write(self, text: str) -> None:
        """Keep a text, whole or not at all, for this user alone.

        Raises:
            OSError: when that is not possible.
        """
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        draft = self.path.with_suffix(f".{os.getpid()}.new")
        try:
            # Exclusively, so that nothing which another has put there is written to.
            with suppress(FileNotFoundError):
                draft.unlink()
            number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise

    def read(self) -> str:
        """Return the text.

        Raises:
            ConfigurationError: when it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the ticket {self.path} cannot be read: {error}") from None

    def delete(self) -> None:
        """Keep nothing any more. Nothing happens if there is nothing, or it cannot be removed."""
        with suppress(OSError):
            self.path.unlink()
