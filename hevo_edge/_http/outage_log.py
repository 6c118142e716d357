"""What a client logs of requests that fail: when that begins, once an hour, and when it is over.

During an outage a hundred waits would log thousands of lines that all say the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hevo_edge._text.logger import get_logger
from hevo_edge.errors import ApiError, RequestError

log: logging.Logger = get_logger("hevo_edge.http")

OVER_AFTER = 30.0
"""Seconds without a failure after which an outage is over. Where another begins within an hour, it
takes twice as long the next time, up to an hour: some gateways answer badly now and then."""
SUMMARY_EVERY = 3600.0
"""Seconds between the lines in an outage that lasts."""


class OutageLog:
    """Counts the requests of a client, and logs how an outage goes.

    Args:
        now: Returns the loop time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._is_outage = False
        self._began = self._failed_at = self._said_at = 0.0
        self._over_at = float("-inf")
        self._over_after = OVER_AFTER
        self._succeeded = self._failed = 0

    def succeeded(self) -> None:
        """Count a success; log that the outage is over, when it is."""
        if not self._is_outage:
            return
        self._succeeded += 1
        now = self._now()
        if now - self._failed_at >= self._over_after:
            self._is_outage, self._over_at = False, now
            log.warning("Hevo answers again as it should: %s", self._counts(self._failed_at))

    def failed(self, error: RequestError) -> None:
        """Count a failure; log the first, and one an hour. A refusal of a request is none."""
        if isinstance(error, ApiError) and not error.transient:
            return
        now = self._now()
        if not self._is_outage:
            self._is_outage = True
            is_soon = now - self._over_at < SUMMARY_EVERY
            self._over_after = min(2 * self._over_after, SUMMARY_EVERY) if is_soon else OVER_AFTER
            self._began = self._said_at = now
            self._succeeded, self._failed = 0, 1
            log.warning(
                "a request has failed, and is repeated where that is safe; until it is over, more "
                "of them are counted and not logged: %s",
                error,
            )
        else:
            self._failed += 1
            if now - self._said_at >= SUMMARY_EVERY:
                self._said_at = now
                log.warning("requests still fail: %s; the last: %s", self._counts(now), error)
        self._failed_at = now

    def _counts(self, until: float) -> str:
        everything = self._failed + self._succeeded
        return f"{self._failed:,} of {everything:,} failed within {until - self._began:.0f} s"
