"""The runs that a command has started or may have started, so that none is left unmentioned."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence

from hevo_edge import HevoClient, Job, TriggerTicket
from hevo_edge._command_line.output import Console
from hevo_edge._command_line.parser import PROG
from hevo_edge._command_line.tickets import TicketFile, left_behind
from hevo_edge._command_line.wording import reason_of, wording
from hevo_edge._text.printable import short
from hevo_edge.errors import HevoError
from hevo_edge.orchestration import may_cancel
from hevo_edge.triggering import TicketState

CANCEL_TIMEOUT = 10.0
"""Seconds in which an interrupted command may cancel what it has started."""


class StartedRun:
    """One run: its ticket from right before the POST, then its Job.

    Args:
        pipeline_id: The Pipeline.
        console: Where to say that a ticket could not be kept.
        profile: The profile to name in the line that resumes.
        is_given: Whether the caller has named it, and the command has not started it.

    Attributes:
        profile: The profile of the account.
        job: The Job, once it is known.
        is_over: Whether nobody need wait for it any more.
    """

    def __init__(
        self, pipeline_id: int, console: Console, profile: str | None, *, is_given: bool = False
    ) -> None:
        self.pipeline_id = pipeline_id
        self.job: Job | None = None
        self.is_over = False
        self.file: TicketFile | None = None
        self._ticket: TriggerTicket | None = None
        self._console = console
        self.profile = profile
        self.is_given = is_given

    def store(self, ticket: TriggerTicket) -> None:
        """Keep the ticket in a file for as long as its Job may be there and is not known.

        Raises:
            HevoError: when it cannot be kept, before the POST; so nothing is sent.
        """
        if self.file is None:
            self.file = TicketFile.of(self.pipeline_id, ticket.ticket_id)
        if ticket.job_id is not None or ticket.post is None:
            self.file.delete()
        else:
            try:
                self.file.save(ticket.dumps())
            except OSError as error:
                if ticket.state is TicketState.SENDING:
                    raise HevoError(
                        f"nothing was started, because the ticket cannot be kept: {error}"
                    ) from error
                # The older one is there, and leads to the same Job.
                self._console.say(
                    f"the ticket in {self.file.path} could not be renewed: {reason_of(error)}"
                )
        self._ticket = ticket

    def resume_from(self, file: TicketFile, ticket: TriggerTicket) -> None:
        """Take a ticket that another process has stored."""
        self.file, self._ticket = file, ticket

    def found(self, job: Job) -> None:
        """Take its Job; the ticket is not needed any more."""
        self.job = job
        if self.file is not None and self.file.is_ours:
            self.file.delete()

    def release(self) -> None:
        """Leave a ticket that is still there to who comes next."""
        if self.file is not None:
            self.file.release()

    def gone(self) -> None:
        """Note that no run came of its ticket."""
        self.is_over = True
        if self.file is not None and self.file.is_ours:
            self.file.delete()

    @property
    def ref(self) -> str | None:
        """The ref of its Job, if that is known."""
        if self.job is not None:
            return self.job.ref
        known = None if self._ticket is None else self._ticket.job_id
        return None if known is None else f"{self.pipeline_id}:{known}"

    @property
    def may_run(self) -> bool:
        """Whether it was started, or may have been, and is not known to be over."""
        if self.is_over or (self.job is not None and self.job.is_terminal):
            return False
        return self.ref is not None or (self._ticket is not None and self._ticket.post is not None)

    @property
    def resume_line(self) -> str:
        """The command that goes on from here."""
        if self.ref is not None:
            return self._wait_line(self.ref)
        return self._wait_line("--ticket", "" if self.file is None else str(self.file.path))

    def earlier_tickets(self, account: str) -> list[str]:
        """Say which tickets earlier runs of the command have left of this Pipeline, newest first.

        Args:
            account: The account's fingerprint.
        """
        return [
            "an earlier run of this command has left a ticket; to find its Job and wait for it: "
            + self._wait_line("--ticket", str(file.path))
            for file in left_behind(self.pipeline_id, account)
        ]

    def _wait_line(self, *target: str) -> str:
        profile = [] if self.profile is None else ["--profile", self.profile]
        return shlex.join([PROG, "wait", *profile, *target])

    @property
    def last_words(self) -> str:
        """What must be known of it when the command ends before it."""
        if self.ref is not None:
            return f"to wait for Job {short(self.ref)}, which may still run: {self.resume_line}"
        return (
            f"a run of Pipeline {self.pipeline_id} may have been started; "
            f"to find it and wait for it: {self.resume_line}"
        )

    async def cancel(self, hevo: HevoClient) -> None:
        """Ask Hevo to cancel it, if it is the command's own, and say what came of that."""
        job = self.job
        try:
            if job is None and self.ref is not None:
                job = hevo.job(self.ref)
                job.certainty = None if self._ticket is None else self._ticket.certainty
            elif job is None and self._ticket is not None:
                job = await hevo.reconcile(self._ticket, timeout=CANCEL_TIMEOUT / 2)
                if job is None:
                    self._end(f"no run of Pipeline {self.pipeline_id} was started")
                    return
            if job is None:
                return
            self.found(job)
            if not self.is_given and not may_cancel(job.certainty):
                self._console.say(f"Job {short(job.ref)} is not surely this command's own")
                return
            await job.cancel()
            self._end(f"Hevo was asked to cancel Job {short(job.ref)}")
        except HevoError as error:
            self._console.say(f"not cancelled: {wording(error, self.profile)}")

    def _end(self, words: str) -> None:
        self.gone()
        self._console.say(words)


async def cancel_all(runs: Sequence[StartedRun], hevo: HevoClient) -> None:
    """Ask Hevo to cancel what may run, for ten seconds at most."""
    tasks = [asyncio.ensure_future(run.cancel(hevo)) for run in runs if run.may_run]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
