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
import math
import sys
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from hevo_edge._common.clock import Clock
from hevo_edge._common.contexts import without_context
from hevo_edge._common.per_loop import PerLoop, running_loop
from hevo_edge._http.holders import most_first, named
from hevo_edge._http.ratelimit import Priority, RateLimit
from hevo_edge._http.shared_window import open_window
from hevo_edge._http.slot_queue import SlotQueue
from hevo_edge._http.stall_log import StallLog
from hevo_edge._http.throttle import Throttle
from hevo_edge._http.window import LocalWindow, SharedWindow, Slot, WindowState
from hevo_edge.budget import Budget

_PACED_FROM = 0.75
_UNPACED = 10
"""From which part of the window on, and after how many calls at least, polls are spaced evenly. In
one burst they would fill it, and what is urgent would wait for a minute; so slots come free one by
one."""
_PERIOD_WITHOUT_LIMIT = 60.0


NO_LIMIT: Final = "no limit"
Granted: TypeAlias = Slot | Literal["no limit"]
"""What is granted: a slot of the window, if there is a limit at all."""


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
        self._window: SharedWindow = (
            LocalWindow(_PERIOD_WITHOUT_LIMIT) if limit is None else open_window(limit, account)
        )
        self._clock = clock
        self._throttle = Throttle(_PERIOD_WITHOUT_LIMIT if limit is None else limit.period)
        self._taken: dict[Slot, SlotQueue] = {}
        self._paced_until = float("-inf")
        self._stalls = StallLog()
        self._queues: PerLoop[SlotQueue] = PerLoop(self._new_queue)

    # -- slots ------------------------------------------------------------------------------------

    async def acquire(
        self,
        priority: Priority,
        deadline: float | None = None,
        on_stall: Callable[[float], None] | None = None,
    ) -> Granted | None:
        """Take a slot; what is returned must be given back by ``release``.

        Cancelling the wait loses no slot.

        Args:
            priority: Its place in the queue.
            deadline: Loop time (seconds) after which it gives up.
            on_stall: Called when no slot is free, with the seconds that the wait may take.

        Returns:
            The slot; None when the deadline came first.
        """
        if self._limit is None:
            if self.pause_left() == 0:
                return NO_LIMIT
            if on_stall is not None:
                on_stall(self.pause_left())
            return await self._outlast_pause(deadline)
        queue = self._queues.get()
        if not queue.heads():
            slot = await self._take(self._limit, queue, priority)
            if slot is not None:
                return slot
            self._log_stall(self._limit, priority)
        if on_stall is not None:
            on_stall(self._expected_wait(self._limit, queue, priority))
        granted: asyncio.Future[Slot] = queue.loop.create_future()
        queue.waiting[priority].append((self._clock.now(), granted))
        self._wake(queue)
        try:
            timeout = None if deadline is None else max(0.0, deadline - self._clock.now())
            await asyncio.wait({granted}, timeout=timeout)
        except asyncio.CancelledError:
            if granted.done():
                self.release(granted.result(), sent=False)
            raise
        finally:
            if not granted.done():
                granted.cancel()
                self._wake(queue)  # and leave no timer behind that nobody needs
        return None if granted.cancelled() else granted.result()

    def release(self, slot: Granted, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        if slot == NO_LIMIT or slot not in self._taken:
            return
        queue = self._taken.pop(slot)
        # By the queue's own loop: a request that is cut off by the end of its loop counts too.
        self._window.give_back(slot, queue.loop.time(), sent=sent)
        if not queue.loop.is_closed():
            self._wake(queue)

    def free_slots(self, priority: Priority) -> int:
        """Return how many slots could be taken at once now."""
        if self._limit is None:
            return 0 if self.pause_left() > 0 else sys.maxsize
        queues = self._queues.all()
        if not queues:
            return 1
        now = queues[0].loop.time()
        state = self._state(now)
        if self._paused_until(state) > now:
            return 0
        used = state.taken
        ceiling = self._ceiling(self._limit, priority, now)
        if priority is not Priority.POLL:
            return ceiling - used
        # Beyond those that go at once, one goes when it is time.
        return max(_unpaced(ceiling) - used, int(now >= self._paced_until and used < ceiling))

    @property
    def window(self) -> float:
        """The seconds for which a call counts."""
        if self._limit is None:
            return _PERIOD_WITHOUT_LIMIT
        return self._limit.period + self._limit.margin

    def spare_calls(self, share: float, own: int) -> float:
        """Return a share of the calls of a window that are left by all but the caller's own.

        0 while somebody waits for a slot, while a 429 pauses all, and where no poll may be sent;
        infinity without a limit.

        Args:
            share: Of what is left; never more than polls may use.
            own: How many of the calls in the window are the caller's.
        """
        if self._limit is None:
            return math.inf if self.pause_left() == 0 else 0.0
        now = self._clock.now()
        state, ceiling = self._state(now), self._ceiling(self._limit, Priority.POLL, now)
        is_wanted = any(queue.heads() for queue in self._queues.all())
        if is_wanted or state.taken >= ceiling or self._paused_until(state) > now:
            return 0.0
        left = self._limit.calls * self._throttle.budget_share(now) - max(0, state.taken - own)
        return min(share * max(0.0, left), ceiling)

    def time_for(self, calls: int, priority: Priority) -> float:
        """Return the seconds in which so many calls can be made, whatever was sent until now."""
        pause = self.pause_left()
        if self._limit is None:
            return pause
        ceiling = self._ceiling(self._limit, priority, self._clock.now())
        return pause + self.window * (1 + calls / ceiling)

    def _expected_wait(self, limit: RateLimit, queue: SlotQueue, priority: Priority) -> float:
        """Estimate the seconds until one more call of a priority has its slot."""
        now = queue.loop.time()
        state = self._state(now)
        ceiling = self._ceiling(limit, priority, now)
        ahead = sum(len(line) for each, line in queue.waiting.items() if each <= priority)
        beyond = ahead - max(0, ceiling - state.taken)
        starts = [now, self._paused_until(state)]
        if beyond >= 0:
            starts.append(state.next_free or now)
        else:  # slots are free: a lock was in use, or it is another machine's turn
            starts.append(now + (self._window.recheck_in or 0.0))
            starts += [self._paced_until] if priority is Priority.POLL else []
        return max(starts) - now + self.window * max(0, beyond) / ceiling

    # -- 429 --------------------------------------------------------------------------------------

    def rejected(self, retry_after: float | None, sent_at: float | None = None) -> None:
        """Pause the whole client after a 429; afterwards, what can wait has a smaller share.

        Args:
            retry_after: Seconds for which the server asks, None if it does not say.
            sent_at: The loop time (seconds) at which the refused call was sent, if known.
        """
        now = self._clock.now()
        self._throttle.rejected(now, retry_after, sent_at)
        self._window.hold(now, self._throttle.paused_until, self._throttle.budget_share(now))

    def accepted(self) -> None:
        """Note that a call has succeeded: 429s are no longer in a row."""
        if self._throttle.own_pause:  # nearly never: spare all others the clock
            self._throttle.accepted(self._clock.now())

    def pause_left(self) -> float:
        """Return the seconds in which nothing may be sent."""
        now = self._clock.now()
        return max(0.0, self._paused_until(self._state(now)) - now)

    async def budget(self) -> Budget:
        """Ask who has how many of the calls that count now."""
        holders = await self._window.holders(self._clock.now())
        now, limit = self._clock.now(), self._limit
        state, pause = self._state(now), self.pause_left()
        own = sum(sum(each.taken.values()) for each in holders)
        used = state.taken if state.part == 1 else own
        free: dict[Priority, int] = {}
        if limit is not None:
            most = {each: 0 if pause else self._ceiling(limit, each, now) for each in Priority}
            free = {each: state.room(calls, used) for each, calls in most.items()}
        waiting: Counter[Priority] = Counter()
        for queue in self._queues.all():
            waiting.update(queue.counts())
        return Budget(
            calls=None if limit is None else limit.calls,
            period=_PERIOD_WITHOUT_LIMIT if limit is None else limit.period,
            used=used,
            free=named(free),
            next_free=None if state.next_free is None else max(0.0, state.next_free - now),
            paused_until=self._clock.wall() + pause if pause else None,
            share=self._throttle.budget_share(now),
            waiting=named(+waiting),
            holders=most_first(holders),
            shared_through=self._window.place,
            is_alone=self._window.is_alone,
        )

    async def close(self) -> None:
        """Let go of what the window has opened in this event loop."""
        await self._window.close()

    # -- inside -----------------------------------------------------------------------------------

    def _new_queue(self) -> SlotQueue:
        queue = SlotQueue(running_loop())
        for slot, owner in list(self._taken.items()):
            if owner.loop.is_closed():
                del self._taken[slot]
                self._window.give_back(slot, queue.loop.time(), sent=False)
        return queue

    def _state(self, now: float) -> WindowState:
        """Return the window's state; a 429 of those we share it with counts as one of ours."""
        state = self._window.state(now)
        self._throttle.heed(now, state.held_until, state.share)
        return state

    def _paused_until(self, state: WindowState) -> float:
        """Return until when nothing may be sent, after a 429 of ours or of those we share with."""
        return max(self._throttle.paused_until, state.held_until)

    async def _outlast_pause(self, deadline: float | None) -> Granted | None:
        while (pause := self.pause_left()) > 0:
            self._stalls.paused(self._clock.now(), pause)
            if deadline is not None and deadline < self._clock.now() + pause:
                await self._clock.sleep(max(0.0, deadline - self._clock.now()))
                return None
            await self._clock.sleep(pause)
        return NO_LIMIT

    async def _take(self, limit: RateLimit, queue: SlotQueue, priority: Priority) -> Slot | None:
        """Take a slot if one is free."""
        now = queue.loop.time()
        if self._throttle.pause_left(now) > 0:
            return None
        if priority > Priority.TRIGGER:
            self._state(now)  # a 429 of others makes our share smaller
        ceiling = self._ceiling(limit, priority, now)
        is_poll = priority is Priority.POLL
        at_most = _unpaced(ceiling) if is_poll and now < self._paced_until else ceiling
        wanted = max(1, sum(map(len, queue.waiting.values())))
        slot = await self._window.take(now, at_most, priority, wanted)
        if slot is not None:
            self._taken[slot] = queue
            if is_poll:
                self._pace(ceiling, now)
        return slot

    def _pace(self, ceiling: int, now: float) -> None:
        """Set when the next poll may go, once polls are spaced evenly."""
        even = self.window / ceiling
        # What is left has to last until more comes free.
        state = self._state(now)
        left = 1 + max(0, ceiling - state.taken)
        more_in = 0.0 if state.next_free is None else state.next_free - now
        self._paced_until = now + max(even, more_in / left)

    def _ceiling(self, limit: RateLimit, priority: Priority, now: float) -> int:
        ceiling = limit.ceiling(priority)
        if priority <= Priority.TRIGGER:
            return ceiling
        return max(1, int(ceiling * self._throttle.budget_share(now)))

    def _wake(self, queue: SlotQueue) -> None:
        """Grant the slots that are free, unless that is under way, or nobody waits."""
        if queue.granting is not None:
            queue.is_stale = True
        elif queue.heads():
            self._arm(queue, queue.loop.time())
        elif queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None

    def _arm(self, queue: SlotQueue, at: float) -> None:
        if queue.timer is not None:
            queue.timer.cancel()
        # Whoever waits for a slot, it is granted to all: in nobody's context.
        queue.timer = without_context(queue.loop.call_at, at, self._begin_granting, queue)

    def _begin_granting(self, queue: SlotQueue) -> None:
        queue.timer, queue.is_stale = None, False
        queue.granting = queue.loop.create_task(self._grant(queue))
        queue.granting.add_done_callback(lambda _: self._after_granting(queue))

    async def _grant(self, queue: SlotQueue) -> None:
        assert self._limit is not None  # noqa: S101 -- for the type checkers
        heads = queue.heads()
        while heads:
            for priority in heads:
                slot = await self._take(self._limit, queue, priority)
                if slot is not None:
                    self._hand_over(queue, priority, slot)
                    break
            else:
                return
            heads = queue.heads()

    def _after_granting(self, queue: SlotQueue) -> None:
        queue.granting = None
        heads = queue.heads()
        if queue.is_stale or not heads:
            self._wake(queue)
        elif self._limit is not None:
            self._arm_for_next(self._limit, queue, heads)

    def _hand_over(self, queue: SlotQueue, priority: Priority, slot: Slot) -> None:
        """Give a slot that was taken for a priority to who has it, or to somebody more urgent."""
        above = min(priority, Priority.POLL)
        for head in queue.heads():
            if head == priority or head < above:
                queue.waiting[head].popleft()[1].set_result(slot)
                break
        else:  # cancelled, while the window was asked
            del self._taken[slot]
            self._window.give_back(slot, queue.loop.time(), sent=False)

    def _arm_for_next(self, limit: RateLimit, queue: SlotQueue, heads: list[Priority]) -> None:
        """Set the timer for the next moment at which one of those who wait may go."""
        now = queue.loop.time()
        state = self._state(now)
        wakes = [] if state.next_free is None else [state.next_free]
        if Priority.POLL in heads and self._paced_until > now:
            wakes.append(self._paced_until)
        regain = self._throttle.next_regain(limit.calls)
        if self._paused_until(state) > now:
            wakes = [self._paused_until(state)]
        elif regain is not None:
            wakes.append(now + regain)
        if self._window.recheck_in is not None:
            wakes.append(now + self._window.recheck_in)
        if wakes:  # else every slot is in flight; a release comes
            self._arm(queue, min(wakes))

    def _log_stall(self, limit: RateLimit, priority: Priority) -> None:
        """Log a stall, unless a slot has come free in the meantime."""
        now = self._clock.now()
        state, ceiling = self._state(now), self._ceiling(limit, priority, now)
        paused_until = self._paused_until(state)
        if paused_until > now or state.taken >= ceiling:
            free = max(paused_until, state.next_free or paused_until)
            self._stalls.used_up(now, limit, ceiling, priority, max(0.0, free - now))


def _unpaced(ceiling: int) -> int:
    """Return how many of the slots polls may take in one burst."""
    return min(ceiling, max(_UNPACED, int(ceiling * _PACED_FROM)))
