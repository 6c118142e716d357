"""The window that the processes of one machine share, through a file; and which a limit opens.

Hevo counts the calls of a user, whoever makes them, and reports the count to nobody. On one machine
the processes can tell each other: each writes its calls into a small file, by the machine's
monotonic clock.

A process's memory is the truth about its own calls, the file about those of the others. So nothing
is lost when the file cannot be used for a while: the process keeps to its own window, counts what
it has last read of the others, and writes all of its calls again when it can.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from hevo_edge._common.contexts import without_context
from hevo_edge._common.processes import Process, owner_name
from hevo_edge._http import window_table
from hevo_edge._http.locked_file import LockedFile, UsedByThread, read, write
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.redis_url import url_in
from hevo_edge._http.window import Holder, LocalWindow, SharedWindow, Slot, WindowState
from hevo_edge._http.window_table import Calls, Table
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import ConfigurationError

T = TypeVar("T")
log: logging.Logger = get_logger("hevo_edge.ratelimit")

IN_FLIGHT = 60.0
"""Seconds for which a call counts as in flight after its process was last heard of, where nobody
can tell whether that lives: in another container."""
RECHECK = 1.0
"""Seconds after which a full window is read again: others may have given back a slot unused."""
PATIENCE = 2.0
"""Seconds for which a lock is waited for that nobody else gets either; then who holds it hangs."""
THREAD_PATIENCE = 10.0
"""The same where a thread of this process holds it, that may wait long for the interpreter; but one
that a signal handler has interrupted goes on only when that has ended."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
"""Seconds between two tries of the lock: the first pause, and the longest."""
_FOLDER = "hevo_edge-"
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE})
"""Errors that pass without another configuration: a client can be made in spite of them."""


def open_window(limit: RateLimit, account: str) -> SharedWindow:
    """Return the window of a limit: the one that its processes share, else one of its own.

    Args:
        limit: Its ``shared`` names the window.
        account: Identifies the account, without secrets.

    Raises:
        ConfigurationError: when a shared window cannot be used.
    """
    occupied = limit.period + limit.margin
    if limit.shared is False:
        return LocalWindow(occupied)
    url = url_in(limit.shared)
    if url is not None:
        from hevo_edge._http.redis_window import RedisWindow  # noqa: PLC0415 -- loaded when used

        name = limit.shared_name or f"hevo_edge:{account}"
        return RedisWindow(url, name, occupied, limit.fallback_share)
    if limit.shared is True:
        return FileWindow(default_path(account), occupied, is_private=True)
    return FileWindow(Path(limit.shared), occupied)


