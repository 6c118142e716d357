"""Finding the Job of a trigger: when to poll, for how long, and the errors when there is none."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

from hevo_edge._awaiting.failures import UNANSWERED
from hevo_edge._awaiting.job_reader import FINAL_POLL_TIMEOUT
from hevo_edge._common.clock import Clock
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.attribution import MAX_START_DELAY, Found, select
from hevo_edge._triggering.pipeline_reader import READY_TIMEOUT, PipelineReader
from hevo_edge._triggering.ticket import Post, TriggerTicket
from hevo_edge.enums import (
    FAILED_RESTART_STATUSES,
    RESTARTING_STATUSES,
    Certainty,
    can_come_of,
)
from hevo_edge.errors import (
    HevoError,
    JobNotFoundAfterTrigger,
    TriggerError,
    TriggerOutcomeUnknown,
)
from hevo_edge.models import JobData
from hevo_edge.schedules import Geometric, geometric

log: logging.Logger = get_logger("hevo_edge.triggering")

FIRST_POLL = 1.0
"""Seconds from the POST's reply to the first poll: some Jobs are listed at once."""
POLL_GAPS: Geometric = geometric(share=0.08, shortest=2.5, longest=10.0)
"""The gaps between polls, by the seconds since the reply. By Hevo's docs a Job is listed after 5 to
15 s; on average it is found half a gap later.
"""
ACCEPT_DOUBTFUL_AFTER = 30.0
"""Seconds after which a Job is accepted that somebody else may have started."""
BUDGET_TIMEOUT = 1800.0
"""Seconds that a poll may wait for the call budget, after the time in which a Job must appear."""
LISTED_WITHIN = 20.0
"""Seconds within which the Job that a restart starts is listed; 5 to 15 in Hevo's docs."""
MAX_NAMED = 3
"""How many other new Jobs an error names."""
_AGAIN = "HevoClient.reconcile(error.ticket) searches again"


class Discovery:
    """The search for the Job of one POST.

    Args:
        ticket: What was posted, and which Jobs there were before.
        post: What is known of the POST.
        reader: Reads the Pipeline and its Jobs.
        clock: Time.
        belongs_to_another: Says of a Job whether it certainly belongs to another ticket.
        deadline: Loop time (seconds) at which the caller's time-out ends, if it has one.
    """

    def __init__(
        self,
        ticket: TriggerTicket,
        post: Post,
        *,
        reader: PipelineReader,
        clock: Clock,
        belongs_to_another: Callable[[TriggerTicket, JobData], bool],
        deadline: float | None = None,
    ) -> None:
        self._ticket = ticket
        self._post = post
        self._reader = reader
        self._clock = clock
        self._is_of_another = belongs_to_another
        self._started = clock.now()
        self._latest = math.inf if deadline is None else max(deadline, self._started)
        self._deadline = min(self._started + ticket.discovery_timeout, self._latest)
        self._long_ago = was_sent_long_ago(post, clock)
        self._other_jobs: dict[str, JobData] = {}
        self._status: str | None = None
        self._is_status_unread = False
        self._restart_failed = False
        self._skip_doubtful_until = self._started + ACCEPT_DOUBTFUL_AFTER

    async def find(self) -> Found:
        """Return the Job that the POST started.

        Raises:
            JobNotFoundAfterTrigger: when Hevo accepted the POST, and no Job appears.
            TriggerOutcomeUnknown: when no Job appears and it is not known whether Hevo accepted the
                POST, or when the Jobs cannot be listed.
        """
        found = await self._search()
        if found is None:
            raise await self.not_found_error()
        return found

    async def find_or_none(self) -> Found | None:
        """Return the Job that the POST started; None when no Job appears.

        Raises:
            TriggerOutcomeUnknown: when that is not proved: the Jobs cannot be listed, the Pipeline
                is still restarting after half an hour or cannot be read, the caller's time-out cut
                the search short, or there is a new Job that may be its own.
        """
        found = await self._search()
        if found is None and not self._proves_nothing_started():
            raise await self.not_found_error()
        return found

    async def check_once(self) -> Found | None:
        """Poll once, and return the Job that the POST started, if it is listed.

        Raises:
            TriggerOutcomeUnknown: when the Jobs cannot be listed.
        """
        return await self._poll(final=True)

    # -- inside -----------------------------------------------------------------------------------

    def _proves_nothing_started(self) -> bool:
        """Say whether a search that found nothing was complete, and left no Job unexplained."""
        is_cut_short = self._deadline == self._latest
        may_restart = self._is_status_unread or self._status in RESTARTING_STATUSES
        return not (is_cut_short or may_restart or self._unexplained_jobs())

    def _unexplained_jobs(self) -> list[JobData]:
        """Return the new Jobs that can have come of the POST, but were not taken for its Job.

        Their times do not fit, which proves nothing, as clocks may differ by any time; or they are
        not of the type that the caller asked for.
        """
        action = self._ticket.action
        return [job for job in self._other_jobs.values() if can_come_of(action, job.type)]

    async def _search(self) -> Found | None:
        """Poll until the Job appears; None when it has not by the end of the discovery time."""
        ticket = self._ticket
        log.info(
            "polling for the Job of %s of Pipeline %s, for up to %g s",
            ticket.action,
            ticket.pipeline_id,
            ticket.discovery_timeout,
        )
        gap = FIRST_POLL
        while True:
            await self._clock.sleep(max(0.0, min(gap, self._deadline - self._clock.now())))
            final = self._clock.now() >= self._deadline
            found = await self._poll(final=final)
            if found is not None:
                return found
            if ticket.restarts:
                final = await self._extend_while_restarting(final=final)
            if final:
                return None
            gap = POLL_GAPS.gap(self._clock.now() - self._started)

    async def _poll(self, *, final: bool) -> Found | None:
        ticket = self._ticket
        # What this client waits for its own call budget tells nothing of the Job.
        longest = min(self._deadline + BUDGET_TIMEOUT, self._latest)
        pages = self._reader.pages_until(
            ticket.pipeline_id,
            self._deadline + FINAL_POLL_TIMEOUT,
            longest + FINAL_POLL_TIMEOUT,
        )
        try:
            new_jobs = await ticket.watermark.new_jobs(pages, thorough=final)
        except HevoError as error:
            if final or not isinstance(error, UNANSWERED):
                raise self._unlistable_error(error) from error
            log.debug("a poll for the Job of a trigger failed, and will be repeated: %s", error)
            return None
        skip_doubtful = not final and self._clock.now() < self._skip_doubtful_until
        new_jobs = [job for job in new_jobs if not self._is_of_another(ticket, job)]
        found = select(
            ticket, self._post, new_jobs, skip_doubtful=skip_doubtful, long_ago=self._long_ago
        )
        if found is None or found.job is None:
            self._other_jobs.update((job.job_id, job) for job in new_jobs)
            return None
        if self._restart_failed:
            # The restart of this resync has failed, so this may be the Job of a later one.
            found = replace(found, certainty=Certainty.POSSIBLE)
        _log_found(ticket, found)
        return found

    async def _extend_while_restarting(self, *, final: bool) -> bool:
        """Extend the search while a resync restarts the Pipeline; end it when the restart failed.

        The Job starts when the Pipeline has restarted, which may take long. Returns whether the
        poll that was just made was the final one.
        """
        now = self._clock.now()
        status = await self._reader.status_of(
            self._ticket.pipeline_id,
            min(max(now, self._deadline), self._latest) + FINAL_POLL_TIMEOUT,
        )
        if status in RESTARTING_STATUSES:
            longest = self._started + READY_TIMEOUT + self._ticket.discovery_timeout
            longest = min(longest, self._latest)
            self._deadline = min(longest, now + self._ticket.discovery_timeout)
            self._skip_doubtful_until = now + ACCEPT_DOUBTFUL_AFTER
            final = now >= longest
        elif status in FAILED_RESTART_STATUSES and not self._restart_failed:
            self._restart_failed = True
            self._deadline = min(self._deadline, now + LISTED_WITHIN)
        self._is_status_unread = status is None
        self._status = status or self._status
        return final

    # -- errors -----------------------------------------------------------------------------------

    async def not_found_error(self) -> TriggerError:
        """Make the error for a search that found nothing."""
        ticket, post = self._ticket, self._post
        missing = self._missing()
        if post.accepted and self._status is None:
            soon = min(self._clock.now(), self._latest) + FINAL_POLL_TIMEOUT
            self._status = await self._reader.status_of(ticket.pipeline_id, soon)
        if self._status is not None:
            missing += f" (the Pipeline is {short(self._status)})"
        what = f"{ticket.action} of Pipeline {ticket.pipeline_id}"
        if not post.accepted:
            return TriggerOutcomeUnknown(
                f"{what} may or may not have reached Hevo ({post.ambiguity}), and {missing}. "
                f"{self._advice()}",
                ticket=ticket,
            )
        advice = f"Do not trigger again blindly: {_AGAIN}"
        if self._status in FAILED_RESTART_STATUSES:
            advice = (
                "Its restart failed. Enable the Pipeline later (Pipeline.enable) and trigger "
                "again; if that does not help, ask Hevo's support"
            )
        return JobNotFoundAfterTrigger(
            f"Hevo accepted {what}, but {missing}. {advice}", ticket=ticket
        )

    def _missing(self) -> str:
        """Describe which Job was searched for, and which others appeared."""
        ticket = self._ticket
        waited = self._clock.now() - self._started
        wanted = "new" if ticket.job_type is None else f"new {ticket.job_type}"
        missing = f"no {wanted} Job showed up within {waited:.0f} s"
        others = list(self._other_jobs.values())
        for job in others[:MAX_NAMED]:
            missing += f"; but {short(job.type)} Job {short(job.job_id)} did"
            if not ticket.matches(job):
                missing += ": leave job_type out to take any"
            else:
                missing += (
                    ", created at another time than the trigger by Hevo's clock; if the clocks "
                    "differ it may be yours: "
                    f'HevoClient.job("{ticket.pipeline_id}:{short(job.job_id)}")'
                )
        if len(others) > MAX_NAMED:
            missing += f"; and {len(others) - MAX_NAMED} more did"
        return missing

    def _advice(self) -> str:
        """Advise how to go on when it is not known whether Hevo accepted the POST."""
        if self._unexplained_jobs():
            return (
                "It is left to you whether that Job is yours: await it; or, if it is not, trigger "
                "again, which makes a new ticket"
            )
        return f"{_AGAIN}; when it returns None, none has come of it"

    def _unlistable_error(self, error: HevoError) -> TriggerOutcomeUnknown:
        ticket = self._ticket
        return TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} was, or may have been, sent, but "
            f"the Jobs could not be listed: {error}. {_AGAIN}",
            ticket=ticket,
        )


def was_sent_long_ago(post: Post, clock: Clock) -> bool:
    """Say whether a POST was sent so long ago that a new Job cannot come of it."""
    # The two times may come from two clocks; minutes do not matter.
    return post.sent_at is not None and clock.wall() - post.sent_at > MAX_START_DELAY


def _log_found(ticket: TriggerTicket, found: Found) -> None:
    log.info(
        "%s of Pipeline %s became %s Job %s (%s)",
        ticket.action,
        ticket.pipeline_id,
        None if found.job is None else short(found.job.type),
        short(found.job_id),
        found.certainty,
    )
