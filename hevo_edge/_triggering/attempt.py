"""One attempt at a ticket: read the Pipeline's Jobs, POST once, and find the Job of that POST.

The API takes no idempotency key and returns no job id. So: read the list, POST once, and poll for a
new Job. A POST is repeated only when it certainly was not sent, or was refused; ``states`` has the
transitions that guarantee this.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from hevo_edge._common.timeouts import DeadlinePassed, Overtaken
from hevo_edge._text.logger import get_logger
from hevo_edge._triggering.attribution import Found, select
from hevo_edge._triggering.discovery import LISTED_WITHIN, Discovery, was_sent_long_ago
from hevo_edge._triggering.known_tickets import shared
from hevo_edge._triggering.parts import TriggerParts
from hevo_edge._triggering.pipeline_lock import lock_of
from hevo_edge._triggering.pipeline_reader import (
    JobRunning,
    PipelineRestarting,
    RunningJobUnlisted,
)
from hevo_edge._triggering.posting import send_post
from hevo_edge._triggering.registry import TicketRecord
from hevo_edge._triggering.reporting import TriggerReport
from hevo_edge._triggering.states import TicketState
from hevo_edge._triggering.ticket import UNKNOWN, Post, TriggerTicket
from hevo_edge._triggering.time_limit import TimeLimit
from hevo_edge.enums import Certainty, IfRunning
from hevo_edge.errors import (
    ApiError,
    HevoError,
    JobInProgress,
    RateLimited,
    RequestNotSent,
)
from hevo_edge.models import JobData
from hevo_edge.observing._events import TriggerPhase
from hevo_edge.schedules import Geometric, geometric

log = get_logger("hevo_edge.triggering")

REPEAT_PAUSES: Geometric = geometric(share=1.0, shortest=5.0, longest=30.0)
"""The pauses before a trigger that was refused for an unlisted Job is sent again."""
UNLISTED_POLL = 5.0
"""Seconds between the polls for that Job meanwhile: a read costs Hevo less than a refusal."""
MAX_READ_AGE = 15.0
"""Seconds for which a prepared sync is fired without reading again. A Job that starts meanwhile
does no harm: Hevo refuses, or the Job is older. A resync is not refused, so it always reads."""
MIN_PAUSE = 1.0
"""Seconds, at least, before a POST that got 429 waits for the call budget again."""
_BAD_REQUEST = 400
OBSTACLES = (PipelineRestarting, JobRunning, RunningJobUnlisted)
"""What has to be gone before the POST."""


class Attempt:
    """One call of ``trigger``, ``prepare``, ``fire`` or ``reconcile``.

    Args:
        parts: What every attempt needs.
        record: The ticket's record.
        deadline: Loop time (seconds) at which the caller's time-out ends, if it has one. If a POST
            has left by then, one more poll searches for its Job.
        report: Is told what the attempt is doing.
        given: The copy of the ticket that the caller has, which may hold more than the record.
        first: Whether the caller knows that no other process has fired the ticket.
    """

    def __init__(
        self,
        parts: TriggerParts,
        record: TicketRecord,
        deadline: float | None,
        report: TriggerReport,
        *,
        given: TriggerTicket | None = None,
        first: bool = False,
    ) -> None:
        self._parts = parts
        self._record = record
        self._report = report
        self._given = given or record.ticket
        self._is_first = first
        self._limit = TimeLimit(parts.clock, record, deadline, report)
        self._lock = lock_of(parts.scope, record.ticket.pipeline_id)
        self._is_started = False
        self._unlisted_since: float | None = None
        self._limited_since: float | None = None
        self._unsent_since: float | None = None

    # -- entry points -----------------------------------------------------------------------------

    async def until_found(self) -> Found:
        """Post once and find the Job, after every obstacle is gone."""
        while True:
            try:
                return await self._round()
            except (*OBSTACLES, RequestNotSent, ApiError) as error:
                obstacle = error
            except Overtaken as overtaken:
                if overtaken.by == self._record.ticket.ticket_id:
                    self._is_started = True  # by another task that fires this ticket
                    continue
                raise self._parts.policy.in_progress(self._record.ticket, None) from None
            found = await self._clear_obstacle(obstacle)
            if found is not None:
                return found

    async def until_read(self) -> None:
        """Do everything that comes before the POST, and store the ticket."""
        record = self._record
        while record.is_unposted and record.read_at is None:
            try:
                await self._read()
            except PipelineRestarting:
                await self._wait_for_restart()
            except JobRunning as running:
                await self._apply_if_running(running)
        if record.state is TicketState.READ:
            await record.store()

    async def search_only(self) -> Found | None:
        """Return the Job of a ticket that may have been posted; None when there is none."""
        async with self._alone():
            record = self._record
            if record.is_unposted and record.earlier is None:
                return None  # its POST was refused while this waited for the lock
            found = await self._search()
            if found is None:
                record.mark_unposted()
            return found

    async def _round(self) -> Found:
        """Read, post and search, while no other attempt triggers the Pipeline.

        Raises:
            Overtaken: when ``if_running`` is "fail", and another attempt has started a run.
        """
        record = self._record
        may_post = record.is_unposted and not record.earlier and not record.is_behind(self._given)
        fails = record.ticket.if_running is IfRunning.FAIL and may_post and not self._is_started
        async with self._alone(unless_run_started=fails):
            if self._is_first:
                record.mark_unfired()
            if record.state is TicketState.FOREIGN:
                found = await self._search()
                if found is not None:
                    return found
                record.mark_unposted()
            if record.is_unposted:
                found = await self._check_earlier()
                if found is not None:
                    return found
                await self._read_if_stale()
                await self._post()
            return await self._find()

    @asynccontextmanager
    async def _alone(self, *, unless_run_started: bool = False) -> AsyncGenerator[None, None]:
        """Hold the Pipeline's lock, and know of the ticket what any task of this loop knows."""
        async with self._limit.locked(self._lock, unless_run_started=unless_run_started):
            self._record.update(self._given)
            with shared(self._record):
                yield

    async def _search(self) -> Found | None:
        record = self._record
        if record.state in {TicketState.FOUND, TicketState.ACCEPTED}:
            return await self._find()
        ticket = record.ticket
        posted = record.earlier or ticket
        found = await self._discovery(posted, ticket.post or record.earlier_post).find_or_none()
        return None if found is None else await record.mark_found(found)

    async def _check_earlier(self) -> Found | None:
        """Return the late Job of an earlier POST, if it has appeared since the search for it."""
        record = self._record
        if record.earlier is None:
            return None
        found = await self._discovery(record.earlier, record.earlier_post).check_once()
        return None if found is None else await record.mark_found(found)

    async def _find(self) -> Found:
        """Return the Job of a posted ticket; its snapshot, when it was found before."""
        record, ticket = self._record, self._record.ticket
        if ticket.job_id is not None:
            data = await self._parts.reader.job(
                ticket.pipeline_id, ticket.job_id, self._limit.final_deadline()
            )
            return Found(ticket.job_id, ticket.certainty or Certainty.POSSIBLE, data)
        found = await self._discovery(ticket, ticket.post or UNKNOWN).find()
        self._parts.registry.set_owner(ticket, found)
        return await record.mark_found(found)

    async def _read_if_stale(self) -> None:
        record = self._record
        age = None if record.read_at is None else self._parts.clock.now() - record.read_at
        # A negative age comes from another event loop's clock.
        if age is None or record.ticket.restarts or not 0 <= age <= MAX_READ_AGE:
            await self._read()

    async def _read(self) -> None:
        def read() -> Coroutine[Any, Any, tuple[TriggerTicket, float]]:
            return self._parts.reader.read(self._record.ticket)

        self._record.mark_read(*await self._limit.outlasted("reading its state and Jobs", read))

    def _discovery(self, ticket: TriggerTicket, post: Post) -> Discovery:
        self._report.phase(TriggerPhase.SEARCHING, "looking for its Job")
        return Discovery(
            ticket,
            post,
            reader=self._parts.reader,
            clock=self._parts.clock,
            belongs_to_another=self._parts.registry.belongs_to_another,
            deadline=self._limit.deadline,
        )

    async def _post(self) -> None:
        """Send the POST once, and record its outcome.

        Raises:
            JobRunning, RunningJobUnlisted: when Hevo refused because of a running Job.
            HevoError: when Hevo refused for another reason, or it was never sent.
        """
        record, clock = self._record, self._parts.clock
        read, read_at, wall = record.ticket, record.read_at, clock.wall()
        self._report.phase(TriggerPhase.POSTING, "sending the POST")
        left_at: float | None = None

        def leaves() -> None:
            nonlocal left_at
            self._limit.check()
            left_at = clock.now()
            record.mark_leaving(read, left_at - (left_at if read_at is None else read_at))

        try:
            # Stored before the POST leaves, so that every process which resumes it knows of it.
            await record.mark_sending(wall)
            post = await send_post(
                self._parts.transport,
                read,
                self._parts.dialect,
                deadline=self._limit.deadline,
                before_sending=leaves,
            )
        except JobInProgress as error:
            refusal = error
            # With an earlier POST, the refusal is evidence of that POST: keep the stored ticket.
            await record.mark_not_sent(read, store=record.earlier is None)
        except (HevoError, DeadlinePassed) as error:
            await record.mark_not_sent(read)
            if self._limit.has_passed():
                raise self._limit.error("waiting for the call budget") from error
            raise
        except BaseException:
            record.mark_interrupted(read, has_left=left_at is not None)
            raise
        else:
            elapsed = clock.now() - (left_at or clock.now())
            if post.accepted:
                self._lock.mark_run_started(read.ticket_id)
            await record.mark_settled(post.model_copy(update={"elapsed": elapsed, "sent_at": wall}))
            return
        await self._raise_running(refusal)

    async def _raise_running(self, refusal: JobInProgress) -> None:
        running = await self._read_running()
        raise RunningJobUnlisted(refusal) if running is None else JobRunning(running, refusal)

    async def _read_running(self) -> JobData | None:
        reading = self._parts.reader.running_job(self._record.ticket.pipeline_id)
        doing = "reading which Job runs"
        return await self._limit.bounded(doing, reading, TriggerPhase.READING)

    # -- obstacles --------------------------------------------------------------------------------

    async def _clear_obstacle(
        self,
        obstacle: PipelineRestarting | JobRunning | RunningJobUnlisted | RequestNotSent | ApiError,
    ) -> Found | None:
        """Wait until an obstacle is gone; return the Job if the obstacle is the Job to return."""
        if isinstance(obstacle, JobRunning):
            self._unlisted_since = None
            return await self._apply_if_running(obstacle)
        if isinstance(obstacle, RunningJobUnlisted):
            return await self._wait_until_listed(obstacle.refusal)
        if isinstance(obstacle, PipelineRestarting):
            await self._wait_for_restart()
        elif isinstance(obstacle, RateLimited) and obstacle.method == "POST":
            await self._wait_after_429(obstacle)
            return None
        elif isinstance(obstacle, RequestNotSent):
            self._unsent_since = self._unsent_since or self._parts.clock.now()
            await self._limit.pause_after(obstacle, "sending the POST", self._unsent_since)
            return None
        elif not await self._was_restarting(obstacle):
            raise obstacle
        async with self._alone():
            self._record.reopen()
        return None

    async def _wait_for_restart(self) -> None:
        if not await self._outwait_restart():
            # Its status changed between two reads: pause, so that a status that flaps is not
            # polled without end.
            await self._limit.sleep(REPEAT_PAUSES.shortest, "waiting for its restart")

    async def _was_restarting(self, refusal: ApiError) -> bool:
        """Say whether Hevo refused the POST because of a restart; if so, wait until it is over."""
        is_of_post = refusal.status == _BAD_REQUEST and refusal.method == "POST"
        return is_of_post and await self._outwait_restart()

    async def _outwait_restart(self) -> bool:
        """Wait until the Pipeline has restarted; return False when it was not restarting."""
        ticket, what = self._record.ticket, "waiting for its restart"
        waited = await self._limit.outlasted(
            what, lambda: self._parts.reader.until_ready(ticket.pipeline_id)
        )
        if waited and ticket.restarts:
            # Wait until the Job of another resync is listed, or this resync would cancel it.
            await self._limit.sleep(LISTED_WITHIN, what)
        return waited

    async def _wait_after_429(self, refusal: RateLimited) -> None:
        """Wait while the limiter pauses the client, if the time-out allows that.

        Raises:
            RateLimited: when the pause ends after the time-out.
        """
        now, ticket = self._parts.clock.now(), self._record.ticket
        self._limited_since = self._limited_since or now
        latest = self._limit.deadline or self._limited_since + ticket.discovery_timeout
        pause = max(MIN_PAUSE, self._parts.limiter.pause_left())
        if now + pause >= latest:
            raise refusal
        log.info(
            "%s of Pipeline %s got 429, nothing was started; it is sent again in %.0f s",
            ticket.action,
            ticket.pipeline_id,
            pause,
        )
        await self._limit.sleep(pause, "waiting after a 429")

    async def _apply_if_running(self, obstacle: JobRunning) -> Found | None:
        """Return the running Job if an earlier POST started it, else apply ``if_running``."""
        record, earlier, running = self._record, self._record.earlier, obstacle.running
        if earlier is not None and earlier.watermark.is_new(running):
            post = record.earlier_post
            long_ago = was_sent_long_ago(post, self._parts.clock)
            found = select(earlier, post, [running], skip_doubtful=False, long_ago=long_ago)
            if found is not None:
                return await self._mark_found(found)
        applying = self._parts.policy.apply_if_running(record.ticket, running, obstacle.refusal)
        waits = record.ticket.if_running in {IfRunning.WAIT, IfRunning.REPLACE}
        joined = await self._limit.bounded(
            f"waiting for Job {running.job_id} to end",
            applying,
            TriggerPhase.WAITING if waits else TriggerPhase.READING,
        )
        record.read_at = None  # the Jobs were read before that one started
        if joined is None:
            return None
        return await self._mark_found(Found(joined.job_id, Certainty.JOINED, joined))

    async def _mark_found(self, found: Found) -> Found | None:
        """Record a running Job, unless another task has posted the ticket meanwhile."""
        async with self._alone():
            return await self._record.mark_found(found) if self._record.is_unposted else None

    async def _wait_until_listed(self, refusal: JobInProgress) -> Found | None:
        """Wait a while for a running Job that the list does not show yet.

        Raises:
            TriggerOutcomeUnknown: when an earlier POST of the ticket may have started it.
            JobInProgress: when ``if_running`` is "fail", or the Job is not listed in time.
        """
        record, ticket, clock = self._record, self._record.ticket, self._parts.clock
        self._unlisted_since = self._unlisted_since or clock.now()
        if record.earlier is not None:
            async with self._alone():
                await record.mark_ambiguous(f"Hevo says that a Job is running: {refusal}")
                return await self._find()
        age = clock.now() - self._unlisted_since
        if age >= ticket.discovery_timeout or ticket.if_running is IfRunning.FAIL:
            raise self._parts.policy.in_progress(ticket, None, refusal=refusal) from refusal
        post_at = clock.now() + min(REPEAT_PAUSES.gap(age), ticket.discovery_timeout - age)
        while (left := post_at - clock.now()) > 0:
            await self._limit.sleep(
                min(left, UNLISTED_POLL), "waiting for the running Job to be listed"
            )
            running = await self._read_running()
            if running is not None:
                return await self._clear_obstacle(JobRunning(running, refusal))
        return None
