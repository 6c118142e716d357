"""One watcher per client: who waits for a Job registers here, and shares its looks.

It knows no HTTP: it is given a function that looks. A look that fails for a passing reason (the
network, 429, 5xx, a garbled body) is never an outcome; the next look comes on schedule.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

from hevo_edge.clock import Clock
from hevo_edge.enums import JobStatus
from hevo_edge.errors import (
    HevoError,
    NotFound,
    RateLimited,
    RequestNotSent,
    RequestOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)
from hevo_edge.loops import PerLoop
from hevo_edge.models import JobData
from hevo_edge.schedules import LONGEST_GAP, Schedule, next_gap

JobKey = tuple[int, str]
Look = Callable[[JobKey, "float | None"], Awaitable[JobData]]
"""Fetches a Job's snapshot, before a deadline (loop time) if there is one."""
log: logging.Logger = logging.getLogger("hevo_edge.awaiting")

PASSING = (RequestNotSent, RequestOutcomeUnknown, RateLimited, ServerError, UnexpectedResponse)
"""What says nothing about a Job: look again later."""
LAST_LOOK = 5.0
"""Seconds that the last look, at a deadline, may take."""
CONFIRMED_MISSING = 3
"""How many 404s in a row it takes to believe that a Job seen before is gone."""


class Watcher:
    """Looks at the Jobs that are waited for, each as often as its most eager waiter wants.

    Args:
        look: Fetches a Job's snapshot.
        clock: Time.
    """

    def __init__(self, look: Look, clock: Clock) -> None:
        self.look = look
        self.clock = clock
        self._watches: PerLoop[dict[JobKey, _Watch]] = PerLoop(dict)

    def follow(
        self, key: JobKey, schedule: Schedule, seen: tuple[JobData, float] | None = None
    ) -> Follower:
        """Return an async context manager that gets the Job's snapshots while it is open.

        Args:
            key: Pipeline id and Job id.
            schedule: How often to look.
            seen: A snapshot and the loop time at which it was taken, if there is one. Without it,
                the first look comes at once, unless somebody else's look is recent enough.
        """
        return Follower(self, key, schedule, seen)

    def watch(self, key: JobKey) -> _Watch:
        """Return the watch over a Job, begun if there is none."""
        watches = self._watches.get()
        if key not in watches:
            watches[key] = _Watch(self, key, watches)
        return watches[key]

    async def until_over(
        self, key: JobKey, schedule: Schedule, seen: tuple[JobData, float] | None = None
    ) -> JobData:
        """Wait without a deadline until a Job has ended, however it ended."""
        async with self.follow(key, schedule, seen) as follower:
            while True:
                snapshot = await follower.next(None)
                if snapshot is not None and snapshot.is_terminal:
                    return snapshot

    async def close(self) -> None:
        """End all waits of the running loop with an error."""
        for watch in list((self._watches.peek() or {}).values()):
            watch.fail(HevoError("this HevoClient was closed while a Job was awaited"))
            await watch.stop()


class Follower:
    """One waiter's view of a Job: its snapshots, one a change."""

    def __init__(
        self,
        watcher: Watcher,
        key: JobKey,
        schedule: Schedule,
        seen: tuple[JobData, float] | None,
    ) -> None:
        self.schedule = schedule
        self._watcher = watcher
        self._key = key
        self._seen = seen
        self._news: deque[JobData | Exception] = deque()
        self._wake: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Follower:
        self._watch = self._watcher.watch(self._key)
        self._watch.join(self, self._seen)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._watch.leave(self)

    def push(self, news: JobData | Exception) -> None:
        """Hand over a snapshot, or the error that ends the wait."""
        self._news.append(news)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def newest(self, deadline: float | None) -> JobData | None:
        """Return the newest snapshot not yet returned; see ``next``."""
        snapshot = await self.next(deadline)
        while self._news:
            snapshot = self._take()
        return snapshot

    async def next(self, deadline: float | None) -> JobData | None:
        """Return the next snapshot, or None when ``deadline`` (loop time) came first.

        Raises:
            HevoError: what makes further looks pointless, such as AuthenticationError.
        """
        if not self._news:
            self._wake = asyncio.get_running_loop().create_future()
            now = self._watcher.clock.now()
            timeout = None if deadline is None else max(0.0, deadline - now)
            await asyncio.wait({self._wake}, timeout=timeout)
        return self._take()

    async def last_look(self) -> JobData | None:
        """Look once more, at a deadline; None when that shows nothing new or fails."""
        await asyncio.wait({self._watch.look_at_deadline()}, timeout=LAST_LOOK + 1)
        latest = None
        while self._news:
            latest = self._take()
        return latest

    @property
    def last_failure(self) -> Exception | None:
        """Why the latest look failed; None when it did not."""
        return self._watch.last_failure

    def _take(self) -> JobData | None:
        if not self._news:
            return None
        news = self._news.popleft()
        if isinstance(news, HevoError):
            # A copy each: the waiters of a Job must not share one traceback.
            raise copy.copy(news) from news.__cause__
        if isinstance(news, Exception):
            raise news
        return news


