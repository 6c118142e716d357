"""A Job under watch: its last snapshot, and what its own row and the Pipeline's list say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.poll_target import JobReader, PollTarget, Subscriber
from hevo_edge._common.per_loop import loop_time
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import quoted, short
from hevo_edge.enums import PUT_ASIDE_STATUSES
from hevo_edge.models import JobData
from hevo_edge.schedules import Auto, Schedule

__all__ = ["JobKey", "Subscriber", "WatchedJob"]

JobKey: TypeAlias = tuple[int, str]
"""Pipeline id and Job id."""
log: logging.Logger = get_logger("hevo_edge.awaiting")

MAX_LIST_POLLS = 3
"""How many polls in a row may read the Job from the list, before it is read by its id."""


class WatchedJob(PollTarget):
    """A Job under watch.

    Attributes:
        key: Pipeline id and Job id.
        latest: The last snapshot.

    Args:
        key: Pipeline id and Job id.
        now: The loop time.
        history: How long the Pipelines' finished Jobs took.
        on_status: Is told of each new status, and of the one before; None when nobody observes.
    """

    __slots__ = ("_history", "_is_unlisted", "_list_polls", "_on_status", "key", "latest")

    def __init__(
        self,
        key: JobKey,
        now: float,
        history: DurationHistory,
        on_status: Callable[[int, JobData], None] | None = None,
    ) -> None:
        super().__init__(now)
        self._on_status = on_status
        self.key: JobKey = key
        self.latest: JobData | None = None
        self._history = history
        self._list_polls = 0  # polls in a row that read the list only
        self._is_unlisted = False  # the list does not show it, so it is read by its id

    @property
    def pipeline_id(self) -> int:
        """The Job's Pipeline."""
        return self.key[0]

    @property
    def label(self) -> str:
        """What logs call it."""
        return f"Job {short(self.key[1])} of Pipeline {self.key[0]}"

    @property
    def has_ended(self) -> bool:
        """Whether the last snapshot shows that the Job has ended."""
        return self.latest is not None and self.latest.is_terminal

    @property
    def was_deferred_or_skipped(self) -> bool:
        """Whether it has ended in a way that need not be the end, such as DEFERRED."""
        return self.latest is not None and self.latest.status in PUT_ASIDE_STATUSES

    @property
    def is_listable(self) -> bool:
        """Whether the next poll may read it from the list; now and then it is read by its id."""
        return not self._is_unlisted and self._list_polls < MAX_LIST_POLLS

    # -- what is read -----------------------------------------------------------------------------

    async def poll(self, reader: JobReader, *, final: bool, on_slot: Callable[[], None]) -> None:
        """Read the Job by its id."""
        self._list_polls = 0
        snapshot = await reader.read_job(self.key, final=final, on_slot=on_slot)
        self.publish(snapshot, loop_time())

    def catch_up(
        self, subscriber: Subscriber, seen: tuple[JobData, float] | None, now: float
    ) -> None:
        """Bring the Job and a new subscriber to the same state.

        Args:
            subscriber: Is given the last snapshot, unless it has it.
            seen: The subscriber's own snapshot and its loop time, which may be the newer one.
            now: The loop time.
        """
        if seen is not None and self._is_newer(seen[1], now):
            self.publish(*seen)
        if self.latest is not None and (seen is None or seen[0] != self.latest):
            subscriber.on_update(self.latest)

    def publish(self, snapshot: JobData, read_at: float) -> None:
        """Take in a snapshot; where it shows a change, hand it to the subscribers."""
        self.record_success(read_at)
        if snapshot.duration_seconds is not None:
            # It never becomes younger, not even where its duration stands still.
            self._started_at = min(self._started_at, read_at - snapshot.duration_seconds)
        if snapshot == self.latest:
            return
        if self.latest is not None and snapshot.is_older_than(self.latest):
            return
        known = None if self.latest is None else self.latest.status
        if not snapshot.has_known_status and snapshot.status != known:
            log.warning(
                "%s has the unknown status %s; taken as still running",
                self.label,
                quoted(str(snapshot.status)),
            )
        self.latest = snapshot
        if self._on_status is not None and snapshot.status != known:
            self._on_status(self.key[0], snapshot)
        self.notify(snapshot)

    def publish_row(self, row: JobData, read_at: float) -> None:
        """Take in a row of the list, which may be less, or older, than what the Job's id shows.

        An end without its counts is not taken from the list; the Job is read by its id, at once.
        """
        self._list_polls += 1
        is_incomplete = row.events_loaded is None or row.duration is None
        if row.is_terminal and is_incomplete:
            self._is_unlisted, self.polled_at = True, None
        elif not is_incomplete or self.latest is None:
            self.publish(row, read_at)
        else:
            self.record_success(read_at)

    def mark_unlisted(self) -> None:
        """Record that the list does not show the Job."""
        self._is_unlisted = True

    def _is_newer(self, seen_at: float, now: float) -> bool:
        """Say whether a snapshot of a loop time is newer than the last poll."""
        # A time after now is another loop's.
        return seen_at <= now and (self.latest is None or (self.polled_at or -1.0) < seen_at)

    # -- when to poll -----------------------------------------------------------------------------

    def needs_history(self, now: float) -> bool:
        """Say whether a subscriber's schedule would learn from the list, and nothing is known."""
        for schedule, _ in self._schedules.values():
            if isinstance(schedule, Auto):
                return not self._history.is_fresh(self.key[0], now)
        return False

    def _effective(self, schedule: Schedule) -> Schedule:
        """Return what was learnt for an ``auto`` schedule, once the Job's age is known."""
        # Without its duration nobody knows the age of a Job that somebody else has started.
        if (
            isinstance(schedule, Auto)
            and self.latest is not None
            and self.latest.duration is not None
        ):
            return self._history.schedule(self.key[0], self.latest.type, schedule)
        return schedule
