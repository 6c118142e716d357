"""The sliding window behind the emulator's call limit."""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
"""Its length in emulator seconds."""


class CallWindow:
    """The calls admitted in the last 60 seconds. Refused calls do not count."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def admit(self, now: float, limit: int | None) -> bool:
        """Tell whether one more call is within ``limit`` (None: always), and count it if so."""
        while self._admitted and self._admitted[0] <= now - WINDOW:
            self._admitted.popleft()
        if limit is not None and len(self._admitted) >= limit:
            return False
        self._admitted.append(now)
        return True

    def seconds_until_free(self, now: float) -> float:
        """Return in how many seconds the oldest call leaves the window."""
        return self._admitted[0] + WINDOW - now if self._admitted else 1.0
