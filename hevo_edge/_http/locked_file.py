"""A small file that processes read and write in turn, opened so that nobody else's is used."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_ACCESS_FOLDER = getattr(os, "O_PATH", os.O_RDONLY)  # a folder that may be searched is enough
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_BYTES = 16 << 20

_open_files: set[int] = set()
_gates: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""By path: held by the thread that uses the file, so that the others know it is one of theirs."""


def _close_in_child() -> None:
    """Close what another thread had open at a fork: the child would keep its lock for life."""
    _gates.clear()
    while _open_files:
        with suppress(OSError):
            os.close(_open_files.pop())


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_in_child)


class UsedByThread(BlockingIOError):
    """A thread of this process uses the file: it is at work, if the interpreter lets it."""


class LockedFile:
    """A file that is opened, checked, and locked, for each use.

    So neither a fork nor a cleanup of temporary files does harm.

    Args:
        path: The file. It is made, for this user alone, if it does not exist.
        is_private: It is in a folder that is made too, and both must be this user's alone. Else
            the file's permissions say who may use it; but in a folder that everybody may write, it
            must be this user's.
    """

    def __init__(self, path: Path, *, is_private: bool) -> None:
        self._path = path
        self._is_private = is_private

    @contextmanager
    def locked(self) -> Generator[int, None, None]:
        """Open and lock the file, and give its descriptor.

        Raises:
            UsedByThread: when another thread of this process uses it; nothing is waited for.
            BlockingIOError: when another process has locked it; nothing is waited for.
            OSError: when it cannot be used.
        """
        gate = _gates[str(self._path)]
        if not gate.acquire(blocking=False):
            raise UsedByThread
        try:
            file = self._open()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(file)  # who waits can see that others come and go
                yield file
            finally:
                _close(file, unlock=True)
        finally:
            gate.release()

    def last_locked(self) -> int:
        """Return when somebody has locked it last, in nanoseconds of the file system's clock.

        Raises:
            OSError: when it cannot be used.
        """
        return self._path.stat().st_mtime_ns

    def peek(self) -> bytes:
        """Return the content without locking: it may be half of an old and half of a new one.

        Raises:
            OSError: when it cannot be used.
        """
        file = self._open()
        try:
            return read(file)
        finally:
            _close(file)

    def _open(self) -> int:
        folder = self._open_folder()
        try:
            # Without O_NONBLOCK, a pipe in its place would block us.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(self._path.name, flags, 0o600, dir_fd=folder)
            _open_files.add(file)
            try:
                self._check(os.fstat(file), os.fstat(folder))
            except BaseException:
                _close(file)
                raise
        finally:
            os.close(folder)
        return file

    def _open_folder(self) -> int:
        path = self._path.parent
        if not self._is_private:
            return os.open(path, _ACCESS_FOLDER | os.O_DIRECTORY)
        flags = _ACCESS_FOLDER | os.O_DIRECTORY | os.O_NOFOLLOW
        try:
            folder = os.open(path, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
            folder = os.open(path, flags)
        except NotADirectoryError:  # a link too, if it is not followed
            raise PermissionError(errno.EPERM, "not this user's folder", str(path)) from None
        if not _is_ours_alone(os.fstat(folder)):
            os.close(folder)
            raise PermissionError(errno.EPERM, "not this user's folder alone", str(path))
        return folder

    def _check(self, file: os.stat_result, folder: os.stat_result) -> None:
        if not stat.S_ISREG(file.st_mode) or file.st_nlink > 1:
            raise PermissionError(errno.EPERM, "not a plain file", str(self._path))
        is_anybodys = folder.st_mode & stat.S_IWOTH and file.st_uid != os.geteuid()
        if is_anybodys or (self._is_private and not _is_ours_alone(file)):
            raise PermissionError(errno.EPERM, "not this user's file", str(self._path))


def read(file: int) -> bytes:
    """Return the content of an open file."""
    return os.pread(file, _MAX_BYTES, 0)


def write(file: int, content: bytes) -> None:
    """Write over the beginning of an open file, by one call of the system.

    Raises:
        OSError: when not all of it could be written.
    """
    if os.pwrite(file, content, 0) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _close(file: int, *, unlock: bool = False) -> None:
    if file not in _open_files:
        return  # in a child that was forked in between: it is closed, and the lock is the parent's
    if unlock:
        # Not by closing alone: a child that was forked meanwhile may hold the same open file.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
    _open_files.discard(file)
    os.close(file)


def _is_ours_alone(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE
