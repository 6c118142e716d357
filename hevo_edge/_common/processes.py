"""Which process this is, and whether another one still lives: for what processes leave behind."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Fields of /proc/PID/stat, counted from behind the name (which may contain anything)."""
_ENDED = frozenset("ZXx")
_UNKNOWN = 0


@dataclass(frozen=True)
class Process:
    """A process of this machine, told apart from a later one that is given the same pid.

    Args:
        pid: Its id, in its own namespace.
        started: Clock ticks from the machine's start to its own; 0 if unknown.
        namespace: Identifies the machine's start and the namespace in which ``pid`` is valid; 0
            where that cannot be told, as on other systems than Linux.
    """

    pid: int
    started: int
    namespace: int

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        pid = os.getpid()
        namespace = _namespace(pid)
        found = _stat(pid) if namespace else None
        return cls(pid, 0 if found is None else found[1], namespace)

    @property
    def name(self) -> str:
        """What it is called, on this machine or in another container of it."""
        return f"{_host()}/{self.pid}"

    def has_ended(self, witness: Process) -> bool:
        """Return whether the process has surely ended, as far as ``witness`` (this process) knows.

        What cannot be known is False: of another container, of another system than Linux.
        """
        if self.namespace == _UNKNOWN or self.namespace != witness.namespace:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            pass
        found = _stat(self.pid)
        if found is None:  # hidden from us, or it has ended in this moment
            return False
        state, started = found
        return state in _ENDED or started != self.started


def _stat(pid: int) -> tuple[str, int] | None:
    """Return the state and the start of a process; None if they cannot be read."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return fields[_STATE], int(fields[_STARTED])
    except (OSError, ValueError, IndexError):
        return None


def _namespace(pid: int) -> int:
    try:
        if (_PROC / "self").readlink() != Path(str(pid)):
            return _UNKNOWN  # /proc is of another namespace than we are
        names = (
            (_PROC / "sys/kernel/random/boot_id").read_text("utf-8"),
            str((_PROC / "self/ns/pid").stat().st_ino),
        )
    except OSError:
        return _UNKNOWN
    digest = hashlib.blake2b("/".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def owner_name() -> str:
    """Return what this process is called where others see what it holds: machine and pid."""
    return f"{_host()}/{os.getpid()}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:64]
