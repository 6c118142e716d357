"""Writing to streams that may be missing, closed or broken, or of any encoding."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

NOBODY_READS = frozenset(
    {errno.EPIPE, errno.ESHUTDOWN, errno.EBADF, errno.EINVAL, errno.ECONNRESET}
)
"""Errors that mean that who read has gone, which is no failure: ``hevo-edge jobs 123 | head``."""


def write(stream: TextIO | None, text: str) -> bool:
    """Write a text, and say whether somebody may have got it."""
    try:
        return write_or_raise(stream, text)
    except OSError:
        return False


def write_or_raise(stream: TextIO | None, text: str) -> bool:
    """Write a text, and say whether somebody reads.

    Raises:
        OSError: when it cannot be written though somebody does: the disk is full.
    """
    if stream is None:
        return False
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (ValueError, LookupError):
        return False
    except OSError as error:
        if error.errno in NOBODY_READS:
            return False
        raise
    return True


def finish() -> None:
    """Flush stdout and stderr; let Python's own flush at its end find nothing to complain about."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Let what is left in a broken stream's buffer go nowhere."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
