"""One attempt of a task: start or resume its run, await it, cancel it, and keep its ticket."""

from __future__ import annotations

import logging
import time
from functools import partial

from pydantic import ValidationError

from hevo_edge._common.cleanup import finish_cleanup
from hevo_edge._common.per_loop import running_loop
from hevo_edge._common.timeouts import DeadlinePassed
from hevo_edge._common.timeouts import within as bounded
from hevo_edge._text.durations import format_seconds
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.attribution import MAX_START_DELAY
from hevo_edge._triggering.keywords import TriggerKeywords
from hevo_edge.client import HevoClient
from hevo_edge.enums import Freshness, IfRunning, JobStatus
from hevo_edge.errors import (
    HevoError,
    JobDidNotSucceed,
    JobNotFoundAfterTrigger,
    NotFound,
    TriggerOutcomeUnknown,
    TriggerTimeout,
)
from hevo_edge.job import Job
from hevo_edge.models import JobData
from hevo_edge.orchestration._blocking import trigger_unless_running
from hevo_edge.orchestration.results import Outcome, failure, not_succeeded
from hevo_edge.orchestration.spec import RunSpec
from hevo_edge.orchestration.stored_tickets import StoredTicket, TicketStore
from hevo_edge.orchestration.waits import await_job, cancel_within, may_cancel, poll_once
from hevo_edge.triggering import TicketState, TriggerTicket

