"""One attempt of a task: start or resume its run, await it, cancel it, and keep its ticket."""

from __future__ import annotations

import inspect
import logging
from functools import partial

from hevo_edge._common.cleanup import finish_cleanup
from hevo_edge._common.per_loop import running_loop
from hevo_edge._common.timeouts import DeadlinePassed
from hevo_edge._common.timeouts import within as bounded
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.keywords import TriggerKeywords
from hevo_edge.client import HevoClient
from hevo_edge.enums import Freshness, IfRunning, JobStatus
from hevo_edge.errors import (
    ConfigurationError,
    HevoError,
    JobDidNotSucceed,
    JobNotFoundAfterTrigger,
    NotFound,
    TriggerOutcomeUnknown,
)
from hevo_edge.job import Job, OnUpdate
from hevo_edge.models import JobData
from hevo_edge.orchestration._blocking import trigger_unless_running
from hevo_edge.orchestration.results import Outcome, not_started
from hevo_edge.orchestration.spec import RunSpec
from hevo_edge.orchestration.stored_tickets import StoredTicket, TicketStore, matching
from hevo_edge.orchestration.waits import (
    await_job,
    cancel_within,
    may_cancel,
    poll_once,
    settle,
)
from hevo_edge.triggering import TicketState, TriggerTicket

