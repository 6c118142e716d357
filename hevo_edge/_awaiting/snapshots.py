"""A Job's snapshots one after another, for a coroutine that watches it or waits for its end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from hevo_edge._awaiting.poll_target import Subscriber
from hevo_edge._awaiting.watched_job import JobKey
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.async_context import AsyncContext
from hevo_edge._common.per_loop import running_loop
from hevo_edge.models import JobData
from hevo_edge.schedules import Schedule

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_BUFFERED = 10_000
"""How many snapshots wait for a slow reader: the changes of a day and a half, at 15 s each."""


class SnapshotStream(Subscriber, AsyncContext):
    """Buffers a Job's snapshots until they are asked for; use it as an async context manager.

    Of a reader that is ten thousand behind, the oldest are dropped.

    Args:
        watcher: Polls the Job.
        key: Pipeline id and Job id.
        schedule: How often to poll.
        seen: A snapshot and its loop time, if there is one; see ``Watcher.subscribe``.
    """

    __slots__ = ("_buffer", "_key", "_seen", "_wake", "_watcher")

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
        self._buffer: deque[JobData | Exception] = deque(maxlen=MAX_BUFFERED)
        self._wake: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._watcher.subscribe(self, self._key, self._seen)
        return self

    async def _leave(self, _: BaseException | None, /) -> None:
        self._watcher.unsubscribe(self)
        await self._watcher.settle()

    def on_update(self, news: JobData | Exception) -> None:
        """Buffer it, and wake ``next``."""
        self._buffer.append(news)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def on_deadline(self) -> None:
        """Do nothing: there is no deadline."""

    async def next(self) -> JobData:
        """Return the next snapshot.

        Raises:
            HevoError: what makes further polls pointless, such as AuthenticationError.
        """
        if not self._buffer:
            self._wake = running_loop().create_future()
            await self._wake
        news = self._buffer.popleft()
        if isinstance(news, Exception):
            raise news
        return news


async def until_ended(
    watcher: Watcher,
    key: JobKey,
    schedule: Schedule,
    seen: tuple[JobData, float] | None = None,
) -> JobData:
    """Wait without a deadline until a Job has ended, however it ended; return its snapshot."""
    async with SnapshotStream(watcher, key, schedule, seen) as snapshots:
        while True:
            snapshot = await snapshots.next()
            if snapshot.is_terminal:
                return snapshot
