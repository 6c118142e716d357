"""Finding the Job of a trigger: when to look, for how long, and what to say when there is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from hevo_edge._awaiting.job_reader import FINAL_POLL_TIMEOUT
from hevo_edge._awaiting.poll import TRANSIENT_ERRORS
from hevo_edge._common.clock import Clock
from hevo_edge._triggering.attribution import LATEST, Found, choose
from hevo_edge._triggering.pipeline_reader import READY_TIMEOUT, Preparing
from hevo_edge._triggering.ticket import Post, TriggerTicket
from hevo_edge.enums import FAILED_RESTART_STATUSES, RESTARTING_STATUSES, Certainty
from hevo_edge.errors import (
    HevoError,
    JobNotFoundAfterTrigger,
    TriggerError,
    TriggerOutcomeUnknown,
)
from hevo_edge.models import JobData
from hevo_edge.schedules import Geometric, geometric

log: logging.Logger = logging.getLogger("hevo_edge.triggering")

FIRST_LOOK = 1.0
"""Seconds from the POST's reply to the first look: some Jobs are there at once."""
GAPS: Geometric = geometric(share=0.08, shortest=2.5, longest=10.0)
"""The gaps after it, by the seconds since the reply. A Job shows up after 5 to 15 s in Hevo's docs;
on average it is seen half a gap later.
"""
UNSURE = 30.0
"""Seconds after which a Job is taken that somebody else may have started."""
LISTED = 20.0
"""Seconds after which a Job that a restart has started is in the list; 5 to 15 in vendor docs."""


class Discovery:
    """Looks for the Jobs of triggers.

    Args:
        preparing: Reads.
        clock: Time.
        is_of_another: Says of a Job whether it is that of another trigger.
    """

    def __init__(
        self,
        preparing: Preparing,
        clock: Clock,
        is_of_another: Callable[[TriggerTicket, JobData], bool],
    ) -> None:
        self.preparing = preparing
        self.clock = clock
        self.is_of_another = is_of_another

    async def find(self, ticket: TriggerTicket, post: Post) -> Found:
        """Return the Job that came of a POST.

        Raises:
            JobNotFoundAfterTrigger: when Hevo accepted, and none shows up.
            TriggerOutcomeUnknown: when none shows up and it is not known whether Hevo accepted, or
                when the Jobs cannot be listed.
        """
        search = self._search(ticket, post)
        found = await search.run()
        if found is None:
            raise await search.in_vain()
        return found

    async def seek(self, ticket: TriggerTicket, post: Post) -> Found | None:
        """Return the Job that came of a POST, if there was one; None when none shows up.

        Raises:
            TriggerOutcomeUnknown: when the Jobs cannot be listed, or the Pipeline is still
                restarting after half an hour.
        """
        search = self._search(ticket, post)
        found = await search.run()
        if found is None and search.is_restarting:
            raise await search.in_vain()
        return found

    async def glance(self, ticket: TriggerTicket, post: Post) -> Found | None:
        """Look once, and return the Job that came of a POST, if there is one already.

        Raises:
            TriggerOutcomeUnknown: when the Jobs cannot be listed.
        """
        return await self._search(ticket, post).look_once()

    def is_long_ago(self, post: Post) -> bool:
        """Say whether a POST was sent so long ago that a new Job cannot be its."""
        # By two clocks, perhaps; minutes do not matter.
        return post.sent_at is not None and self.clock.wall() - post.sent_at > LATEST

    def _search(self, ticket: TriggerTicket, post: Post) -> _Search:
        return _Search(ticket, post, self)


