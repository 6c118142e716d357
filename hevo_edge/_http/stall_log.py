"""The log of waits for the call budget: a client that waits for long looks as if it hung."""

from __future__ import annotations

import logging

from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._text.logger import get_logger

log: logging.Logger = get_logger("hevo_edge.ratelimit")


class StallLog:
    """Tells of waits, once in a while. All times are loop times in seconds."""

    def __init__(self) -> None:
        self._silent_until = float("-inf")

    def used_up(
        self, now: float, limit: RateLimit, ceiling: int, priority: Priority, wait: float
    ) -> None:
        """Tell, once a period, that a call has to wait, and for how many seconds."""
        if now >= self._silent_until:
            self._silent_until = now + limit.period
            log.info(
                "the call budget is used up (of %d calls in %g s, a %s may take one of the first "
                "%d); next call in %.0f s",
                limit.calls,
                limit.period,
                priority.name,
                ceiling,
                wait,
            )

    def paused(self, now: float, pause: float) -> None:
        """Tell of the pause of a client without a limit, once."""
        if now >= self._silent_until:
            self._silent_until = now + pause
            log.info("Hevo has refused a call (429); next call in %.0f s", pause)
