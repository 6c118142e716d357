"""Ctrl-C and SIGTERM: the first ends a command in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from hevo_edge._command_line.output import STDERR

SIGNALS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
)
"""Ctrl-C, what ends a process, and the end of its terminal; Windows has no SIGHUP."""


class Interrupted(BaseException):
    """A signal came while nothing was sent yet.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """What signals do to a command.

    Attributes:
        number: The signal that came; None when none did.
        last_words: Returns the lines to write when a second signal ends the command at once.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.last_words: Callable[[], list[str]] = list
        self._numbers: tuple[signal.Signals, ...] = ()
        self._task: asyncio.Future[Any] | None = None

    @contextmanager
    def before_the_loop(self) -> Iterator[None]:
        """Raise ``Interrupted`` on a signal; restore what was set before in the end.

        A signal that is ignored, as nohup does with SIGHUP, stays so.
        """
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {
                number: old
                for number in SIGNALS
                if (old := signal.getsignal(number)) not in {signal.SIG_IGN, None}
            }
        for number in before:
            signal.signal(number, self._raise)
        self._numbers = tuple(before)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def cancel(self, task: asyncio.Future[Any]) -> None:
        """From now on cancel a task on a signal, and only that; call this in its loop."""
        self._task = task
        loop = task.get_loop()

        def wake(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._first, number)

        for number in self._numbers:
            try:
                loop.add_signal_handler(number, self._first, number)
            except NotImplementedError:  # on Windows
                signal.signal(number, wake)

    def _first(self, number: int) -> None:
        if self.number is not None or self._task is None:
            return
        self.number = number
        for each in self._numbers:
            with suppress(NotImplementedError):
                self._task.get_loop().remove_signal_handler(each)
            # Not through the loop: it may stand still.
            signal.signal(each, self._leave_at_once)
        self._task.cancel()

    def _raise(self, number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    def _leave_at_once(self, number: int, _: FrameType | None) -> None:
        text = "".join(f"{line}\n" for line in self.last_words())
        with suppress(OSError):
            # No stream: this may have interrupted a write to one.
            os.write(STDERR, text.encode("ascii", "backslashreplace"))
        os._exit(128 + (self.number or number))
