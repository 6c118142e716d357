"""An exact sliding window over all calls of a client, with priorities.

Hevo documents 100 calls in any 60 seconds per user (for its classic API; not confirmed for Edge).
A token bucket would let nearly twice as many through in an unlucky window, so this keeps the log.

A call occupies its slot from before it is sent until one period after its reply has come. It
arrived at the server somewhere in between, so whatever the network's jitter, the server never sees
more than the limit in any period.

What a 429 does to all that is in ``throttle``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from hevo_edge._common.clock import Clock
from hevo_edge._common.per_loop import PerLoop
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.shared_window import open_shared_window
from hevo_edge._http.throttle import Throttle
from hevo_edge._text.logger import get_logger

log: logging.Logger = get_logger("hevo_edge.ratelimit")


_POLLS_HEAD_START = 20.0
"""The more urgent always goes first, except that a list that has waited so many seconds longer
goes before a poll: polls would starve lists for ever."""
_PACED_FROM = 0.75
_UNPACED = 10
"""From which part of the window on, and after how many calls at least, polls are spaced evenly. In
one burst they would fill it, and what is urgent would wait for a minute; so slots come free one by
one."""
_PERIOD_WITHOUT_LIMIT = 60.0


@dataclass(eq=False)
class Queue:
    """Who waits for a slot in one event loop, and how many calls are in flight there."""

    loop: asyncio.AbstractEventLoop
    in_flight: int = 0
    waiting: dict[Priority, deque[tuple[float, asyncio.Future[None]]]] = field(
        default_factory=lambda: {priority: deque() for priority in Priority}
    )
    timer: asyncio.TimerHandle | None = None

    def heads(self) -> list[Priority]:
        """Return the priorities that wait, the one to serve first in front."""
        priorities = []
        for priority, line in self.waiting.items():
            while line and line[0][1].done():
                line.popleft()
            if line:
                priorities.append(priority)
        return sorted(priorities, key=self._order)

    def _order(self, priority: Priority) -> tuple[int, float]:
        head_start = _POLLS_HEAD_START if priority is Priority.LIST else 0.0
        return min(priority, Priority.POLL), self.waiting[priority][0][0] + head_start


NO_LIMIT: Final = "no limit"
Slot: TypeAlias = Queue | Literal["no limit"]
"""What is granted: the queue that the slot goes back to, if there is a limit at all."""


class RateLimiter:
    """Grants the slots of a RateLimit, the most urgent first; ``None`` means no limit.

    A 429 pauses it, with or without a limit.

    Args:
        limit: The limit of this client.
        clock: Time.
        account: Identifies the account, for a window that processes share.

    Raises:
        ConfigurationError: when the shared window cannot be used.
    """

    def __init__(self, limit: RateLimit | None, clock: Clock, account: str = "") -> None:
        self._limit = limit
        self._shared = None if limit is None else open_shared_window(limit, account)
        self._clock = clock
        self._throttle = Throttle(_PERIOD_WITHOUT_LIMIT if limit is None else limit.period)
        self._expiries: deque[float] = deque()  # when the slot of each call sent is free again
        self._paced_until = float("-inf")
        self._silent_until = float("-inf")
        self._queues: PerLoop[Queue] = PerLoop(lambda: Queue(asyncio.get_running_loop()))

    # -- slots ------------------------------------------------------------------------------------

    async def acquire(self, priority: Priority, deadline: float | None = None) -> Slot | None:
        """Take a slot; what is returned must be given back by ``release``.

        Cancelling the wait loses no slot. Returns None when ``deadline`` (loop time, seconds)
        came first.
        """
        if self._limit is None:
            return NO_LIMIT if self.pause_left() == 0 else await self._outlast_pause(deadline)
        queue = self._queues.get()
        if not queue.heads():
            if self._try_take(queue, priority):
                return queue
            self._log_stall(self._limit, priority)
        granted: asyncio.Future[None] = queue.loop.create_future()
        queue.waiting[priority].append((self._clock.now(), granted))
        self._grant(queue)
        try:
            timeout = None if deadline is None else max(0.0, deadline - self._clock.now())
            await asyncio.wait({granted}, timeout=timeout)
        except asyncio.CancelledError:
            if granted.done():
                self.release(queue, sent=False)
            raise
        finally:
            if not granted.done():
                granted.cancel()
                self._grant(queue)  # and leave no timer behind that nobody needs
        return None if granted.cancelled() else queue

    def release(self, queue: Slot, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        if self._limit is None or queue == NO_LIMIT:
            return
        queue.in_flight -= 1
        # By the queue's own loop: a request that is cut off by the end of its loop counts too.
        now = queue.loop.time()
        if self._shared is not None:
            self._shared.give_back(now, sent=sent)
        elif sent:
            self._expiries.append(now + self._limit.period + self._limit.margin)
        if not queue.loop.is_closed():
            self._grant(queue)

    def free_slots(self, priority: Priority) -> int:
        """Return how many slots could be taken at once now."""
        if self._limit is None:
            return 0 if self.pause_left() > 0 else sys.maxsize
        queues = self._queues.all()
        if not queues:
            return 1
        now = queues[0].loop.time()
        if self._throttle.pause_left(now) > 0:
            return 0
        used = self._used(now)
        ceiling = self._ceiling(self._limit, priority, now)
        if priority is not Priority.POLL:
            return ceiling - used
        # Beyond those that go at once, one goes when it is time.
        return max(_unpaced(ceiling) - used, int(now >= self._paced_until and used < ceiling))

    def time_for(self, calls: int, priority: Priority) -> float:
        """Return the seconds in which so many calls can be made, whatever was sent until now."""
        pause = self.pause_left()
        if self._limit is None:
            return pause
        window = self._limit.period + self._limit.margin
        ceiling = self._ceiling(self._limit, priority, self._clock.now())
        return pause + window * (1 + calls / ceiling)

    # -- 429 --------------------------------------------------------------------------------------

    def rejected(self, retry_after: float | None, sent_at: float | None = None) -> None:
        """Pause the whole client after a 429; afterwards, what can wait has a smaller share.

        Args:
            retry_after: Seconds for which the server asks, None if it does not say.
            sent_at: The loop time (seconds) at which the refused call was sent, if known.
        """
        self._throttle.rejected(self._clock.now(), retry_after, sent_at)

    def accepted(self) -> None:
        """Note that a call has succeeded: 429s are no longer in a row."""
        if self._throttle.own_pause:  # nearly never: spare all others the clock
            self._throttle.accepted(self._clock.now())

    def pause_left(self) -> float:
        """Return the seconds in which nothing may be sent."""
        return self._throttle.pause_left(self._clock.now())

    # -- inside -----------------------------------------------------------------------------------

    async def _outlast_pause(self, deadline: float | None) -> Slot | None:
        while (pause := self.pause_left()) > 0:
            self._log_pause(pause)
            if deadline is not None and deadline < self._clock.now() + pause:
                await self._clock.sleep(max(0.0, deadline - self._clock.now()))
                return None
            await self._clock.sleep(pause)
        return NO_LIMIT

    def _try_take(self, queue: Queue, priority: Priority) -> bool:
        """Take a slot if one is free; return whether it was."""
        assert self._limit is not None  # noqa: S101 -- for the type checkers
        now = queue.loop.time()
        if self._throttle.pause_left(now) > 0:
            return False
        ceiling = self._ceiling(self._limit, priority, now)
        is_poll = priority is Priority.POLL
        at_most = _unpaced(ceiling) if is_poll and now < self._paced_until else ceiling
        if self._shared is not None:
            is_taken = self._shared.take(now, at_most)
        else:
            is_taken = self._used(now) < at_most
        if is_taken:
            queue.in_flight += 1
            if is_poll:
                self._pace(self._limit, ceiling, now)
        return is_taken

    def _pace(self, limit: RateLimit, ceiling: int, now: float) -> None:
        """Set when the next poll may go, once polls are spaced evenly."""
        even = (limit.period + limit.margin) / ceiling
        # What is left has to last until more comes free.
        left = 1 + max(0, ceiling - self._used(now))
        more_in = self._expiries[0] - now if self._expiries else 0.0
        self._paced_until = now + max(even, more_in / left)

    def _ceiling(self, limit: RateLimit, priority: Priority, now: float) -> int:
        ceiling = limit.ceiling(priority)
        if priority <= Priority.TRIGGER:
            return ceiling
        return max(1, int(ceiling * self._throttle.budget_share(now)))

    def _used(self, now: float) -> int:
        """Return how many slots are taken, and bring ``_expiries`` up to date."""
        if self._shared is not None:
            self._expiries = deque(self._shared.expiries(now))
            return len(self._expiries)
        while self._expiries and self._expiries[0] <= now:
            self._expiries.popleft()
        return sum(queue.in_flight for queue in self._queues.all()) + len(self._expiries)

    def _grant(self, queue: Queue) -> None:
        heads = queue.heads()
        while heads:
            served = next((priority for priority in heads if self._try_take(queue, priority)), None)
            if served is None:
                break
            queue.waiting[served].popleft()[1].set_result(None)
            heads = queue.heads()
        self._arm(queue, heads)

    def _arm(self, queue: Queue, heads: list[Priority]) -> None:
        """Set the timer for the next moment at which one of those who wait may go."""
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        if not heads or self._limit is None:
            return
        now = queue.loop.time()
        self._used(now)
        wakes = list(self._expiries)[:1]
        if Priority.POLL in heads and self._paced_until > now:
            wakes.append(self._paced_until)
        regain = self._throttle.next_regain(self._limit.calls)
        if self._throttle.pause_left(now) > 0:
            wakes = [self._throttle.paused_until]
        elif regain is not None:
            wakes.append(now + regain)
        if self._shared is not None:
            wakes.append(now + self._shared.recheck_in)
        if wakes:  # else every slot is in flight; a release comes
            queue.timer = queue.loop.call_at(min(wakes), self._grant, queue)

    def _log_stall(self, limit: RateLimit, priority: Priority) -> None:
        """Log a stall, once a period: a client that waits for its budget looks as if it hung."""
        now = self._clock.now()
        used, ceiling = self._used(now), self._ceiling(limit, priority, now)
        is_used_up = self._throttle.pause_left(now) > 0 or used >= ceiling
        if not is_used_up or now < self._silent_until:
            return
        self._silent_until = now + limit.period
        free = max([self._throttle.paused_until, *list(self._expiries)[:1]])
        log.info(
            "the call budget is used up (%d of %d calls in %g s may be %s); next call in %.0f s",
            ceiling,
            limit.calls,
            limit.period,
            priority.name,
            max(0.0, free - now),
        )

    def _log_pause(self, pause: float) -> None:
        """Log the pause of a client without a limit, once."""
        now = self._clock.now()
        if now >= self._silent_until:
            self._silent_until = now + pause
            log.info("Hevo has refused a call (429); next call in %.0f s", pause)


def _unpaced(ceiling: int) -> int:
    """Return how many of the slots polls may take in one burst."""
    return min(ceiling, max(_UNPACED, int(ceiling * _PACED_FROM)))
