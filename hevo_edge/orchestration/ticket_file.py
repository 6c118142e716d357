"""A ticket store that is a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hevo_edge.errors import ConfigurationError

__all__ = ["TicketFile"]

_MAX_BYTES = 4 << 20


class TicketFile:
    """A ``TicketStore`` for one task: a file that only its user can read; none before ``save``.

    A crash leaves what was saved last, or what was saved before, and never half of one.

    Args:
        path: The file; its folder is made with it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)

    def load(self) -> str | None:
        """Return the text that was saved last; None when there is none.

        Raises:
            ConfigurationError: when there is one that cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error  # which does not name the path again
            raise ConfigurationError(f"the ticket {self.path} cannot be read: {reason}") from None

    def save(self, text: str) -> None:
        """Keep a text, whole or not at all, for this user alone.

        Raises:
            OSError: when that is not possible.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            # Exclusively, so that nothing which another has put there is written to.
            with suppress(FileNotFoundError):
                draft.unlink()
            number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                self._opened(number)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise

    def _opened(self, number: int) -> None:
        """Take the descriptor of a version that is about to be written; for who locks it."""

    def delete(self) -> None:
        """Keep nothing any more. Nothing happens if there is nothing, or it cannot be removed."""
        with suppress(OSError):
            self.path.unlink()