__all__ = [
    "Run",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")

_FOUND = {
    Freshness.FRESH: "Job {} is fresh enough, so none was started",
    Freshness.JOINED: "Job {} is running, and is joined",
    Freshness.STARTED: "no Job is fresh enough, so Job {} was started",
    None: "Job {}",
}
_LEAST = 0.001
"""Seconds, at least, for a start: none can be made in no time."""


class Run:
    """One attempt of one task.

    A run whose attempt was cut off between the POST and its end goes on in Hevo: the next attempt
    finds its ticket in the store, and resumes its Job instead of starting a second.

    Args:
        spec: What the task asks for.
        store: Where the task keeps its ticket; None to keep nothing.
        account: The account's ``fingerprint``: a ticket of another account is not resumed.
        generation: What stays the same between retries, and changes when somebody asks for a new
            run: Airflow's ``max_tries``, the id of Dagster's root run, or of Prefect's flow run.

    Attributes:
        job: The Job of this attempt, once it is known.
        is_resumed: Whether an earlier attempt had started it.
    """

    def __init__(
        self,
        spec: RunSpec,
        store: TicketStore | None,
        *,
        account: str,
        generation: int | str | None = None,
    ) -> None:
        self.spec = spec
        self.job: Job[JobData] | None = None
        self.is_resumed: bool = False
        self._store = store
        self._account = account
        self._generation = generation
        self._ticket: TriggerTicket | None = None
        self._is_to_be_cancelled = False

    # -- start ------------------------------------------------------------------------------------

    async def start(self, hevo: HevoClient, *, may_block: bool = True) -> Job[JobData] | Outcome:
        """Return the Job of the stored ticket, else trigger; or how that ended.

        While the Job of the stored ticket runs, it is what this attempt is about. When it is over,
        a retry takes it if it has ended well; if it ended otherwise, or the generation is another
        one, it is to run again.

        Args:
            hevo: The client.
            may_block: With ``if_running="wait"``: wait for the running Job here. If False, the
                outcome is ``"blocked"`` and names it as soon as it is listed, and the caller waits
                for its end elsewhere.
        """
        pipeline_id = self.spec.pipeline_id
        try:
            job = await self._resume(hevo)
            self.is_resumed = job is not None
            self.job = job or await self._trigger(hevo, may_block=may_block)
        except TriggerTimeout as error:
            return failure(error, pipeline_id, kind="timeout", message=self._with_limit(error))
        except HevoError as error:
            return await not_succeeded(error, pipeline_id)
        return self.job

    def _with_limit(self, error: TriggerTimeout) -> str:
        """Say what a time-out says, of the user's limit instead of what was left of it."""
        spec = self.spec
        if spec.limit is None or not error.phase:
            return str(error)
        return (
            f"{spec.action} of Pipeline {spec.pipeline_id} was not started within "
            f"{format_seconds(spec.limit)} (it was {error.phase}). Nothing was sent"
        )

    async def _trigger(self, hevo: HevoClient, *, may_block: bool) -> Job[JobData]:
        options = self.spec.trigger_options
        waits = options.if_running is IfRunning.WAIT
        policy = IfRunning.FAIL if waits and not may_block else options.if_running
        pipeline = hevo.pipeline(self.spec.pipeline_id)

        async def trigger(if_running: IfRunning) -> Job[JobData]:
            keywords: TriggerKeywords = {
                "job_type": options.job_type,
                "if_running": if_running,
                "discovery_timeout": options.discovery_timeout,
                "timeout": self._time_limit(),
                "on_ticket": self._save,
            }
            if self.spec.fresh_within is None:
                drop = options.drop_and_load
                return await pipeline.trigger(options.action, drop_and_load=drop, **keywords)
            accepts = JobStatus.COMPLETED_WITH_FAILURES in self.spec.accept
            job = await pipeline.ensure_fresh(
                self.spec.fresh_within, accept_completed_with_failures=accepts, **keywords
            )
            log.info("Pipeline %s: %s", pipeline.id, _FOUND[job.freshness].format(short(job.id)))
            return job

        if policy is options.if_running:
            return await trigger(policy)
        return await trigger_unless_running(partial(trigger, policy), pipeline, self.spec)

    async def _resume(self, hevo: HevoClient) -> Job[JobData] | None:
        stored = self._matching()
        if stored is None:
            return None
        self._ticket, self._is_to_be_cancelled = stored.ticket, stored.is_to_be_cancelled
        limit, now = self._time_limit(), running_loop().time
        deadline = None if limit is None else now() + limit
        try:
            await self._prove_nothing_came(hevo, stored.ticket)
            fired = await hevo.fire(stored.ticket, timeout=self._time_limit(), on_ticket=self._save)
            job = await self._settle(fired)
        except (NotFound, JobNotFoundAfterTrigger, TriggerOutcomeUnknown) as error:
            is_cut_short = deadline is not None and now() >= deadline
            if is_cut_short or not self._may_give_up(stored, error):
                raise
            log.warning("the earlier attempt's run is not there, so a new one starts: %s", error)
            self._forget()
            return None
        self._is_to_be_cancelled = False
        if not job.is_terminal:
            log.info("an earlier attempt started Job %s, which is still running: resuming", job.id)
            return job
        if self._is_of_another_generation(stored):
            log.info("Job %s of an earlier generation is over: a new run starts", short(job.id))
            self._forget()
            return None
        try:
            await job.await_completion(accept=self.spec.accept)
        except JobDidNotSucceed:
            log.info("Job %s of an earlier attempt ended %s: a new run starts", job.id, job.status)
            return None
        log.info("Job %s of an earlier attempt has ended %s: taking it", job.id, job.status)
        return job

    async def _prove_nothing_came(self, hevo: HevoClient, ticket: TriggerTicket) -> None:
        """Search for the Job of an ambiguous POST; a ticket that has none may be fired again.

        Raises:
            TriggerOutcomeUnknown: when the deadline cut the search short.
        """
        if ticket.state is not TicketState.AMBIGUOUS:
            return
        if await hevo.reconcile(ticket, timeout=self._time_limit()) is None:
            log.info("no run came of the POST of an earlier attempt, so it is sent again")

    async def _settle(self, job: Job) -> Job[JobData]:
        """Read the Job, and wait for its end if it is being cancelled, or was to be.

        How that ends does not matter, but Hevo refuses a new run before it has.

        Raises:
            TriggerTimeout: when the deadline came first.
        """

        async def settle() -> Job[JobData]:
            read = await job.refresh()
            cancels = (
                self._is_to_be_cancelled and not read.is_terminal and may_cancel(read.certainty)
            )
            if cancels:
                log.info("Job %s was to be cancelled when its task was killed", short(job.ref))
            if cancels or read.status == JobStatus.CANCELLING:
                return await read.cancel(wait=True)
            return read

        limit = self._time_limit()
        deadline = None if limit is None else running_loop().time() + limit
        try:
            return await bounded(deadline, settle())
        except DeadlinePassed:
            raise TriggerTimeout(
                f"Job {short(job.ref)} of an earlier attempt did not settle before the deadline; "
                "no new run was started",
                pipeline_id=job.pipeline_id,
            ) from None

    def _time_limit(self) -> float | None:
        left = self.spec.seconds_left()
        return None if left is None else max(left, _LEAST)

    # -- wait -------------------------------------------------------------------------------------

    async def wait(self, hevo: HevoClient, job_id: str | None = None) -> Outcome:
        """Await the Job until the deadline, with one final poll; network trouble ends nothing.

        Args:
            hevo: The client.
            job_id: The Job, where another process has started it.
        """
        return await await_job(self._job(hevo, job_id), self.spec)

    async def poll(self, hevo: HevoClient, job_id: str | None = None) -> Outcome | None:
        """Poll once: return how the Job ended, or None while it runs and there is time.

        Trouble that passes is no outcome: it is the same as a Job that still runs.

        Args:
            hevo: The client.
            job_id: The Job, where another process has started it.
        """
        return await poll_once(self._job(hevo, job_id), self.spec)

    def _job(self, hevo: HevoClient, job_id: str | None) -> Job:
        if job_id is not None:
            job, stored = hevo.pipeline(self.spec.pipeline_id).job(job_id), self._matching()
            if stored is not None and stored.ticket.job_id == job_id:
                job.certainty = stored.ticket.certainty
            return job
        if self.job is None:
            raise HevoError("this attempt has no Job yet: await start(), or name one")
        # Several clients may serve one attempt, one after another.
        self.job = self.job._of_client(hevo._core)  # noqa: SLF001
        return self.job

    # -- end --------------------------------------------------------------------------------------

    async def cancel(self, hevo: HevoClient, *, within: float) -> bool:
        """Ask Hevo to cancel the Job, if it is the task's own; say whether that was asked.

        An attempt that was cut off while it searched for its Job searches once more. It goes on
        though the task that awaits it is cancelled again. What could not be cancelled is left to
        the next attempt, if there is a store.

        Args:
            hevo: The client.
            within: Seconds that this may take.

        Raises:
            HevoError: when the request failed and the Job is still running.
        """
        deadline = running_loop().time() + within
        try:
            cancelling = self._cancel(hevo, deadline)
            return await finish_cleanup(cancelling, "cancelling a task's Job", within)
        except HevoError:
            self._leave_to_next()
            raise

    async def _cancel(self, hevo: HevoClient, deadline: float) -> bool:
        job = self.job or await self._search(hevo, deadline)
        if job is None:
            self._leave_to_next()
            log.warning("no Job of this task is listed yet; if one was started, it is left running")
            return False
        if not may_cancel(job.certainty):
            log.warning("Job %s is not surely of this task, so it is left running", short(job.ref))
            return False
        await cancel_within(deadline - running_loop().time(), hevo.job(job.ref))
        log.info("Hevo was asked to cancel Job %s", short(job.ref))
        self._forget()
        return True

    async def _search(self, hevo: HevoClient, deadline: float) -> Job | None:
        """Search once more for the Job of the POST, and leave time to cancel it."""
        if self._ticket is None or self._ticket.post is None:
            return None
        left = deadline - running_loop().time()
        searching = hevo.reconcile(self._ticket, timeout=left / 2)
        try:
            return await bounded(deadline - left / 4, searching)
        except (DeadlinePassed, JobNotFoundAfterTrigger, TriggerOutcomeUnknown):
            return None

    def finish(self, outcome: Outcome) -> None:
        """Keep the ticket for the next attempt, or forget it when the Job is over."""
        if outcome.has_ended:
            self._forget()

    # -- the store --------------------------------------------------------------------------------

    @property
    def has_sent(self) -> bool:
        """Whether this attempt has a Job, or may have started one."""
        return self.job is not None or (self._ticket is not None and self._ticket.post is not None)

    def _save(self, ticket: TriggerTicket) -> None:
        self._ticket = ticket
        if self._store is not None:
            stored = StoredTicket(
                ticket=ticket,
                generation=self._generation,
                account=self._account,
                is_to_be_cancelled=self._is_to_be_cancelled,
            )
            self._store.save(stored.model_dump_json())

    def _leave_to_next(self) -> None:
        if self._ticket is not None:
            self._is_to_be_cancelled = True
            self._save(self._ticket)

    def _forget(self) -> None:
        self._ticket, self._is_to_be_cancelled = None, False
        if self._store is not None:
            self._store.delete()

    def _matching(self) -> StoredTicket | None:
        """Return what is stored, if something may have been sent, by the same request."""
        text = None if self._store is None else self._store.load()
        if text is None:
            return None
        try:
            stored = StoredTicket.model_validate_json(text)
        except ValidationError:
            log.warning("the ticket of an earlier attempt cannot be read, so a new run starts")
            return None
        if stored.account != self._account:
            log.warning("an earlier attempt ran in another account of Hevo, so a new run starts")
            return None
        ticket = stored.ticket
        if ticket.post is None and ticket.job_id is None:
            # It is stored before anything leaves, so nothing did.
            return None
        if any(getattr(ticket, name) != value for name, value in self.spec.request().items()):
            log.warning("the task was changed since its last attempt, so a new run starts")
            return None
        return stored

    def _may_give_up(self, stored: StoredTicket, error: HevoError) -> bool:
        """Say whether a run that cannot be found is given up for a new one.

        Within a generation only one that certainly began, so long ago that it would be listed: what
        is not listed yet may be listed later, and what may have been sent may have arrived.
        """
        post = stored.ticket.post
        if post is None or self._is_of_another_generation(stored):
            return True
        is_of_now = post.sent_at is None or time.time() - post.sent_at < MAX_START_DELAY
        return not (is_of_now or isinstance(error, TriggerOutcomeUnknown))

    def _is_of_another_generation(self, stored: StoredTicket) -> bool:
        known = stored.generation is not None and self._generation is not None
        return known and stored.generation != self._generation
