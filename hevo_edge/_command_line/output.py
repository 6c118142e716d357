"""What is written where: stdout has the result and nothing else, stderr everything else."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from hevo_edge._command_line.parser import PROG
from hevo_edge._command_line.streams import write, write_or_raise
from hevo_edge._text.printable import printable
from hevo_edge._text.tables import Column, table

STDERR = 2


class Console:
    """Both streams, which may be missing, closed, of any encoding, or nobody reads them.

    Args:
        as_json: Whether the result is JSON, an object a line.
        is_quiet: Whether to leave out notes.

    Attributes:
        is_read: Whether anybody still reads stdout.
        is_lost: Whether a result could not be written, as on a full disk.
        tells_trouble: Whether to tell of failures that pass; before a Job is waited for, the error
            that ends the command says it all.
    """

    def __init__(self, *, as_json: bool = False, is_quiet: bool = False) -> None:
        self.as_json = as_json
        self.is_quiet = is_quiet
        self.tells_trouble = False
        self.is_read = sys.stdout is not None
        self.is_lost = False
        self._out: TextIO | None = sys.stdout
        self._err: TextIO | None = sys.stderr

    # -- the result -------------------------------------------------------------------------------

    def result(self, row: Mapping[str, Any], text: str) -> None:
        """Write one result: an object as JSON, or its text, which is printable."""
        self._write_out(_json(row) if self.as_json else printable(text))

    def results(
        self,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[Column],
        texts: Sequence[Sequence[str]],
    ) -> None:
        """Write many: an object a line as JSON, or a table of their texts."""
        if self.as_json:
            lines = [_json(row) for row in rows]
        else:
            shown = [[printable(text) for text in each] for each in texts]
            lines = table(columns, shown, self.width)
        for line in lines:
            self._write_out(line)

    def text(self, text: str) -> None:
        """Write lines that are our own."""
        self._write_out(text)

    @property
    def width(self) -> int | None:
        """The width of the terminal, in cells; None where stdout is none, nor COLUMNS says one."""
        if not self.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
            return None
        return shutil.get_terminal_size().columns

    @property
    def is_terminal(self) -> bool:
        """Whether stdout is a terminal."""
        try:
            return self._out is not None and self._out.isatty()
        except ValueError:
            return False

    def clear(self) -> None:
        """Clear the terminal, if stdout is one that can be cleared."""
        can_be_cleared = (os.environ.get("TERM") or "dumb") != "dumb"
        if self.is_terminal and can_be_cleared and not self.as_json:
            self._write_out("\x1b[H\x1b[2J", end="")

    # -- everything else --------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Say how it goes, unless that is not wanted."""
        if not self.is_quiet:
            self._write_err(printable(text))

    def say(self, text: str) -> None:
        """Say in one line what must be known."""
        self._write_err(f"{PROG}: {printable(text)}")

    def traceback(self, error: BaseException) -> None:
        """Show where an error came from."""
        from traceback import format_exception  # noqa: PLC0415 -- for --debug only

        self._write_err("".join(format_exception(error)).rstrip())

    # -- inside -----------------------------------------------------------------------------------

    def _write_out(self, text: str, end: str = "\n") -> None:
        if not self.is_read:
            return
        try:
            self.is_read = write_or_raise(self._out, text + end)
        except OSError as error:
            self.is_read, self.is_lost = False, True
            self.say(f"the result cannot be written: {error.strerror or error}")

    def _write_err(self, text: str) -> None:
        write(self._err, f"{text}\n")


def _json(row: Mapping[str, Any]) -> str:
    # In ASCII, so that no name can reach a terminal as anything but its escapes.
    return json.dumps(row, ensure_ascii=True, default=str, allow_nan=False)
