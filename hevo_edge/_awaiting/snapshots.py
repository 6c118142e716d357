"""Following a Job from a coroutine: its snapshots one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from hevo_edge._awaiting.watched_job import Follower, JobKey
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge.models import JobData
from hevo_edge.schedules import Schedule


class Reader(Follower):
    """Keeps what it hears until it is asked for; use it as an async context manager.

    Args:
        watcher: Tells of the Job.
        key: Pipeline id and Job id.
        schedule: How often to look.
        seen: A snapshot and its loop time, if there is one; see ``Watcher.follow``.
    """

    __slots__ = ("_key", "_news", "_seen", "_wake", "_watcher")

    def __init__(
        self,
        watcher: Watcher,
        key: JobKey,
        schedule: Schedule,
        seen: tuple[JobData, float] | None = None,
    ) -> None:
        super().__init__(schedule)
        self._watcher = watcher
        self._key = key
        self._seen = seen
        self._news: deque[JobData | Exception] = deque()
        self._wake: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Reader:
        self._watcher.follow(self, self._key, self._seen)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watcher.leave(self)
        await self._watcher.settle()

    def hear(self, news: JobData | Exception) -> None:
        """Keep it, and wake who waits for it."""
        self._news.append(news)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def time_is_up(self) -> None:
        """Do nothing: there is no deadline."""

    async def next(self) -> JobData:
        """Return the next snapshot.

        Raises:
            HevoError: what makes further looks pointless, such as AuthenticationError.
        """
        if not self._news:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        news = self._news.popleft()
        if isinstance(news, Exception):
            raise news
        return news


async def until_over(
    watcher: Watcher,
    key: JobKey,
    schedule: Schedule,
    seen: tuple[JobData, float] | None = None,
) -> JobData:
    """Wait without a deadline until a Job has ended, however it ended; return its snapshot."""
    async with Reader(watcher, key, schedule, seen) as reader:
        while True:
            snapshot = await reader.next()
            if snapshot.is_terminal:
                return snapshot
