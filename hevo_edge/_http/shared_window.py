"""The calls of several processes, in a file that they share: one window for all of them.

Hevo counts the calls of a user, whoever makes them, and tells nobody. On one machine the processes
can tell each other: each call is a line in a small file, by the machine's monotonic clock, from
before it is sent until its slot is free again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from hevo_edge.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl

log: logging.Logger = logging.getLogger("hevo_edge.ratelimit")

IN_FLIGHT = 60.0
"""Seconds for which a call counts as in flight where its process did not live to say otherwise."""
_FOLDER = "hevo_edge-"
BUSY = 0.005
"""Seconds after which a file that another process is writing is tried again."""
_PRIVATE = 0o600
_ATTEMPTS, _PAUSE = 20, 0.001
"""How often, and with which pause in seconds, a lock is asked for when a slot is given back."""


class Ledger:
    """The slots that are taken, in a file.

    It is opened for each use: a fork, or somebody who tidies up, does no harm.

    Args:
        path: The file; it is made if it is not there.
        occupied: The longest time, in seconds, for which a slot is taken once its call is over.
        make_folder: Makes the file's folder anew, should somebody tidy it up; None where that is
            not ours to make.

    Raises:
        ConfigurationError: when the file cannot be used.
    """

    def __init__(
        self, path: Path, occupied: float, make_folder: Callable[[], Path] | None = None
    ) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("processes can share a RateLimit on POSIX systems only")
        self.path = path
        self._longest = occupied + IN_FLIGHT
        self._occupied = occupied
        self._mine: deque[float] = deque()
        self._own: list[float] = []
        self._file: int | None = None
        self._complained = False
        self._make_folder = make_folder
        try:
            os.close(self._open())
        except OSError as error:
            raise ConfigurationError(
                f"the RateLimit cannot be shared through {path}: {error}"
            ) from error

    @contextmanager
    def locked(self) -> Generator[bool, None, None]:
        """Keep other processes out; gives False where another one is in just now."""
        try:
            self._file = self._open()
        except OSError as error:
            # Better a call too many than none at all.
            self._complain(error)
            yield True
            return
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(self._file)
            self._file = None

    def taken(self, now: float) -> list[float]:
        """Return the loop times (seconds) at which the slots that are taken come free, sorted."""
        times = array("d")
        try:
            file = self._open() if self._file is None else self._file
            try:
                times.frombytes(_whole(os.pread(file, 1 << 20, 0)))
            finally:
                if self._file is None:
                    os.close(file)
        except OSError as error:
            # Without the file, at least this process's own calls count.
            self._complain(error)
            times.extend(self._own)
        # A time far ahead was written before the machine was started anew. One a little ahead is
        # of a process that read the clock a moment later.
        return sorted(at for at in times if now < at <= now + 2 * self._longest)

    def take(self, now: float) -> None:
        """Note a call that is about to be sent. Only while ``locked``."""
        until = now + self._longest
        self._mine.append(until)
        self._own = [*(at for at in self._own if at > now), until]
        self._write([*self.taken(now), until])

    def give_back(self, now: float, *, sent: bool) -> None:
        """Note that a call is over: its slot is taken for a period more, or free."""
        if not self._mine:
            return
        until, over = self._mine.popleft(), now + self._occupied
        self._own = _moved(self._own, until, over if sent else None)
        for _ in range(_ATTEMPTS):
            with self.locked() as is_alone:
                if is_alone:
                    self._write(_moved(self.taken(now), until, over if sent else None))
                    return
            time.sleep(_PAUSE)
        # Somebody was stopped while writing. The slot stays taken for longer, which does no harm.

    def _write(self, times: list[float]) -> None:
        if self._file is None:
            return
        content = array("d", times).tobytes()
        try:
            os.pwrite(self._file, content, 0)
            os.ftruncate(self._file, len(content))
        except OSError as error:
            self._complain(error)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        try:
            return os.open(self.path, flags, _PRIVATE)
        except FileNotFoundError:
            if self._make_folder is None:
                raise
            self._make_folder()
            return os.open(self.path, flags, _PRIVATE)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            log.warning("the call budget is not shared with other processes any more: %s", error)


def _moved(times: list[float], until: float, over: float | None) -> list[float]:
    """Return the times with one replaced, or without it."""
    left = list(times)
    with suppress(ValueError):  # expired, or tidied up
        left.remove(until)
    return left if over is None else [*left, over]


def private_folder() -> Path:
    """Make this user's folder for such files, if it is not there, and return it.

    Raises:
        OSError: when it cannot be made, or is somebody else's.
    """
    # Not the user's home: what the clock says holds until the machine is started anew.
    folder = Path(tempfile.gettempdir()) / f"{_FOLDER}{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{folder} is not this user's")
    return folder


def default_path(account: str) -> Path:
    """Return the file that the processes of this user share for an account of Hevo.

    Args:
        account: What tells accounts apart; it may hold secrets, and only its hash is used.

    Raises:
        ConfigurationError: when the folder cannot be made, or is somebody else's.
    """
    try:
        folder = private_folder()
    except OSError as error:
        raise ConfigurationError(f"the RateLimit cannot be shared: {error}") from error
    return folder / f"{hashlib.sha256(account.encode()).hexdigest()[:24]}.calls"


def _whole(content: bytes) -> bytes:
    """Return the whole numbers of what may have been cut off."""
    size = array("d").itemsize
    return content[: len(content) // size * size]
