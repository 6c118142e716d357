"""An exact sliding window over all calls of a client, with priorities.

Hevo documents 100 calls in any 60 seconds per user (for its classic API; not confirmed for Edge).
A token bucket would let nearly twice as many through in an unlucky window, so this keeps the log.

A call occupies its slot from before it is sent until one period after its reply has come. It
arrived at the server somewhere in between, so whatever the network's jitter, the server never sees
more than the limit in any period.

The quota is the user's, and other processes may share it. So a 429 is the truth, whatever the log
says: nothing is sent until the server's window has moved, and what can wait takes half of its
share from then on, a little more every period until it has all of it again (AIMD).
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
from hevo_edge._http.shared_window import BUSY

log: logging.Logger = logging.getLogger("hevo_edge.ratelimit")


# What is more urgent always goes first, but for lists: one that has waited so many seconds longer
# goes before a look, because looks would starve lists for ever.
_LOOKS_HEAD_START = 20.0
_PACED_FROM = 0.75
_UNPACED = 10
"""From which part of the window on, and after how many calls at least, looks are spaced evenly. In
one burst they would fill it, and what is urgent would wait for a minute; so slots come free one by
one.
"""
_CUT = 0.5
_REGAINED = 0.1
"""The share of the limit left by a 429, and what comes back of it a period."""
_LEAST_SHARE = 0.05
_UNTOLD = 1.0
"""Seconds after which those who wait look what other processes have left in the ledger."""


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
        """Return the kinds that wait, the one to serve first in front."""
        kinds = []
        for priority, line in self.waiting.items():
            while line and line[0][1].done():
                line.popleft()
            if line:
                kinds.append(priority)
        return sorted(kinds, key=self._order)

    def _order(self, priority: Priority) -> tuple[int, float]:
        head_start = _LOOKS_HEAD_START if priority is Priority.LIST else 0.0
        return min(priority, Priority.LOOK), self.waiting[priority][0][0] + head_start


NO_LIMIT: Final = "no limit"
Slot: TypeAlias = Queue | Literal["no limit"]
"""What is handed out: the queue that the slot goes back to, if there is a limit at all."""


class RateLimiter:
    """Hands out the slots of a RateLimit, the most urgent first; ``None`` means no limit."""

    def __init__(self, limit: RateLimit | None, clock: Clock, account: str = "") -> None:
        self._limit = limit
        self._ledger = None if limit is None else limit.ledger(account)
        self._ledger_is_busy = False
        self._clock = clock
        self._expiries: deque[float] = deque()  # when the slot of each call sent is free again
        self._held_until = float("-inf")
        self._paced_until = float("-inf")
        self._share = 1.0
        self._silent_until = float("-inf")
        self._queues: PerLoop[Queue] = PerLoop(lambda: Queue(asyncio.get_running_loop()))

    async def acquire(self, priority: Priority, deadline: float | None = None) -> Slot | None:
        """Take a slot; what is returned must be given back by ``release``.

        Cancelling the wait loses no slot. Returns None when ``deadline`` (loop time, seconds)
        came first.
        """
        if self._limit is None:
            return NO_LIMIT
        queue = self._queues.get()
        if not queue.heads():
            if self._took(queue, priority):
                return queue
            self._say_how_long(priority)
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
        if self._ledger is not None:
            self._ledger.give_back(now, sent=sent)
        elif sent:
            self._expiries.append(now + self._limit.period + self._limit.margin)
        if not queue.loop.is_closed():
            self._grant(queue)

    def hold(self, seconds: float) -> None:
        """Let nothing through for so long: the server has said that the window is full.

        From then on, what can wait takes half of its share; several 429s of one moment count once.
        """
        now = self._clock.now()
        if now >= self._held_until:
            self._share = max(_LEAST_SHARE, self.share(now) * _CUT)
        self._held_until = max(self._held_until, now + seconds)

    def time_for(self, calls: int, priority: Priority) -> float:
        """Return the seconds in which so many calls can be made, whatever was sent until now."""
        if self._limit is None:
            return 0.0
        now = self._clock.now()
        window = self._limit.period + self._limit.margin
        held = max(0.0, self._held_until - now)
        return held + window * (1 + calls / self._ceiling(priority, now))

    def share(self, now: float) -> float:
        """Return the part of the limit that may be used at a loop time; 1.0 if no 429 came."""
        if self._limit is None or self._share == 1.0:
            return 1.0
        regained = max(0.0, now - self._held_until) / self._limit.period * _REGAINED
        if self._share + regained >= 1.0:
            self._share = 1.0
        return min(1.0, self._share + regained)

    def _ceiling(self, priority: Priority, now: float) -> int:
        assert self._limit is not None  # noqa: S101 -- for the type checkers
        ceiling = self._limit.ceiling(priority)
        if priority <= Priority.TRIGGER:
            return ceiling
        return max(1, int(ceiling * self.share(now)))

    def room(self, priority: Priority) -> int:
        """Return how many slots could be taken at once now."""
        if self._limit is None:
            return sys.maxsize
        queues = self._queues.all()
        if not queues:
            return 1
        now = queues[0].loop.time()
        if now < self._held_until:
            return 0
        used = self._used(now)
        ceiling = self._ceiling(priority, now)
        if priority is not Priority.LOOK:
            return ceiling - used
        unpaced = min(ceiling, max(_UNPACED, int(ceiling * _PACED_FROM))) - used
        # Beyond those that go at once, one goes when it is time.
        return max(unpaced, int(now >= self._paced_until and used < ceiling))

    def _used(self, now: float) -> int:
        """Return how many slots are taken."""
        if self._ledger is not None:
            self._expiries = deque(self._ledger.taken(now))
            return len(self._expiries)
        while self._expiries and self._expiries[0] <= now:
            self._expiries.popleft()
        return sum(queue.in_flight for queue in self._queues.all()) + len(self._expiries)

    def _took(self, queue: Queue, priority: Priority) -> bool:
        """Take a slot if one is free; say whether it was."""
        if self._ledger is None:
            is_free = self.room(priority) > 0
            if is_free:
                self._take(queue, priority)
            return is_free
        with self._ledger.locked() as is_alone:
            self._ledger_is_busy = not is_alone
            is_free = is_alone and self.room(priority) > 0
            if is_free:
                self._take(queue, priority)
                self._ledger.take(queue.loop.time())
            return is_free

    def _take(self, queue: Queue, priority: Priority) -> None:
        queue.in_flight += 1
        if priority is Priority.LOOK and self._limit is not None:
            now = queue.loop.time()
            ceiling = self._ceiling(priority, now)
            even = (self._limit.period + self._limit.margin) / ceiling
            # What is left has to last until more comes free.
            left = 1 + max(0, ceiling - self._used(now))
            comes = self._expiries[0] - now if self._expiries else 0.0
            self._paced_until = now + max(even, comes / left)

    def _say_how_long(self, priority: Priority) -> None:
        """Log a stall, once a period: a client that waits for its budget looks as if it hung."""
        assert self._limit is not None  # noqa: S101 -- for the type checkers
        now = self._clock.now()
        free = max([self._held_until, *list(self._expiries)[:1]])
        is_used_up = now < self._held_until or self._used(now) >= self._ceiling(priority, now)
        if not is_used_up or now < self._silent_until:
            return
        self._silent_until = now + self._limit.period
        log.info(
            "the call budget is used up (%d of %d calls in %g s may be %s); next call in %.0f s",
            self._ceiling(priority, now),
            self._limit.calls,
            self._limit.period,
            priority.name,
            max(0.0, free - now),
        )

    def _grant(self, queue: Queue) -> None:
        heads = queue.heads()
        while heads:
            served = next((priority for priority in heads if self._took(queue, priority)), None)
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
        if not heads:
            return
        now = queue.loop.time()
        wakes = list(self._expiries)[:1]
        if Priority.LOOK in heads and self._paced_until > now:
            wakes.append(self._paced_until)
        if self._held_until > now:
            wakes = [self._held_until]
        elif self._share < 1.0:
            wakes.append(now + self._regained_in())
        if self._ledger is not None:
            wakes.append(now + (BUSY if self._ledger_is_busy else _UNTOLD))
        if wakes:  # else every slot is in flight; a release comes
            queue.timer = queue.loop.call_at(min(wakes), self._grant, queue)

    def _regained_in(self) -> float:
        """Return the seconds in which one more call comes back after a 429."""
        assert self._limit is not None  # noqa: S101 -- for the type checkers
        return self._limit.period / _REGAINED / self._limit.calls
