"""One watcher per client: who waits for a Job registers here, and shares its looks.

It knows no HTTP: it is given what looks. A look that fails for a passing reason (the network, 429,
5xx, a garbled body) is never an outcome; the next look comes on schedule.

A Job that is waited for costs memory, but no task and no timer: one timer waits for whatever is due
next, and a task lives as long as a look is under way. When the call budget is used up, one look
waits for it; whose it is next, is chosen when that one has been sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from hevo_edge._awaiting.duration_history import Experience
from hevo_edge._awaiting.poll import Eyes, Look
from hevo_edge._awaiting.queues import Agenda, Turns
from hevo_edge._awaiting.watched_job import Follower, JobKey, OwnLook, Watched
from hevo_edge._common.clock import Clock
from hevo_edge._common.per_loop import PerLoop
from hevo_edge.errors import HevoError
from hevo_edge.models import JobData

log: logging.Logger = logging.getLogger("hevo_edge.awaiting")

MOST_LOOKS = 50
"""How many looks are under way at once, at most; more would only queue in the server."""
MOMENT = 0.005
"""Seconds within which what is due is done together: a wake-up for each would cost more."""
NO_LIST = 600.0
"""Seconds for which a Pipeline's Jobs are looked at one by one when its list could not be read."""
_WORTH_A_LIST = 2
"""A list call costs as much as a look: from so many Jobs of a Pipeline on, it is cheaper."""


class Watcher:
    """Looks at the Jobs that are waited for, each as often as its most eager waiter wants.

    Beyond the call budget, looks go where they are expected to save most; no Job whose look is
    due waits for longer than four times as many looks as are due.

    Args:
        eyes: What looks.
        clock: Time, and chance.
    """

    def __init__(self, eyes: Eyes, clock: Clock) -> None:
        experience = Experience()
        self._watching: PerLoop[_Watching] = PerLoop(lambda: _Watching(eyes, clock, experience))

    def follow(
        self,
        follower: Follower,
        key: JobKey,
        seen: tuple[JobData, float] | None = None,
        deadline: float | None = None,
        look: OwnLook | None = None,
    ) -> None:
        """Let a follower hear of a Job, until it leaves.

        Args:
            follower: Who hears. What its schedule raises, and what makes looking pointless, it
                hears as well, once.
            key: Pipeline id and Job id.
            seen: A snapshot and the loop time at which it was taken, if there is one. Without it,
                the first look comes at once, unless somebody else's look is recent enough.
            deadline: The loop time at which a last look is made for it.
            look: How to look, when what is followed is no Job but has a key like one.
        """
        self._watching.get().join(follower, key, seen, deadline, look)

    def tell(self, key: JobKey, snapshot: JobData) -> None:
        """Take in a snapshot that was just read elsewhere; it saves a look."""
        watching = self._watching.peek()
        if watching is not None:
            watching.tell(key, snapshot)

    def leave(self, follower: Follower) -> None:
        """Let a follower hear no more. Leaving twice does nothing."""
        watching = self._watching.peek()
        if watching is not None:
            watching.leave(follower)

    async def settle(self) -> None:
        """Wait until the looks that nobody needs any more have ended."""
        watching = self._watching.peek()
        if watching is not None:
            await watching.settle()

    async def close(self) -> None:
        """End all waits of the running loop with an error."""
        watching = self._watching.peek()
        if watching is not None:
            watching.end(HevoError("this HevoClient was closed while a Job was awaited"))
            await watching.settle()


