"""What runs in the triggerer for ``HevoJobEventTrigger``: poll loops, cursors, payloads.

Airflow stores an event, says so within a second or two, and then the cursor is stored: so a crash
loses none, and one that falls between the two repeats one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from hevo_edge import Job
from hevo_edge.enums import same_job_type
from hevo_edge.integrations.airflow import connections
from hevo_edge.integrations.airflow.asset_cursors import AssetCursors
from hevo_edge.orchestration import (
    FeedPool,
    FeedUpdate,
    JobCursor,
    JobFeed,
    JobSubscriber,
    get_logger,
    summary,
    validation,
)

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")

STORED_WITHIN = 5.0
"""Seconds in which Airflow stores an event, where it does not say when it has."""


class EventTrigger(Protocol):
    """What is used of a trigger here: ``HevoJobEventTrigger``, which imports this module."""

    pipeline_id: int
    connection_id: str
    job_type: str | None
    accept_completed_with_failures: bool
    accept_any_end: bool
    poke_interval: float
    ended_since: str | None

    def tells_of(self, status: str) -> bool:
        """Say whether a Job that has ended with this status gives an event."""
        ...


async def payloads(
    trigger: EventTrigger, updates: AsyncIterator[FeedUpdate]
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what a trigger tells of the updates that all triggers of its connection share."""
    async with _watching(trigger, FEEDS.get(trigger.connection_id)) as watcher:
        async for update in updates:
            for payload in await watcher.payloads_of(update):
                yield payload


async def own_payloads(trigger: EventTrigger) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what a trigger tells, by a poll loop of its own."""
    feed = _feed(trigger.connection_id)
    async with _watching(trigger, feed) as watcher, aclosing(feed.updates()) as updates:
        async for update in updates:
            for payload in await watcher.payloads_of(update):
                yield payload
            if watcher.cursors.are_kept:
                await asyncio.sleep(STORED_WITHIN)
                await watcher.save(update)


class Producer:
    """Polls for all triggers of a connection: Airflow's ``SharedStreamProducer``.

    That is no base class of it, because Airflow before 3.3 has none.

    Args:
        connection_id: The Airflow connection.
    """

    def __init__(self, connection_id: str) -> None:
        self._feed = FEEDS.get(connection_id)

    async def open_stream(self) -> AsyncGenerator[tuple[FeedUpdate, FeedUpdate], None]:
        """Yield updates, for the triggers and for ``advance``."""
        async with aclosing(self._feed.updates()) as updates:
            async for update in updates:
                yield update, update

    async def advance(self, batch: Sequence[Any]) -> None:
        """Store the cursors of updates whose events Airflow has stored.

        Where a trigger has failed, nothing is: it begins anew from its stored cursor, and the
        others store a later one with the next update.
        """
        for update, outcome in batch:
            if outcome.is_clean:
                for watcher in update.steps:
                    if isinstance(watcher, Watcher):
                        await watcher.save(update)

    def get_advance_lane(self, update: FeedUpdate) -> int:
        """Return what is to be stored in order: the updates of one Pipeline."""
        return update.pipeline_id

    async def aclose(self) -> None:
        """Release nothing: clients are the pool's."""


class Watcher(JobSubscriber):
    """A trigger at work.

    Args:
        trigger: The trigger.
        cursors: Where its cursor is kept.
        cursor: What was kept.
    """

    def __init__(
        self, trigger: EventTrigger, cursors: AssetCursors, cursor: JobCursor | None
    ) -> None:
        since = trigger.ended_since
        moment = None if since is None else datetime.fromisoformat(since)
        super().__init__(
            trigger.pipeline_id,
            trigger.poke_interval,
            cursor,
            validation.parse_timestamp(moment, "ended_since"),
        )
        self.cursors = cursors
        self._trigger = trigger
        self._unsaved: WeakKeyDictionary[FeedUpdate, JobCursor] = WeakKeyDictionary()

    async def payloads_of(self, update: FeedUpdate) -> list[dict[str, Any]]:
        """Return the payloads of an update that are this trigger's."""
        if (found := self.take(update)) is None:
            return []
        self._unsaved[update] = found.cursor
        jobs = [job for job in found.jobs if self._tells_of(job)]
        if not jobs:
            return []
        # A triggerer that was frozen has been replaced by another one, which has told of them.
        stored = await self.cursors.peek()
        return [
            {**summary(job), "connection_id": self._trigger.connection_id}
            for job in jobs
            if stored is None or not stored.has_ended(job.id)
        ]

    async def save(self, update: FeedUpdate) -> None:
        """Store where an update ends, if it was taken."""
        if (cursor := self._unsaved.pop(update, None)) is not None:
            await self.cursors.save(cursor)

    def _tells_of(self, job: Job) -> bool:
        wanted = self._trigger.job_type
        is_of_type = wanted is None or same_job_type(wanted, job.type or "")
        return is_of_type and self._trigger.tells_of(str(job.status))


@asynccontextmanager
async def _watching(trigger: EventTrigger, feed: JobFeed) -> AsyncGenerator[Watcher, None]:
    """Subscribe a trigger to a feed, from where its stored cursor is."""
    # What decides which Jobs are told belongs to the key: another choice begins anew.
    wanted = [trigger.job_type or "any"]
    wanted += ["with_failures"] * trigger.accept_completed_with_failures
    wanted += ["any_end"] * trigger.accept_any_end
    key = ":".join(["hevo_jobs", trigger.connection_id, str(trigger.pipeline_id), *wanted])
    cursors = AssetCursors(getattr(trigger, "asset_state_store", None), key)
    if not cursors.are_kept:
        log.warning(
            "Pipeline %s: nothing keeps which Jobs gave an event (Airflow 3.3 does): Jobs that end "
            "while no triggerer runs give none",
            trigger.pipeline_id,
        )
    watcher = Watcher(trigger, cursors, await cursors.load())
    feed.subscribe(watcher)
    try:
        yield watcher
    finally:
        feed.unsubscribe(watcher)


def _feed(connection_id: str) -> JobFeed:
    return JobFeed(
        lambda: connections.CLIENTS.lease(connection_id, connections.read_async),
        f"connection {connection_id!r}",
    )


FEEDS: FeedPool = FeedPool(_feed)
"""The poll loops that the triggers of a connection share."""
