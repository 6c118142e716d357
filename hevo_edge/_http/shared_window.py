"""One window of calls for several processes, and the file through which those of a machine share.

Hevo counts the calls of a user, whoever makes them, and reports the count to nobody. On one machine
the processes can tell each other: each call is an entry in a small file, by the machine's monotonic
clock, from before it is sent until its slot is free again.
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
from typing import Protocol

from hevo_edge._http.ratelimit import RateLimit
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl

log: logging.Logger = get_logger("hevo_edge.ratelimit")

IN_FLIGHT = 60.0
"""Seconds for which a call counts as in flight where its process did not live to say otherwise."""
LOCK_RECHECK = 0.005
"""Seconds after which a file that another process is writing is tried again."""
RECHECK = 1.0
"""Seconds after which a full window is read again: others may have given back a slot unused."""
_FOLDER = "hevo_edge-"
_PRIVATE = 0o600
_LOCK_ATTEMPTS, _LOCK_PAUSE = 20, 0.001
"""How often, and with which pause in seconds, the lock is tried when a slot is given back."""


class SharedWindow(Protocol):
    """The slots that several processes share: take one, give it back, read which are taken.

    All times are loop times in seconds, which must mean the same in all of the processes.
    """

    @property
    def recheck_in(self) -> float:
        """Seconds after which to try again what ``take`` has just refused."""
        ...

    def take(self, now: float, at_most: int) -> bool:
        """Take a slot if fewer than ``at_most`` are taken; return whether one was taken."""
        ...

    def give_back(self, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        ...

    def expiries(self, now: float) -> list[float]:
        """Return the times at which the slots that are taken come free, sorted."""
        ...


def open_shared_window(limit: RateLimit, account: str) -> SharedWindow | None:
    """Return the window that a limit's processes share; None when they share none.

    Args:
        limit: Its ``shared`` names the window.
        account: Identifies the account.

    Raises:
        ConfigurationError: when the window cannot be used.
    """
    if limit.shared is False:
        return None
    occupied = limit.period + limit.margin
    if limit.shared is True:
        return FileWindow(default_path(account), occupied, private_folder)
    return FileWindow(Path(limit.shared), occupied)


class FileWindow:
    """A SharedWindow in a file.

    The file is opened for each use: a fork, or a cleanup of temporary files, does no harm.

    Args:
        path: The file; it is made if it does not exist.
        occupied: The seconds for which a slot stays taken once its call is over.
        make_folder: Makes the file's folder again after a cleanup; None where the folder is not
            ours to make.

    Raises:
        ConfigurationError: when the file cannot be used.
    """

    def __init__(
        self, path: Path, occupied: float, make_folder: Callable[[], Path] | None = None
    ) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("processes can share a RateLimit on POSIX systems only")
        self.recheck_in: float = RECHECK
        self._path = path
        self._occupied = occupied
        self._longest = occupied + IN_FLIGHT
        self._in_flight: deque[float] = deque()  # the expiries of our calls, oldest first
        self._own: list[float] = []  # those of them, and of our calls that are over
        self._file: int | None = None  # while we hold its lock
        self._has_warned = False
        self._make_folder = make_folder
        try:
            os.close(self._open())
        except OSError as error:
            raise ConfigurationError(
                f"the RateLimit cannot be shared through {path}: {error}"
            ) from error

    def take(self, now: float, at_most: int) -> bool:
        """Take a slot if fewer than ``at_most`` are taken; return whether one was taken."""
        with self._locked() as is_locked:
            self.recheck_in = RECHECK if is_locked else LOCK_RECHECK
            if not is_locked:
                return False
            taken = self.expiries(now)
            if len(taken) >= at_most:
                return False
            expiry = now + self._longest
            self._in_flight.append(expiry)
            self._own = [*(at for at in self._own if at > now), expiry]
            self._write([*taken, expiry])
            return True

    def give_back(self, now: float, *, sent: bool) -> None:
        """Give back the slot of our oldest call; slots are alike.

        It is taken for a period more if the call was ``sent``, else it is free.
        """
        if not self._in_flight:
            return
        old, new = self._in_flight.popleft(), now + self._occupied if sent else None
        self._own = _moved(self._own, old, new)
        for _ in range(_LOCK_ATTEMPTS):
            with self._locked() as is_locked:
                if is_locked:
                    self._write(_moved(self.expiries(now), old, new))
                    return
            time.sleep(_LOCK_PAUSE)
        # A process was stopped while writing. The slot stays taken for longer, which does no harm.

    def expiries(self, now: float) -> list[float]:
        """Return the times at which the slots that are taken come free, sorted."""
        times = array("d")
        try:
            file = self._open() if self._file is None else self._file
            try:
                times.frombytes(_complete(os.pread(file, 1 << 20, 0)))
            finally:
                if self._file is None:
                    os.close(file)
        except OSError as error:
            # Without the file, at least this process's own calls count.
            self._warn_once(error)
            times.extend(self._own)
        # A time far ahead was written before the machine was restarted. One a little ahead is of a
        # process that read the clock a moment later.
        return sorted(at for at in times if now < at <= now + 2 * self._longest)

    @contextmanager
    def _locked(self) -> Generator[bool, None, None]:
        """Lock the file; gives False where another process has locked it."""
        try:
            self._file = self._open()
        except OSError as error:
            # Better a call too many than none at all.
            self._warn_once(error)
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

    def _write(self, times: list[float]) -> None:
        if self._file is None:
            return
        content = array("d", times).tobytes()
        try:
            os.pwrite(self._file, content, 0)
            os.ftruncate(self._file, len(content))
        except OSError as error:
            self._warn_once(error)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        try:
            return os.open(self._path, flags, _PRIVATE)
        except FileNotFoundError:
            if self._make_folder is None:
                raise
            self._make_folder()
            return os.open(self._path, flags, _PRIVATE)

    def _warn_once(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("the call budget is not shared with other processes any more: %s", error)


def _moved(times: list[float], old: float, new: float | None) -> list[float]:
    """Return the times with one replaced, or without it."""
    left = list(times)
    with suppress(ValueError):  # expired, or removed by a cleanup
        left.remove(old)
    return left if new is None else [*left, new]


def private_folder() -> Path:
    """Make this user's folder for such files, if it does not exist, and return it.

    Raises:
        OSError: when it cannot be made, or belongs to another user.
    """
    # Not the user's home: monotonic times are valid until the machine is restarted.
    folder = Path(tempfile.gettempdir()) / f"{_FOLDER}{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{folder} is not this user's")
    return folder


def default_path(account: str) -> Path:
    """Return the file that the processes of this user share for an account of Hevo.

    Args:
        account: Identifies the account; it may contain secrets, and only its hash is used.

    Raises:
        ConfigurationError: when the folder cannot be made, or belongs to another user.
    """
    try:
        folder = private_folder()
    except OSError as error:
        raise ConfigurationError(f"the RateLimit cannot be shared: {error}") from error
    return folder / f"{hashlib.sha256(account.encode()).hexdigest()[:24]}.calls"


def _complete(content: bytes) -> bytes:
    """Return the complete entries of a file that may have been cut off."""
    size = array("d").itemsize
    return content[: len(content) // size * size]
