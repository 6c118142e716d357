"""What a trigger does when a Job is running already: ``if_running``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from hevo_edge._awaiting.snapshots import until_ended
from hevo_edge._awaiting.watcher import Watcher
from hevo_edge._common.clock import Clock
from hevo_edge._common.timeouts import DeadlinePassed, within
from hevo_edge._http.transport import Transport
from hevo_edge._jobs.cancel import UNTIL_CANCELLED, cancel_job
from hevo_edge._jobs.handle import errors_about
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.ticket import TriggerTicket
from hevo_edge.enums import IfRunning
from hevo_edge.errors import JobInProgress
from hevo_edge.models import JobData
from hevo_edge.schedules import fixed

log: logging.Logger = get_logger("hevo_edge.triggering")

POLL_UNTIL_ENDED = fixed(15.0)
"""How often to poll a running Job until it ends."""
CANCELLED_WITHIN = 1800.0
"""Seconds that a Job may take to end after it was cancelled; a sync cannot start before that."""


class IfRunningPolicy:
    """Applies ``if_running``, and makes the ``JobInProgress`` errors.

    Args:
        transport: Sends requests.
        watcher: Waits for a running Job to end.
        clock: Time.
        as_job: Makes the Job that errors carry, of a Pipeline's id and a snapshot.
    """

    def __init__(
        self,
        transport: Transport,
        watcher: Watcher,
        clock: Clock,
        as_job: Callable[[int, JobData], Any],
    ) -> None:
        self._transport = transport
        self._watcher = watcher
        self._clock = clock
        self._as_job = as_job

    async def apply_if_running(
        self, request: TriggerTicket, running: JobData, refusal: JobInProgress | None = None
    ) -> JobData | None:
        """Return the running Job to join; None when no Job runs any more.

        Raises:
            JobInProgress: when ``if_running`` is "fail", or is "join" and the Job does not match
                the request, or is "replace" and the Job does not end within half an hour of its
                cancel; caused by Hevo's ``refusal``, if there was one.
        """
        if request.if_running is IfRunning.FAIL:
            raise self.in_progress(request, running, refusal=refusal) from refusal
        if request.if_running is IfRunning.JOIN:
            if request.matches(running):
                return running
            why = "is not what was asked for"
            raise self.in_progress(request, running, why, refusal=refusal) from refusal
        if request.if_running is IfRunning.WAIT and not running.has_known_status:
            # A Job of an unknown status may have ended, and another may run: ask Hevo again.
            await self._clock.sleep(POLL_UNTIL_ENDED.seconds)
            return None
        key = (request.pipeline_id, running.job_id)
        seen = (running, self._clock.now())
        label = f"Job {short(key[1])} of Pipeline {key[0]}"
        with errors_about(self._as_job(request.pipeline_id, running)):
            if request.if_running is IfRunning.WAIT:
                log.info("waiting for %s to end", label)
                await until_ended(self._watcher, key, POLL_UNTIL_ENDED, seen)
                return None
            log.info("cancelling %s to start a new one", label)
            await cancel_job(self._transport, self._clock, key)
            ending = until_ended(self._watcher, key, UNTIL_CANCELLED, seen)
            try:
                await within(self._clock.now() + CANCELLED_WITHIN, ending)
            except DeadlinePassed:
                why = f"was cancelled {CANCELLED_WITHIN / 60:.0f} minutes ago, and has not ended"
                raise self.in_progress(request, running, why, refusal=refusal) from None
        return None

    def in_progress(
        self,
        ticket: TriggerTicket,
        running: JobData | None,
        why: str = "is running",
        *,
        refusal: JobInProgress | None = None,
    ) -> JobInProgress:
        """Make the error that names the running Job."""
        joins = "" if running is not None and not ticket.matches(running) else '"join", '
        advice = f'Pass if_running={joins}"replace" or "wait", or try again when it has ended'
        if ticket.if_running is not IfRunning.FAIL:
            advice = f'if_running="{ticket.if_running}" could not help; try again when it has ended'
        which = "a Job that is not in the list yet is running"
        if running is not None:
            what = f"{short(running.type)}, {short(running.status)}"
            which = f"Job {short(running.job_id)} ({what}) {why}"
        return JobInProgress(
            f"Pipeline {ticket.pipeline_id}: {which}, so {ticket.action} was not started. {advice}",
            job=None if running is None else self._as_job(ticket.pipeline_id, running),
            status=None if refusal is None else refusal.status,
            code=None if refusal is None else refusal.code,
            body="" if refusal is None else refusal.body,
        )