class _Watch:
    """A Job under watch: a timer while nothing happens, a task while a look is under way."""

    def __init__(self, watcher: Watcher, key: JobKey, watches: dict[JobKey, _Watch]) -> None:
        self.clock: Clock = watcher.clock
        self.last_failure: Exception | None = None
        self._look = watcher.look
        self._key = key
        self._watches = watches
        self._followers: list[Follower] = []
        self._latest: JobData | None = None
        self._looked_at: float | None = None
        self._first_seen = self.clock.now()
        self._missing = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None
        self._over = False

    def join(self, follower: Follower, seen: tuple[JobData, float] | None) -> None:
        if seen is not None and self._is_newer(seen[1]):
            self._publish(seen[0])
            self._looked_at = seen[1]
        elif self._latest is not None and (seen is None or seen[0] != self._latest):
            follower.push(self._latest)
        self._followers.append(follower)
        self._plan()

    async def leave(self, follower: Follower) -> None:
        self._followers.remove(follower)
        if self._followers:
            self._plan()
        else:
            await self.stop()

    async def stop(self) -> None:
        self._forget()
        if self._timer is not None:
            self._timer.cancel()
        looks = {look for look in (self._task, self._last) if look is not None}
        for look in looks:
            look.cancel()
        if looks:
            await asyncio.wait(looks)

    def _forget(self) -> None:
        """Look no more; whoever waits for the Job from now on begins anew."""
        self._over = True
        if self._watches.get(self._key) is self:
            del self._watches[self._key]

    def _is_newer(self, seen_at: float) -> bool:
        # A time after now is another loop's.
        return (-1 if self._looked_at is None else self._looked_at) < seen_at <= self.clock.now()

    def fail(self, error: Exception) -> None:
        self._forget()
        for follower in self._followers:
            follower.push(error)

    def _look_now(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_on())

    def look_at_deadline(self) -> asyncio.Task[None]:
        """Start a look that is quick or fails; whoever's deadline comes meanwhile joins it.

        A look on schedule may be under way, but pausing before it repeats a request.
        """
        if self._last is None:
            deadline = self.clock.now() + LAST_LOOK
            self._last = asyncio.get_running_loop().create_task(self._look_once(deadline))
            self._last.add_done_callback(self._last_is_over)
        return self._last

    def _last_is_over(self, _: asyncio.Task[None]) -> None:
        self._last = None

    def _plan(self) -> None:
        """Set the timer for the most eager follower."""
        ended = self._latest is not None and self._latest.is_terminal
        if self._over or ended or self._task is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        gaps = [self._gap(follower) for follower in self._followers]
        due = self.clock.now() if self._looked_at is None else self._looked_at + min(gaps)
        self._timer = asyncio.get_running_loop().call_at(due, self._look_now)

    def _gap(self, follower: Follower) -> float:
        ran = None if self._latest is None else self._latest.duration_seconds
        since = self._first_seen if ran is None else self._looked_at or self._first_seen
        try:
            return next_gap(follower.schedule, (ran or 0.0) + self.clock.now() - since)
        except Exception as error:  # noqa: BLE001 -- handed to the one who passed the schedule
            follower.push(error)
            return LONGEST_GAP

    async def _look_on(self) -> None:
        """Look on schedule, and plan the next look."""
        try:
            await self._look_once(None)
        finally:
            self._task = None
        if self._followers:
            self._plan()

    async def _look_once(self, deadline: float | None) -> None:
        try:
            snapshot = await self._look(self._key, deadline)
        except PASSING as error:
            self.last_failure = error
            log.warning(
                "a look at Job %s of Pipeline %s failed, and will be repeated: %s",
                self._key[1],
                self._key[0],
                error,
            )
        except NotFound as error:
            self._not_found(error)
        except Exception as error:  # noqa: BLE001 -- handed to those who wait
            self.fail(error)
        else:
            self._publish(snapshot)
        finally:
            self._looked_at = self.clock.now()

    def _not_found(self, error: NotFound) -> None:
        self._missing += 1
        self.last_failure = error
        if self._latest is None or self._missing >= CONFIRMED_MISSING:
            self.fail(error)

    def _publish(self, snapshot: JobData) -> None:
        self.last_failure = None
        self._missing = 0
        if snapshot == self._latest:
            return
        known = None if self._latest is None else self._latest.status
        if not isinstance(snapshot.status, JobStatus) and snapshot.status != known:
            log.warning(
                "Job %s of Pipeline %s has the unknown status %r; taken as still running",
                self._key[1],
                self._key[0],
                snapshot.status,
            )
        self._latest = snapshot
        for follower in self._followers:
            follower.push(snapshot)