class FileWindow:
    """A SharedWindow in a file.

    Args:
        path: The file; it is made if it does not exist.
        occupied: Seconds for which a slot stays taken once its call is over.
        is_private: The file and its folder are this user's alone, and are made by us.

    Raises:
        ConfigurationError: when the file cannot be used.
    """

    def __init__(self, path: Path, occupied: float, *, is_private: bool = False) -> None:
        if sys.platform == "win32":
            raise ConfigurationError("processes can share a RateLimit on POSIX systems only")
        self.recheck_in: float | None = RECHECK
        self._path = path
        self._file = LockedFile(path, is_private=is_private)
        self._is_private = is_private
        self._occupied = occupied
        self._longest = occupied + IN_FLIGHT
        self._own = LocalWindow(occupied)
        self._is_written = True  # as our calls are now
        self._others = Table()  # as last read
        self._is_apart = False
        self._buried_at = float("-inf")
        self._waiting_since = self._waited_at = float("-inf")  # for the lock
        self._locked_at = 0  # by anybody, as last seen
        self._pause = _FIRST_PAUSE
        self._me, self._token = Process.current(), _new_token()
        self._try_file()

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def is_alone(self) -> bool:
        """Whether the file cannot be used now."""
        return self._is_apart

    async def take(
        self, now: float, at_most: int, priority: Priority = Priority.LIST, wanted: int = 0
    ) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held."""
        self._notice_fork(now)
        try:
            return self._with_file(now, lambda: self._take_beside_others(now, at_most, priority))
        except BlockingIOError as error:
            patience = THREAD_PATIENCE if isinstance(error, UsedByThread) else PATIENCE
            if self._may_wait(now, patience):
                return None
            self._lose(f"its lock was held for {patience:g} s")
            return self._take_beside_others(now, at_most, priority)

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        self._notice_fork(now)
        self._own.give_back(slot, now, sent=sent)
        self._write_soon(now)

    def hold(self, now: float, until: float, share: float = 1.0) -> None:
        """Let nobody take a slot before ``until``."""
        known = self.state(now)
        if now < known.held_until:  # theirs is ours from now on, and what both say counts
            until, share = max(until, known.held_until), min(share, known.share)
        self._own.hold(now, until, share)
        self._write_soon(now)

    def state(self, now: float) -> WindowState:
        """Return what is known."""
        self._notice_fork(now)
        with suppress(OSError):  # then what was read last counts
            self._read_others(self._file.peek(), now)
        own = self._own.state(now)
        self._prune(now)
        frees = [at for each in self._others.calls for at in each.over]
        if own.next_free is not None:
            frees.append(own.next_free)
        return WindowState(
            own.taken + sum(each.taken for each in self._others.calls),
            min(frees, default=None),
            *self._held(own),
        )

    async def holders(self, now: float) -> list[Holder]:
        """Return who holds slots; only of this process it is known for which calls."""
        self.state(now)
        own = Holder(owner_name(), self._own.by_priority(now))
        others = (Holder(each.owner.name, {None: each.taken}) for each in self._others.calls)
        return [each for each in (own, *others) if any(each.taken.values())]

    async def close(self) -> None:
        """Do nothing: the file is opened for each use."""

    # -- the file ---------------------------------------------------------------------------------

    def _try_file(self) -> None:
        """Find out whether the file can be used at all.

        Raises:
            ConfigurationError: when it cannot, for a reason that does not pass by itself.
        """
        try:
            with suppress(BlockingIOError), self._file.locked() as file:
                self._read_others(read(file), float("-inf"))
        except OSError as error:
            if error.errno not in _PASSING:
                reason = f"the RateLimit cannot be shared through {self._path}: {error}"
                raise ConfigurationError(reason) from error
            self._lose(error)

    def _with_file(self, now: float, change: Callable[[], T]) -> T:
        """Read the others' calls, change ours, and write them. Without the file, change ours.

        Raises:
            BlockingIOError: when another process has locked the file; nothing was changed.
        """
        changed: list[T] = []
        try:
            with self._file.locked() as file:
                self.recheck_in, self._pause, self._waited_at = RECHECK, _FIRST_PAUSE, float("-inf")
                self._read_others(read(file), now)
                self._bury_the_dead(now)
                self._prune(now)
                changed.append(change())
                if not self._is_written:
                    write(file, self._dump(now))
                    self._is_written = True
        except BlockingIOError:
            raise
        except OSError as error:
            self._lose(error)
        else:
            self._regain()
        return changed[0] if changed else change()

    def _read_others(self, content: bytes, now: float) -> None:
        """Take in what the others have written; what cannot be read leaves all as it was.

        Raises:
            OSError: when the file is somebody's, of something else.
        """
        if not self._is_private and window_table.is_alien(content):
            raise FileExistsError(errno.EEXIST, "it holds something else", str(self._path))
        table = window_table.load(content)
        ours = [] if table is None else [each for each in table.calls if each.token == self._token]
        if table is None:
            # New, or cut off by a kill: each process writes its own calls again.
            self._is_written = False
            return
        if not ours and self._own.taken(now):
            self._is_written = False  # the file was removed, and made anew by another process
        table.calls = [each for each in table.calls if each.token != self._token]
        self._others = table

    def _dump(self, now: float) -> bytes:
        own = Calls(self._token, self._me, self._own.in_flight, now + self._longest)
        own.over = self._own.over(now)
        every = [each for each in (own, *self._others.calls) if each.taken]
        return window_table.dump(*self._held(self._own.state(now)), every)

    def _held(self, own: WindowState) -> tuple[float, float]:
        """Return until when all are held, and the share as of then: what the later 429 says."""
        others = (self._others.held_until, self._others.share)
        return max(others, (own.held_until, own.share), key=lambda held: (held[0], -held[1]))

    def _write_soon(self, now: float, *, pauses: int = 0) -> None:
        """Write our calls; when another process has locked the file, a little later."""
        self._is_written = False
        try:
            self._with_file(now, lambda: None)
        except BlockingIOError:
            pause = _FIRST_PAUSE * 2**pauses
            if pause > PATIENCE:
                return  # the lease ends it, or our next call
            with suppress(RuntimeError):  # no loop runs
                loop = asyncio.get_running_loop()
                without_context(loop.call_later, pause, self._write_again, loop, pauses + 1)

    def _write_again(self, loop: asyncio.AbstractEventLoop, pauses: int) -> None:
        if not self._is_written:
            self._write_soon(loop.time(), pauses=pauses)

    def _may_wait(self, now: float, patience: float) -> bool:
        """Say whether to try the lock again, and set when: not while it is always the same use."""
        locked_at = self._locked_at
        with suppress(OSError):
            locked_at = self._file.last_locked()
        is_new_wait = now > self._waited_at + RECHECK and not self._is_apart
        if is_new_wait or locked_at != self._locked_at:
            self._waiting_since = now
        self._locked_at, self._waited_at = locked_at, now
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self.recheck_in = self._pause * (0.5 + random.random())  # noqa: S311 -- jitter
        return now < self._waiting_since + patience

    # -- whose calls count ------------------------------------------------------------------------

    def _take_beside_others(self, now: float, at_most: int, priority: Priority) -> Slot | None:
        self._prune(now)
        if now < self._others.held_until:
            return None
        others = sum(each.taken for each in self._others.calls)
        slot = self._own.take_now(now, at_most - others, priority)
        if slot is not None:
            self._is_written = False
        return slot

    def _prune(self, now: float) -> None:
        # A time far ahead is from before a restart of the machine. One a little ahead is of a
        # process that read the clock a moment later.
        latest = now + 2 * self._longest
        for each in self._others.calls:
            each.prune(now, latest)
        if self._others.held_until > latest:
            self._others.held_until, self._others.share = float("-inf"), 1.0

    def _bury_the_dead(self, now: float) -> None:
        """Count the calls of processes that have ended as over, as of now; look once a second."""
        if now < self._buried_at + RECHECK:
            return
        self._buried_at = now
        for each in self._others.calls:
            if each.in_flight and each.owner.has_ended(self._me):
                each.bury(now + self._occupied)
                self._is_written = False

    def _notice_fork(self, now: float) -> None:
        """In a forked child, take the parent's calls for what they are: another process's."""
        if self._me.pid == os.getpid():
            return
        parents = Calls(self._token, self._me, self._own.in_flight, now + self._longest)
        parents.over = list(self._own.over(now))
        self._others.calls.append(parents)
        self._me, self._token = Process.current(), _new_token()
        self._own = LocalWindow(self._occupied)

    # -- with the others, or apart ----------------------------------------------------------------

    def _lose(self, reason: object) -> None:
        self._is_written, self.recheck_in = False, RECHECK
        if not self._is_apart:
            self._is_apart = True
            log.warning(
                "the call budget is not shared with other processes any more: %s; until it is "
                "again, this process keeps to the limit by itself",
                reason,
            )

    def _regain(self) -> None:
        if self._is_apart:
            self._is_apart = False
            log.warning("the call budget is shared with other processes again")


def default_path(account: str) -> Path:
    """Return the file that the processes of this user share for an account of Hevo.

    Args:
        account: Identifies the account; it may contain secrets, and only its hash is used.
    """
    # Not in the user's home: monotonic times are valid until the machine is restarted.
    folder = Path(tempfile.gettempdir()) / f"{_FOLDER}{os.geteuid()}"
    return folder / f"{hashlib.sha256(account.encode()).hexdigest()[:24]}.calls"


def _new_token() -> int:
    return int.from_bytes(os.urandom(8), "big")