class _Watching:
    """All that is watched in one event loop."""

    def __init__(self, eyes: Eyes, clock: Clock, experience: Experience) -> None:
        self._eyes = eyes
        self._experience = experience
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._watched: dict[JobKey, Watched] = {}
        self._of_pipeline: dict[int, dict[Watched, None]] = {}
        self._agenda: Agenda[Watched] = Agenda()
        self._deadlines: Agenda[Follower] = Agenda()
        self._turns: Turns[Watched] = Turns(Watched.worth, clock.random)
        self._last_turns: deque[Watched] = deque()
        self._looks: set[Look] = set()
        self._starting = {False: 0, True: 0}  # looks without a slot yet; True: last ones
        self._ending: set[asyncio.Task[None]] = set()
        self._no_lists: dict[int, float] = {}  # by Pipeline: until when, as the last one failed
        self._timer: asyncio.TimerHandle | None = None
        self._woke_at = float("-inf")

    # -- who waits --------------------------------------------------------------------------------

    def join(
        self,
        follower: Follower,
        key: JobKey,
        seen: tuple[JobData, float] | None,
        deadline: float | None,
        look: OwnLook | None,
    ) -> None:
        watched = self._watched.get(key)
        if watched is not None and watched.was_put_aside:
            # Hevo may have taken it up again; somebody who does not want to know holds on to it.
            self._forget(watched)
            watched = None
        if watched is None:
            watched = Watched(key, self._now(), look)
            self._watched[key] = watched
            self._of_pipeline.setdefault(key[0], {})[watched] = None
        if seen is not None and watched.is_news(seen[1], self._now()):
            watched.publish(*seen)
        if watched.latest is not None and (seen is None or seen[0] != watched.latest):
            follower.hear(watched.latest)
        watched.add(follower)
        if deadline is not None:
            self._deadlines.set(follower, deadline)
            self._arm(deadline)
        self._plan(watched)

    def leave(self, follower: Follower) -> None:
        watched = follower.watched
        if watched is None:
            return
        self._deadlines.discard(follower)
        was_eager = watched.remove(follower)
        if not watched.followers:
            self._forget(watched)
        elif was_eager and not watched.is_over:
            self._plan(watched)
        if not self._watched:
            self._disarm()

    def tell(self, key: JobKey, snapshot: JobData) -> None:
        watched = self._watched.get(key)
        if watched is not None:
            watched.publish(snapshot, self._now())
            self._plan(watched)

    def end(self, error: HevoError) -> None:
        for watched in list(self._watched.values()):
            self._fail(watched, error)
        self._disarm()

    async def settle(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending)

    def _fail(self, watched: Watched, error: Exception) -> None:
        """End the waits for a Job; whoever waits for it from now on begins anew."""
        self._forget(watched)
        watched.tell(error)

    def _forget(self, watched: Watched) -> None:
        watched.is_over = True
        if self._watched.get(watched.key) is not watched:
            return
        del self._watched[watched.key]
        mates = self._of_pipeline[watched.key[0]]
        del mates[watched]
        if not mates:
            del self._of_pipeline[watched.key[0]]
            self._no_lists.pop(watched.key[0], None)
        self._agenda.discard(watched)
        self._turns.discard(watched)
        if watched.is_looked_at or watched.is_looked_at_last:
            self._call_off()

    def _call_off(self) -> None:
        """Cancel the looks that nobody needs any more."""
        for look in self._looks:
            if look.task is not None and all(target.is_over for target in look.targets):
                look.task.cancel()
                self._ending.add(look.task)

    # -- when to look -----------------------------------------------------------------------------

    def _plan(self, watched: Watched) -> None:
        """Note when the Job is due, by its most eager follower."""
        if watched.is_over or watched.has_ended:
            self._agenda.discard(watched)
            self._turns.discard(watched)
            return
        if watched.is_looked_at:
            return
        if watched.tried_at is None:
            self._turns.add(watched, urgent=True)
            self._arm(self._now())
            return
        due = watched.tried_at + watched.gap(self._now(), self._experience)
        if due > self._now():
            self._turns.discard(watched)
            self._agenda.set(watched, due)
        else:
            self._agenda.discard(watched)
            self._turns.add(watched)
        self._arm(due)

    def _arm(self, at: float) -> None:
        """Wake up at a loop time, if not earlier; but not again in the same moment."""
        at = max(at, self._woke_at + MOMENT)
        if self._timer is None or self._timer.when() > at:
            self._disarm()
            self._timer = self._loop.call_at(at, self._wake)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._timer = None
        self._woke_at = now = self._now()
        for watched in self._agenda.due(now):
            self._turns.add(watched)
        for follower in list(self._deadlines.due(now)):
            self._time_is_up(follower, now)
        self._fill(now)
        for agenda in (self._agenda, self._deadlines):
            upcoming = agenda.next_at()
            if upcoming is not None:
                self._arm(upcoming)

    def _time_is_up(self, follower: Follower, now: float) -> None:
        """Let a last look be made for a follower; or end its wait, if that takes too long."""
        watched = follower.watched
        if watched is None or watched.is_over or watched.has_ended or follower.is_late:
            if watched is not None and watched.failure is None and not watched.has_ended:
                watched.failure = HevoError("the last look could not be made in time")
            follower.time_is_up()
            return
        follower.is_late = True
        if not (watched.wants_last_look or watched.is_looked_at_last):
            watched.wants_last_look = True
            self._last_turns.append(watched)
        self._deadlines.set(follower, now + self._eyes.patience(len(self._last_turns)))

    # -- looking ----------------------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        """Start the looks whose turn it is, as many as there is room for."""
        while (look := self._next_look(now)) is not None:
            look.task = self._loop.create_task(self._go(look))
            look.task.add_done_callback(self._gone)

    def _next_look(self, now: float) -> Look | None:
        """Begin the look whose turn it is, if there is room for it."""
        while self._last_turns and self._has_room(last=True):
            watched = self._last_turns.popleft()
            if watched.wants_last_look and not watched.is_over:
                return self._begin(watched, now, last=True)
        if self._turns and self._has_room(last=False):
            # Where there is room for all, the order makes no difference.
            is_short = self._eyes.room(last=False) < len(self._turns)
            chosen = self._turns.choose(now) if is_short else self._turns.first()
            return self._begin(chosen, now, last=False)
        return None

    def _has_room(self, *, last: bool) -> bool:
        """Say whether a look can be sent at once, or at least be the one that waits for that."""
        if len(self._looks) >= MOST_LOOKS * (1 + last):
            return False
        starting = self._starting[last]
        return starting == 0 or starting < self._eyes.room(last=last)

    def _begin(self, watched: Watched, now: float, *, last: bool) -> Look:
        # The list may lag behind, so the last word is not its.
        mates = [] if last else self._mates(watched, now)
        look = Look(mates or [watched], last=last, at_list=bool(mates))
        for target in look.targets:
            self._agenda.discard(target)
            self._turns.discard(target)
            if last:
                target.is_looked_at_last, target.wants_last_look = True, False
            else:
                target.is_looked_at = True
        self._looks.add(look)
        self._starting[last] += 1
        return look

    def _mates(self, watched: Watched, now: float) -> list[Watched]:
        """Return the Jobs to read by one list call; none where a look at the one is better."""
        of_pipeline = self._of_pipeline[watched.key[0]]
        learns = watched.wants_experience(now, self._experience)
        if not (learns or len(of_pipeline) >= _WORTH_A_LIST) or not watched.may_be_listed:
            return []
        if now < self._no_lists.get(watched.key[0], now):
            return []
        mates = [
            mate
            for mate in of_pipeline
            if mate.may_be_listed
            and not (mate.has_ended or mate.is_looked_at or mate.is_looked_at_last)
        ]
        return mates if learns or len(mates) >= _WORTH_A_LIST else []

    async def _go(self, first: Look) -> None:
        """Make a look, and then the one whose turn it is, until there is none.

        A task for each would cost a good part of what the look costs.
        """
        look: Look | None = first
        while look is not None:
            await self._make(look)
            self._finish(look)
            look = self._next_look(self._now())
            if look is not None:
                look.task = asyncio.current_task()

    async def _make(self, look: Look) -> None:
        def sending() -> None:
            if not look.has_slot:
                look.has_slot = True
                self._starting[look.last] -= 1
                self._fill(self._now())

        try:
            pointless = await look.make(self._eyes, sending, self._experience)
        except Exception as error:  # noqa: BLE001 -- a mistake in our own code, or a schedule's
            pointless = error
        self._looks.discard(look)  # over, so that what ends now need not call it off
        if pointless is not None:
            for watched in look.targets:
                self._fail(watched, pointless)
        if look.list_failed:
            self._no_lists[look.targets[0].key[0]] = self._now() + NO_LIST

    def _gone(self, task: asyncio.Task[None]) -> None:
        """Tidy up after a task that was cancelled in the middle of a look, or before it."""
        self._ending.discard(task)
        for look in [look for look in self._looks if look.task is task]:
            self._finish(look)
        self._fill(self._now())

    def _finish(self, look: Look) -> None:
        """Plan the next looks; who has waited for a last one need not wait any more."""
        self._looks.discard(look)
        if not look.has_slot:
            self._starting[look.last] -= 1
        for watched in look.targets:
            if look.last:
                self._looked_last(watched)
            else:
                watched.is_looked_at = False
            self._plan(watched)

    def _looked_last(self, watched: Watched) -> None:
        watched.is_looked_at_last = False
        if not watched.wants_last_look:
            for follower in [one for one in watched.followers if one.is_late]:
                follower.time_is_up()
