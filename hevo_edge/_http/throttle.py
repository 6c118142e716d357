"""What a 429 does: a pause for the whole client, and a smaller share of the call budget after it.

The quota is the user's, and other processes may spend it. So a 429 is the truth, whatever our own
log of calls says: the server's window is full, whoever filled it. All of the policy is here; the
limiter applies it, and a retry waits for the pause like everything else.
"""

from __future__ import annotations

MAX_PAUSE = 120.0
"""The longest pause in seconds. An error that asks for a longer one is raised, not repeated."""
FIRST_PAUSE = 10.0
"""Seconds of the pause after a 429 without Retry-After; the next one in a row doubles it."""
LEAST_PAUSE = 1.0
"""The shortest pause in seconds, whatever the server asks for."""
_CUT = 0.5
_REGAINED = 0.1
"""The factor on the budget share at a 429, and the part of the whole that returns each period
(additive increase, multiplicative decrease)."""
_LEAST_SHARE = 0.05


class Throttle:
    """The pause and the budget share. All times are loop times in seconds.

    Args:
        period: Seconds of the limit's period.
    """

    def __init__(self, period: float) -> None:
        self.paused_until: float = float("-inf")
        # The latest pause without Retry-After; 0.0 after a success.
        self.own_pause: float = 0.0
        self._period = period
        self._share = 1.0

    def rejected(self, now: float, retry_after: float | None, sent_at: float | None = None) -> None:
        """Pause, and halve the budget share; the 429s of calls sent before the pause count once.

        Args:
            now: When the 429 came.
            retry_after: Seconds for which the server asks; None if it does not say, or asks for
                no wait at all.
            sent_at: When the refused call was sent; None if that is not known.
        """
        is_new = (now if sent_at is None else sent_at) >= self.paused_until
        if is_new:
            self._share = max(_LEAST_SHARE, self.budget_share(now) * _CUT)
        if retry_after is None or retry_after <= 0:
            if is_new or self.own_pause == 0.0:
                self.own_pause = min(2 * self.own_pause, MAX_PAUSE) or FIRST_PAUSE
            retry_after = self.own_pause
        pause = min(max(retry_after, LEAST_PAUSE), MAX_PAUSE)
        self.paused_until = max(self.paused_until, now + pause)

    def heed(self, now: float, until: float, share: float) -> None:
        """Take over what a 429 did to another client that shares our window.

        Args:
            now: The loop's time.
            until: When the pause of all is over, or was.
            share: The budget share as of then.
        """
        # Clients know the end of one pause to a fraction of a second.
        if until > self.paused_until + LEAST_PAUSE / 2:
            self._share = min(self.budget_share(now), share)
            self.paused_until = until

    def accepted(self, now: float) -> None:
        """Let the next pause start small again: a call has succeeded.

        During a pause it says nothing: the call was sent before the 429 came.
        """
        if now >= self.paused_until:
            self.own_pause = 0.0

    def pause_left(self, now: float) -> float:
        """Return the seconds in which nothing may be sent."""
        return max(0.0, self.paused_until - now)

    def budget_share(self, now: float) -> float:
        """Return the part of the limit for what can wait; 1.0 if no 429 came."""
        if self._share == 1.0:
            return 1.0
        # Nothing returns during the pause: the server's window is still full.
        regained = max(0.0, now - self.paused_until) / self._period * _REGAINED
        if self._share + regained >= 1.0:
            self._share = 1.0
        return min(1.0, self._share + regained)

    def next_regain(self, calls: int) -> float | None:
        """Return the seconds in which one more of so many calls returns; None if all are there."""
        return None if self._share == 1.0 else self._period / _REGAINED / calls
