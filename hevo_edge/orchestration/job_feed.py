"""Polls many Pipelines of one account for daemons that tell of each Job that has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

from hevo_edge._common.cleanup import ended
from hevo_edge._common.per_loop import loop_time, running_loop
from hevo_edge._text.logger import get_logger
from hevo_edge.client import HevoClient
from hevo_edge.errors import ConfigurationError, RequestError
from hevo_edge.orchestration.job_cursor import EndedJobs, JobCursor, Start, ended_jobs_for

__all__ = ["FeedPool", "FeedUpdate", "JobFeed", "JobSubscriber"]

log: logging.Logger = get_logger("hevo_edge.orchestration")

MAX_POLLS = 8
"""How many Pipelines are polled at once: one that does not answer must not hold up the others."""
LONGEST_BACKOFF = 300.0
"""Seconds to the next poll after errors that no time mends, at most; or the interval, if longer."""
_CHECK_EVERY = 1.0
"""Seconds after which a new subscriber is noticed."""
Lease = Callable[[], AbstractAsyncContextManager[HevoClient]]
"""Lends a client for one poll, so that a changed account is noticed."""


class JobSubscriber:
    """Somebody who is told of the Jobs of one Pipeline.

    Args:
        pipeline_id: The Pipeline.
        interval: Seconds between polls.
        cursor: Where its last poll has ended; None for the first.
        ended_since: See ``ended_jobs``; in ms since 1970.
    """

    def __init__(
        self,
        pipeline_id: int,
        interval: float,
        cursor: JobCursor | None = None,
        ended_since: int | None = None,
    ) -> None:
        self.pipeline_id = pipeline_id
        self.interval = interval
        self.cursor: JobCursor | None = cursor
        self.ended_since = ended_since

    def take(self, update: FeedUpdate) -> EndedJobs | None:
        """Go on to where an update ends, and return what it tells.

        Returns:
            None when it is not for this one, or repeats what an earlier one has told.
        """
        step = update.steps.get(self)
        if step is None or step.before is not self.cursor:
            return None
        self.cursor = step.found.cursor
        return step.found


class _Step(NamedTuple):
    """What a poll has found for a subscriber, and from where it began."""

    before: JobCursor | None
    found: EndedJobs


@dataclass(frozen=True, eq=False)
class FeedUpdate:
    """What a poll of a Pipeline has found; a subscriber's ``take`` returns its part.

    One that nobody takes, because its reader was cancelled, say, is found again by the next poll.

    Attributes:
        pipeline_id: The Pipeline.
        steps: The part of each subscriber for which something has changed.
    """

    pipeline_id: int
    steps: Mapping[JobSubscriber, _Step]


class _Poll(NamedTuple):
    """A poll under way."""

    pipeline_id: int
    starts: Mapping[JobSubscriber, Start]
    began: float


class JobFeed:
    """Polls each Pipeline when it is due, once for all its subscribers; nothing ends it.

    Args:
        lease: Lends a client for one poll.
        name: What its log records call the account.
    """

    def __init__(self, lease: Lease, name: str) -> None:
        self._lease = lease
        self._name = name
        self._due: dict[JobSubscriber, float] = {}  # each subscriber's next poll, loop time
        self._failing: dict[int, str] = {}
        self._failures: dict[int, int] = {}

    def subscribe(self, subscriber: JobSubscriber) -> None:
        """Poll for one more; its first poll is soon."""
        self._due[subscriber] = loop_time()

    def unsubscribe(self, subscriber: JobSubscriber) -> None:
        """Poll for one less."""
        self._due.pop(subscriber, None)
        if all(each.pipeline_id != subscriber.pipeline_id for each in self._due):
            self._failing.pop(subscriber.pipeline_id, None)
            self._failures.pop(subscriber.pipeline_id, None)

    async def updates(self) -> AsyncGenerator[FeedUpdate, None]:
        """Yield what changes, without end, for the subscribers to take."""
        polls: dict[asyncio.Task[list[EndedJobs]], _Poll] = {}
        try:
            while True:
                self._start_due(polls)
                if polls:
                    await asyncio.wait(polls, timeout=_CHECK_EVERY, return_when="FIRST_COMPLETED")
                else:
                    await asyncio.sleep(self._until_due())
                for task in [task for task in polls if task.done()]:
                    update = self._taken(polls.pop(task), task)
                    if update is not None:
                        yield update
        finally:
            for task in polls:
                task.cancel()
            await ended(polls, "ending the polls of a feed")

    def _until_due(self) -> float:
        due = min(self._due.values(), default=float("inf"))
        return min(max(due - loop_time(), 0.0), _CHECK_EVERY)

    def _start_due(self, polls: dict[asyncio.Task[list[EndedJobs]], _Poll]) -> None:
        now = loop_time()
        under_way = {poll.pipeline_id for poll in polls.values()}
        due = sorted(
            (each for each, at in self._due.items() if at <= now), key=self._due.__getitem__
        )
        for pipeline_id in dict.fromkeys(each.pipeline_id for each in due):
            if len(polls) >= MAX_POLLS:
                return
            if pipeline_id not in under_way:
                of_pipeline = (each for each in self._due if each.pipeline_id == pipeline_id)
                starts = {each: Start(each.cursor, each.ended_since) for each in of_pipeline}
                task = asyncio.create_task(self._poll(pipeline_id, starts.values()))
                task.add_done_callback(_retrieve_error)
                polls[task] = _Poll(pipeline_id, starts, now)

    async def _poll(self, pipeline_id: int, starts: Iterable[Start]) -> list[EndedJobs]:
        async with self._lease() as hevo:
            return await ended_jobs_for(hevo.pipeline(pipeline_id), list(starts))

    def _taken(self, poll: _Poll, task: asyncio.Task[list[EndedJobs]]) -> FeedUpdate | None:
        """Take in what a poll has found; None when nothing has changed."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._note(poll.pipeline_id, error)
        for subscriber in poll.starts.keys() & self._due.keys():
            self._due[subscriber] = poll.began + self._pause(subscriber)
        if error is not None:
            return None
        steps = {
            subscriber: _Step(start.cursor, found)
            for (subscriber, start), found in zip(poll.starts.items(), task.result(), strict=True)
            if found.cursor != start.cursor
        }
        return FeedUpdate(poll.pipeline_id, steps) if steps else None

    def _pause(self, subscriber: JobSubscriber) -> float:
        """Return the seconds to the next poll: more after errors in a row that no time mends."""
        failures = self._failures.get(subscriber.pipeline_id, 0)
        longest = max(subscriber.interval, LONGEST_BACKOFF)
        return min(subscriber.interval * 2.0 ** min(failures, 16), longest)

    def _note(self, pipeline_id: int, error: BaseException | None) -> None:
        """Log when polls of a Pipeline begin to fail, fail for another reason, or work again."""
        if error is None:
            self._failures.pop(pipeline_id, None)
            if self._failing.pop(pipeline_id, None) is not None:
                log.info("%s: the Jobs of Pipeline %s can be read again", self._name, pipeline_id)
            return
        if _is_mended_by_time(error):
            self._failures.pop(pipeline_id, None)
        else:
            self._failures[pipeline_id] = self._failures.get(pipeline_id, 0) + 1
        kind = type(error).__name__
        if self._failing.get(pipeline_id) != kind:
            self._failing[pipeline_id] = kind
            log.warning(
                "%s: the Jobs of Pipeline %s cannot be read, which is tried again: %s: %s",
                self._name,
                pipeline_id,
                kind,
                error,
            )


class FeedPool:
    """One feed for each account and event loop, for a daemon whose subscribers come and go.

    Args:
        make: Makes the feed of the account that goes by a key.
    """

    def __init__(self, make: Callable[[str], JobFeed]) -> None:
        self._make = make
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, JobFeed]] = (
            WeakKeyDictionary()
        )

    def get(self, key: str) -> JobFeed:
        """Return the running loop's feed of an account."""
        feeds = self._of_loop.setdefault(running_loop(), {})
        if key not in feeds:
            feeds[key] = self._make(key)
        return feeds[key]


def _retrieve_error(task: asyncio.Task[list[EndedJobs]]) -> None:
    if not task.cancelled():
        task.exception()


def _is_mended_by_time(error: BaseException) -> bool:
    if isinstance(error, RequestError):
        return error.transient
    return not isinstance(error, ConfigurationError)
