"""One try of an operator's task: what execute, execute_complete and on_kill share."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any

import backoff
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge import HevoClient, IfRunning, Job, TriggerTicket
from hevo_edge._common import validation
from hevo_edge.errors import JobCancelled, JobInProgress, RateLimited
from hevo_edge.integrations.airflow import compat, connections, events, links, parameters
from hevo_edge.integrations.airflow.running import run, run_aside
from hevo_edge.integrations.airflow.tickets import Tickets, resume, tickets_of
from hevo_edge.integrations.airflow.triggers import HevoTrigger, is_ours, time_left

if TYPE_CHECKING:
    from hevo_edge.integrations.airflow.operators import HevoPipelineOperator

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_KILL = 4.0
"""Seconds that a kill may take: Airflow's supervisor kills for good after five."""


class Task:
    """One try of a task.

    Args:
        operator: The task's operator, rendered.
        context: Airflow's context.

    Raises:
        AirflowFailException: when a template rendered to nonsense.
    """

    def __init__(self, operator: HevoPipelineOperator, context: Any) -> None:
        self.of = operator
        self.ti: Any = context["ti"]
        with parameters.at_run(operator.connection_id):
            self.pipeline_id: int = validation.pipeline_id(operator.pipeline_id)
        self.tickets: Tickets = tickets_of(context, durable=operator.durable)
        self.job: Job | None = None
        self.resumed: bool = False
        self._in_the_way: Job | None = None
        self._account: connections.Account | None = None

    def is_of(self, context: Any) -> bool:
        """Say whether this is the try of a context."""
        return self.ti is context["ti"]

    # -- start ------------------------------------------------------------------------------------

    def start(self, deadline: float | None) -> Job | None:
        """Return the Job that this task is about; None when another one is in the way."""
        hevo = self._client()
        owner = f"{hevo.base_url} {self._account.api_key if self._account else ''}"
        self.tickets.account = hashlib.sha256(owner.encode()).hexdigest()[:16]
        self.ti.xcom_push(
            key=links.URL_KEY, value=links.pipeline_url(hevo.base_url, self.pipeline_id)
        )
        with parameters.at_run(self.of.connection_id):
            aside = self.of.if_running is IfRunning.WAIT and self.of.deferrable
            try:
                first = IfRunning.FAIL if aside else self.of.if_running
                self.job = run(self._started(hevo, deadline, first))
            except JobInProgress as error:
                if not aside:
                    raise
                if error.job is not None:
                    log.info(
                        "%s is running: waiting in the triggerer for its end, before %s",
                        error.job.label,
                        self.of.action,
                    )
                    self._in_the_way = error.job
                    return None
                # Hevo says that one runs, but it cannot be seen, so the triggerer cannot await it.
                self.job = run(self._started(hevo, deadline, IfRunning.WAIT))
        self.ti.xcom_push(key="job_id", value=self.job.id)
        return self.job

    async def _started(
        self, hevo: HevoClient, deadline: float | None, if_running: IfRunning
    ) -> Job:
        wish: dict[str, Any] = {
            "pipeline_id": self.pipeline_id,
            "action": self.of.action,
            "job_type": parameters.asked_type(
                self.of.action, self.of.job_type, drop=self.of.drop_and_load
            ),
            "drop_and_load": self.of.drop_and_load,
        }

        # A POST that gets 429 was refused; the client holds back as long as Hevo asks.
        @backoff.on_exception(
            backoff.constant,
            RateLimited,
            interval=1,
            jitter=None,
            max_time=self.of.discovery_timeout,
            logger=log,
        )
        async def started() -> Job:
            accepts = self.of.accept_completed_with_failures
            job = await resume(hevo, self.tickets, wish, accepts_failures=accepts)
            self.resumed = job is not None
            if job is not None:
                return job
            return await hevo.pipeline(self.pipeline_id).trigger(
                self.of.action,
                job_type=wish["job_type"],
                drop_and_load=self.of.drop_and_load,
                if_running=if_running,
                discovery_timeout=self.of.discovery_timeout,
                on_ticket=self.tickets.save,
            )

        left = None if deadline is None else time_left(deadline)
        try:
            job = await asyncio.wait_for(started(), left)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise AirflowException(
                f"Pipeline {self.pipeline_id}: no Job was started and found within the time-out; "
                "if one was, a retry goes on with it"
            ) from error
        return job

    # -- wait -------------------------------------------------------------------------------------

    def trigger(self, deadline: float | None) -> HevoTrigger:
        """Return what waits in the triggerer for the Job."""
        assert self.job is not None  # noqa: S101 -- it was started
        every = self.of.poll_interval
        log.info("waiting in the triggerer for %s, poll_interval %s", self.job.label, every)
        return self._waiting(self.job, deadline)

    def trigger_for_other(self, deadline: float | None) -> HevoTrigger:
        """Return what waits in the triggerer for the Job that is in the way."""
        assert self._in_the_way is not None  # noqa: S101 -- it was seen
        return HevoTrigger(
            pipeline_id=self.pipeline_id,
            connection_id=self.of.connection_id,
            job_id=self._in_the_way.id,
            poke_interval=self.of.poll_interval,
            deadline=deadline,
            any_end=True,
        )

    def wait(self, job_id: str, deadline: float | None) -> dict[str, Any]:
        """Wait here for the Job; return how that ended, as the trigger would."""
        hevo = self._client()
        job = hevo.pipeline(self.pipeline_id).job(job_id) if self.job is None else self.job
        return run(self._waiting(job, deadline).outcome(hevo, job))

    def _waiting(self, job: Job, deadline: float | None) -> HevoTrigger:
        return HevoTrigger(
            pipeline_id=self.pipeline_id,
            connection_id=self.of.connection_id,
            job_id=job.id,
            poke_interval=self.of.poll_interval,
            accept_completed_with_failures=self.of.accept_completed_with_failures,
            deadline=deadline,
            on_timeout=self.of.on_timeout,
            cancel_on_kill=self.of.cancel_on_kill != "never",
            certainty=job.certainty,
        )

    # -- finish -----------------------------------------------------------------------------------

    def hand_over(self, job: Job) -> str:
        """Finish without waiting."""
        self.tickets.done()
        return job.id

    def was_cancelled(self, event: Any) -> bool:
        """Say whether the Job was cancelled in Hevo; if so, its ticket is forgotten."""
        cancelled = events.checked(event).get("error") == JobCancelled.__name__
        if cancelled:
            log.info("the Job of an earlier try was cancelled: a new run starts")
            self.tickets.forget()
        return cancelled

    def finish(self, event: Any) -> str:
        """Finish with how the Job ended. Returns the Job's id.

        Raises:
            AirflowException: when it did not end well, or the event says nothing.
        """
        checked = events.checked(event)
        job_id = checked.get("job_id")
        if checked.get("job") is not None:
            self.ti.xcom_push(key="job", value=checked["job"])
        if checked["status"] == events.ERROR:
            if checked.get("ended"):
                # The retry is to run again.
                self.tickets.forget()
            raise AirflowException(str(checked.get("message")))
        self.tickets.done()
        log.info("%s", checked.get("message"))
        return str(job_id)

    # -- kill -------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Cancel the Job in Hevo, if that is asked for; within seconds, and nothing raised."""
        account, ticket = self._account, self.tickets.last
        if account is None or self.of.cancel_on_kill == "never":
            return
        if self.job is None and (ticket is None or ticket.post is None):
            return

        def work() -> None:
            if self.of.cancel_on_kill == "user" and not compat.was_ended_by_user(self.ti):
                log.info("no user has ended the task, so its Job is left running")
                return
            try:
                if asyncio.run(_cancel(account, self.job, ticket)):
                    self.tickets.forget()
            except Exception as error:  # noqa: BLE001 -- a kill must not raise, whatever fails
                log.warning("the Job could not be cancelled: %s", error)

        if not run_aside(work, _KILL):
            log.warning("cancelling the Job takes too long; see in Hevo whether it is")

    # -- inside -----------------------------------------------------------------------------------

    def _client(self) -> HevoClient:
        if self._account is None:
            self._account = connections.read(self.of.connection_id)
        return self._account.client()


async def _cancel(
    account: connections.Account, job: Job | None, ticket: TriggerTicket | None
) -> bool:
    """Cancel the Job if it is known, and surely the task's own; say whether it was."""
    async with account.client(timeout=_KILL) as hevo:
        if job is None and ticket is not None:
            # The task was killed while it was looking for its Job. It may be listed by now.
            job = await hevo.reconcile(ticket.model_copy(update={"discovery_timeout": _KILL / 2}))
        if job is None:
            log.warning("no Job of this task is listed yet; if one was started, it is left running")
        elif not is_ours(job.certainty):
            log.warning("%s is not surely of this task, so it is left running", job.label)
        else:
            await hevo.job(job.ref).cancel()
            log.info("Hevo was asked to cancel %s", job.label)
            return True
        return False
