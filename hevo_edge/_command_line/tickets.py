"""Tickets in private files: what a trigger may have started is known after a crash, too."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from hevo_edge import TriggerTicket, orchestration
from hevo_edge._command_line.profiles import base_folder
from hevo_edge.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl

MAX_SHOWN = 3
"""How many of a Pipeline's tickets are looked at, the newest."""


def tickets_folder() -> Path:
    """Return the path of the folder of tickets."""
    return base_folder("XDG_STATE_HOME", os.path.join(".local", "state")) / "tickets"  # noqa: PTH118


class TicketFile(orchestration.TicketFile):
    """A file that holds one ticket; there is none before the first ``save``.

    Args:
        path: Its path.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._held: int | None = None

    @classmethod
    def of(cls, pipeline_id: int, ticket_id: str) -> TicketFile:
        """Return the file of a new ticket."""
        return cls(tickets_folder() / f"{pipeline_id}-{ticket_id}.json")

    @property
    def is_ours(self) -> bool:
        """Whether it lies in the folder of tickets, so that it is ours to remove."""
        return self.path.resolve().parent == tickets_folder().resolve()

    def save(self, text: str) -> None:
        """Keep a text, whole or not at all, for this user alone; the folder is this user's too.

        Raises:
            OSError: when that is not possible.
        """
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        super().save(text)

    def read(self) -> str:
        """Return the text.

        Raises:
            ConfigurationError: when there is none, or it cannot be read.
        """
        text = self.load()
        if text is None:
            raise ConfigurationError(
                f"the ticket {self.path} cannot be read: no such file or directory"
            )
        return text

    def delete(self) -> None:
        """Keep nothing any more. Nothing happens if there is nothing, or it cannot be removed."""
        super().delete()
        self.release()

    # -- who works with it -------------------------------------------------------------------------

    @property
    def is_in_use(self) -> bool:
        """Whether a process that lives has written it; False where that cannot be told."""
        if sys.platform != "win32":
            with suppress(OSError), self.path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
        return False

    def release(self) -> None:
        """Work with it no longer; it may stay."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _opened(self, number: int) -> None:
        """Hold a new version by a lock, which ends with the process however that ends."""
        held = os.dup(number)
        if sys.platform != "win32":
            with suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.release()
        self._held = held


def left_behind(pipeline_id: int, account: str) -> list[TicketFile]:
    """Return tickets of a Pipeline that no process works with any more, the newest first.

    Args:
        pipeline_id: The Pipeline.
        account: The account's fingerprint; tickets of another one are left out.
    """
    try:
        paths = sorted(
            tickets_folder().glob(f"{pipeline_id}-*.json"),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
    except OSError:
        return []  # one of them has gone meanwhile
    found = []
    for file in map(TicketFile, paths[:MAX_SHOWN]):
        with suppress(ConfigurationError):
            ticket = TriggerTicket.loads(file.read())
            if ticket.account in {None, account} and not file.is_in_use:
                found.append(file)
    return found