class _Search:
    def __init__(self, ticket: TriggerTicket, post: Post, discovery: Discovery) -> None:
        self._ticket = ticket
        self._post = post
        self._preparing = discovery.preparing
        self._clock = discovery.clock
        self._is_of_another = discovery.is_of_another
        self._started = self._clock.now()
        self._deadline = self._started + ticket.discovery_timeout
        self._long_ago = discovery.is_long_ago(post)
        self._strangers: dict[str, JobData] = {}
        self._status: str | None = None
        self._has_failed = False
        self._patient_until = self._started + UNSURE

    async def run(self) -> Found | None:
        """Look until the Job shows up; None when it has not by the end of the discovery time."""
        ticket = self._ticket
        log.info(
            "looking for the Job of %s of Pipeline %s, for up to %g s",
            ticket.action,
            ticket.pipeline_id,
            ticket.discovery_timeout,
        )
        gap = FIRST_LOOK
        while True:
            await self._clock.sleep(max(0.0, min(gap, self._deadline - self._clock.now())))
            late = self._clock.now() >= self._deadline
            found = await self._look(late=late)
            if found is not None:
                return found
            if ticket.restarts:
                late = await self._mind_the_restart(late=late)
            if late:
                return None
            gap = GAPS.gap(self._clock.now() - self._started)

    async def look_once(self) -> Found | None:
        """Look, and take what there is."""
        return await self._look(late=True)

    @property
    def is_restarting(self) -> bool:
        """Whether the Pipeline was restarting when it was last read."""
        return self._status in RESTARTING_STATUSES

    async def _look(self, *, late: bool) -> Found | None:
        ticket, post = self._ticket, self._post
        fetch = self._preparing.fetch(ticket.pipeline_id, self._deadline + FINAL_POLL_TIMEOUT)
        try:
            news = await ticket.watermark.news(fetch)
        except HevoError as error:
            if late or not isinstance(error, TRANSIENT_ERRORS):
                raise self._unlistable(error) from error
            log.warning("could not look for the Job of a trigger, will repeat: %s", error)
            return None
        patient = not late and self._clock.now() < self._patient_until
        news = [job for job in news if not self._is_of_another(ticket, job)]
        found = choose(ticket, post, news, patient=patient, long_ago=self._long_ago)
        if found is not None and self._has_failed:
            # Our own restart has failed, so this may be the Job of a later one.
            found = replace(found, certainty=Certainty.POSSIBLE)
        if found is None or found.job is None:
            self._strangers.update((job.job_id, job) for job in news)
        else:
            log.info(
                "%s of Pipeline %s became %s Job %s (%s)",
                ticket.action,
                ticket.pipeline_id,
                found.job.type,
                found.job_id,
                found.certainty,
            )
        return found

    async def _mind_the_restart(self, *, late: bool) -> bool:
        """Wait for longer while a resync restarts the Pipeline, and not when that has failed.

        Its Job starts when the Pipeline has restarted, which takes as long as it takes. Returns
        whether it is too late now.
        """
        now = self._clock.now()
        status = await self._preparing.status_of(
            self._ticket.pipeline_id, max(now, self._deadline) + FINAL_POLL_TIMEOUT
        )
        if status in RESTARTING_STATUSES:
            most = self._started + READY_TIMEOUT + self._ticket.discovery_timeout
            self._deadline = min(most, now + self._ticket.discovery_timeout)
            self._patient_until = now + UNSURE
            late = now >= most
        elif status in FAILED_RESTART_STATUSES and not self._has_failed:
            self._has_failed = True
            self._deadline = min(self._deadline, now + LISTED)
        self._status = status or self._status
        return late

    async def in_vain(self) -> TriggerError:
        """Make the error that says that nothing was found."""
        ticket, post = self._ticket, self._post
        waited = self._clock.now() - self._started
        if post.accepted and self._status is None:
            soon = self._clock.now() + FINAL_POLL_TIMEOUT
            self._status = await self._preparing.status_of(ticket.pipeline_id, soon)
        wanted = "new" if ticket.job_type is None else f"new {ticket.job_type}"
        missing = f"no {wanted} Job showed up within {waited:.0f} s"
        for job in self._strangers.values():
            missing += f"; but {job.type} Job {job.job_id} did"
            if not ticket.fits(job):
                missing += ": leave job_type out to take any"
            else:
                missing += (
                    ", created earlier than the trigger by Hevo's clock; if the clocks differ "
                    f'it may be yours: HevoClient.job("{ticket.pipeline_id}:{job.job_id}")'
                )
        if self._status is not None:
            missing += f" (the Pipeline is {self._status})"
        again = "HevoClient.reconcile(error.ticket) looks again"
        what = f"{ticket.action} of Pipeline {ticket.pipeline_id}"
        if not post.accepted:
            return TriggerOutcomeUnknown(
                f"{what} may or may not have reached Hevo ({post.doubt}), and {missing}. {again}; "
                "when it returns None, none has come of it",
                ticket=ticket,
            )
        advice = f"Do not trigger again blindly: {again}"
        if self._status in FAILED_RESTART_STATUSES:
            advice = (
                "Its restart failed. Enable the Pipeline later (Pipeline.enable) and trigger "
                "again; if that does not help, ask Hevo's support"
            )
        return JobNotFoundAfterTrigger(
            f"Hevo accepted {what}, but {missing}. {advice}", ticket=ticket
        )

    def _unlistable(self, error: HevoError) -> TriggerOutcomeUnknown:
        ticket = self._ticket
        return TriggerOutcomeUnknown(
            f"{ticket.action} of Pipeline {ticket.pipeline_id} was, or may have been, sent, but "
            f"the Jobs could not be listed: {error}. HevoClient.reconcile(error.ticket) looks "
            "again",
            ticket=ticket,
        )