__all__ = ["Run"]

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
        progress: Show how it goes, see ``Job.await_completion``.

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
        progress: bool = False,
    ) -> None:
        self.spec = spec
        self.job: Job[JobData] | None = None
        self.is_resumed: bool = False
        self._store = store
        self._account = account
        self._generation = generation
        self._progress = progress
        self._ticket: TriggerTicket | None = None
        self._awaited: Job | None = None
        self._is_prepared = self._is_to_be_cancelled = False

    # -- start ------------------------------------------------------------------------------------

    async def prepare(self, hevo: HevoClient) -> Outcome | None:
        """Do all of ``start`` but the POST, and store the ticket; or return how that ended.

        For an engine that keeps what a step returns, and counts the attempts of the next step,
        which passes ``first`` to ``start``: nothing else needs to be stored before the POST.
        """
        spec, options = self.spec, self.spec.trigger_options
        if spec.fresh_within is not None or spec.object_ids is not None:
            raise ConfigurationError("prepare takes neither fresh_within nor object_ids")
        self._is_prepared = True
        try:
            await hevo.pipeline(spec.pipeline_id).prepare_trigger(
                options.action,
                drop_and_load=options.drop_and_load,
                **self._keywords(options.if_running),
            )
        except HevoError as error:
            return await not_started(error, self.spec)
        return None

    async def start(
        self, hevo: HevoClient, *, may_block: bool = True, first: bool = False
    ) -> Job[JobData] | Outcome:
        """Return the Job of the stored ticket, else trigger; or how that ended.

        While the Job of the stored ticket runs, it is what this attempt is about. When it is over,
        a retry takes it if it has ended well; if it ended otherwise, or the generation is another
        one, it is to run again.

        Args:
            hevo: The client.
            may_block: With ``if_running="wait"``: wait for the running Job here. If False, the
                outcome is ``"blocked"`` and names it as soon as it is listed, and the caller waits
                for its end elsewhere.
            first: That no attempt before this one has started what is prepared, see
                ``HevoClient.fire``. Else its Job is searched for before anything is sent.
        """
        stored = self._matching()
        try:
            if first and stored is not None and stored.is_unposted:
                self._take_over(stored)
                self.job = await self._fire(hevo, stored.ticket, first=True)
            else:
                job = None if stored is None else await self._resume(hevo, stored)
                self.is_resumed = job is not None
                self.job = job or await self._trigger(hevo, may_block=may_block)
        except HevoError as error:
            return await not_started(error, self.spec)
        return self.job

    async def _trigger(self, hevo: HevoClient, *, may_block: bool) -> Job[JobData]:
        options = self.spec.trigger_options
        waits = options.if_running is IfRunning.WAIT
        policy = IfRunning.FAIL if waits and not may_block else options.if_running
        pipeline = hevo.pipeline(self.spec.pipeline_id)

        async def trigger(if_running: IfRunning) -> Job[JobData]:
            keywords = self._keywords(if_running)
            drop, object_ids = options.drop_and_load, self.spec.object_ids
            if object_ids is not None:
                return await pipeline.resync_objects(object_ids, drop_and_load=drop, **keywords)
            if self.spec.fresh_within is None:
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

    def _keywords(self, if_running: IfRunning) -> TriggerKeywords:
        options = self.spec.trigger_options
        return {
            "job_type": options.job_type,
            "if_running": if_running,
            "discovery_timeout": options.discovery_timeout,
            "timeout": self._time_limit(),
            "on_ticket": self._save,
            "progress": self._progress,
        }

    def _take_over(self, stored: StoredTicket) -> None:
        self._ticket, self._is_prepared = stored.ticket, stored.is_prepared
        self._is_to_be_cancelled = stored.is_to_be_cancelled

    async def _fire(
        self, hevo: HevoClient, ticket: TriggerTicket, *, first: bool = False
    ) -> Job[JobData]:
        limit = self._time_limit()
        with hevo._core.shown(ticket, progress=self._progress):  # noqa: SLF001
            fired = await hevo.fire(ticket, timeout=limit, on_ticket=self._save, first=first)
        return await settle(fired, self._time_limit(), to_be_cancelled=self._is_to_be_cancelled)

    async def _resume(self, hevo: HevoClient, stored: StoredTicket) -> Job[JobData] | None:
        self._take_over(stored)
        limit, now = self._time_limit(), running_loop().time
        deadline = None if limit is None else now() + limit
        try:
            await self._prove_nothing_came(hevo, stored.ticket)
            job = await self._fire(hevo, stored.ticket)
        except (NotFound, JobNotFoundAfterTrigger, TriggerOutcomeUnknown) as error:
            is_cut_short = deadline is not None and now() >= deadline
            if is_cut_short or not stored.may_be_given_up(error, self._generation):
                raise
            log.warning("the earlier attempt's run is not there, so a new one starts: %s", error)
            self._forget()
            return None
        self._is_to_be_cancelled = False
        if not job.is_terminal:
            log.info("an earlier attempt started Job %s, which is still running: resuming", job.id)
            return job
        if stored.is_of_another(self._generation):
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
        with hevo._core.shown(ticket, progress=self._progress):  # noqa: SLF001
            found = await hevo.reconcile(ticket, timeout=self._time_limit())
        if found is None:
            log.info("no run came of the POST of an earlier attempt, so it is sent again")

    def _time_limit(self) -> float | None:
        left = self.spec.seconds_left()
        return None if left is None else max(left, _LEAST)

    # -- wait -------------------------------------------------------------------------------------

    @property
    def job_id(self) -> str | None:
        """The id of the Job, of this attempt or in the store; None when it is not known yet."""
        job = self.job or self._awaited
        if job is not None:
            return job.id
        stored = self._matching()
        return None if stored is None else stored.ticket.job_id

    async def wait(
        self, hevo: HevoClient, job_id: str | None = None, *, on_update: OnUpdate | None = None
    ) -> Outcome:
        """Await the Job until the deadline, with one final poll; network trouble ends nothing.

        Args:
            hevo: The client.
            job_id: The Job, where another process has started it and the store does not name it.
            on_update: See ``Job.await_completion``.
        """
        job, progress = self._job(hevo, job_id), self._progress
        return await await_job(job, self.spec, on_update=on_update, progress=progress)

    async def poll(self, hevo: HevoClient, job_id: str | None = None) -> Outcome | None:
        """Poll once: return how the Job ended, or None while it runs and there is time.

        Trouble that passes is no outcome: it is the same as a Job that still runs.

        Args:
            hevo: The client.
            job_id: The Job, where another process has started it and the store does not name it.
        """
        return await poll_once(self._job(hevo, job_id), self.spec)

    def _job(self, hevo: HevoClient, job_id: str | None) -> Job:
        if self.job is not None and job_id in {None, self.job.id}:
            # Several clients may serve one attempt, one after another.
            self.job = self.job._of_client(hevo._core)  # noqa: SLF001
            return self.job
        stored = self._matching()
        known = None if stored is None else stored.ticket
        job_id = job_id or (None if known is None else known.job_id)
        if job_id is None:
            raise HevoError("this attempt has no Job yet: await start(), or name one")
        self._awaited = hevo.pipeline(self.spec.pipeline_id).job(job_id)
        if known is not None and known.job_id == job_id:
            self._awaited.certainty = known.certainty
        return self._awaited

    # -- end --------------------------------------------------------------------------------------

    async def cancel(self, hevo: HevoClient, *, within: float) -> bool:
        """Ask Hevo to cancel the Job, if it is the task's own; say whether that was asked.

        An attempt that was cut off while it searched for its Job searches once more; one that has
        not started takes what another process has stored. It goes on though the task that awaits it
        is cancelled again. What could not be cancelled is left to the next attempt, if there is a
        store.

        Args:
            hevo: The client.
            within: Seconds that this may take.

        Raises:
            HevoError: when the request failed and the Job is still running.
        """
        cancelling = self._cancel_or_leave(hevo, running_loop().time() + within)
        return await finish_cleanup(cancelling, "cancelling a task's Job", within)

    async def _cancel_or_leave(self, hevo: HevoClient, deadline: float) -> bool:
        try:
            return await self._cancel(hevo, deadline)
        except BaseException:  # a cancellation too: that is how it is cut off
            await self._leave_to_next()
            raise

    async def _cancel(self, hevo: HevoClient, deadline: float) -> bool:
        job = self._awaited = self.job or self._awaited or await self._search(hevo, deadline)
        if job is None:
            await self._leave_to_next()
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
        stored = self._matching() if self._ticket is None else None
        if stored is not None:  # another process has started it
            self._take_over(stored)
        if self._ticket is None or not (self._ticket.post or self._is_prepared):
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

    def _save(self, ticket: TriggerTicket) -> object:
        self._ticket = ticket
        if self._store is None:
            return None
        stored = StoredTicket(
            ticket=ticket,
            generation=self._generation,
            account=self._account,
            is_prepared=self._is_prepared,
            is_to_be_cancelled=self._is_to_be_cancelled,
        )
        return self._store.save(stored.model_dump_json())

    async def _leave_to_next(self) -> None:
        if self._ticket is not None:
            self._is_to_be_cancelled = True
            saved = self._save(self._ticket)
            if inspect.isawaitable(saved):
                await saved

    def _forget(self) -> None:
        self._ticket, self._is_prepared, self._is_to_be_cancelled = None, False, False
        if self._store is not None:
            self._store.delete()

    def _matching(self) -> StoredTicket | None:
        text = None if self._store is None else self._store.load()
        return None if text is None else matching(text, self.spec, self._account)
