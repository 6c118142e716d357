"""One try of an operator's task: what execute, execute_complete and on_kill share."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge import IfRunning, Job, JobStatus
from hevo_edge.errors import JobCancelled
from hevo_edge.integrations.airflow import asset_events, compat, connections, links, parameters
from hevo_edge.integrations.airflow.events import event_of, outcome_of
from hevo_edge.integrations.airflow.stores import store_of
from hevo_edge.integrations.airflow.triggers import HevoTrigger
from hevo_edge.orchestration import (
    Account,
    Outcome,
    Run,
    RunSpec,
    cancel_if_asked,
    get_logger,
    run,
    run_in_thread,
    validation,
)

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")

_KILL_TIMEOUT = 4.0
"""Seconds that a kill may take: Airflow's supervisor kills for good after five."""
_CANCEL_TIMEOUT = 3.0
"""Those of them for the cancel; the rest is for asking Airflow, and to store what is left."""


class Task:
    """One try of a task.

    Args:
        operator: The task's operator, rendered.
        context: Airflow's context.

    Raises:
        AirflowFailException: when a template rendered to nonsense.
    """

    def __init__(self, operator: parameters.RunParameters, context: Any) -> None:
        self.operator = operator
        self.ti: Any = context["ti"]
        self._outlet_events: Any = context.get("outlet_events")
        with parameters.at_run(operator.connection_id):
            parameters.of_one_task(operator.pipeline_id, "pipeline_id")
            self.pipeline_id: int = validation.pipeline_id(operator.pipeline_id)
        self._store: Any = store_of(context, durable=operator.durable)
        self._account: Account | None = None
        self._attempt: Run | None = None
        self._blocking_job_id: str | None = None

    def is_of(self, context: Any) -> bool:
        """Say whether this is the try of a context."""
        return self.ti is context["ti"]

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier try had started the Job."""
        return self._attempt is not None and self._attempt.is_resumed

    # -- start ------------------------------------------------------------------------------------

    def start(self, deadline: float | None) -> Job | None:
        """Start or resume the task's Job and return it; None when another Job is in the way."""
        operator = self.operator
        with parameters.at_run(operator.connection_id):
            attempt = self._run(deadline)
            hevo = self._read_account().client()
            url = hevo.pipeline(self.pipeline_id).url
            self.ti.xcom_push(key=links.URL_KEY, value=url)
            started = run(attempt.start(hevo, may_block=not operator.deferrable))
            if isinstance(started, Outcome):
                waits = operator.if_running is IfRunning.WAIT and operator.deferrable
                if not (waits and started.kind == "blocked" and started.job_id):
                    assert started.exception is not None  # noqa: S101 -- it is of this process
                    raise started.exception
                log.info(
                    "Job %s is running: waiting in the triggerer for its end, before %s",
                    started.job_id,
                    operator.action,
                )
                self._blocking_job_id = started.job_id
                return None
        self.ti.xcom_push(key="job_id", value=started.id)
        if started.freshness is not None:
            self.ti.xcom_push(key="freshness", value=str(started.freshness))
        return started

    # -- wait -------------------------------------------------------------------------------------

    def trigger(self, job: Job, deadline: float | None) -> HevoTrigger:
        """Return what waits in the triggerer for the task's Job."""
        operator = self.operator
        log.info(
            "waiting in the triggerer for Job %s of Pipeline %s, poll_interval %s",
            job.id,
            self.pipeline_id,
            operator.poll_interval,
        )
        return HevoTrigger(
            pipeline_id=self.pipeline_id,
            connection_id=operator.connection_id,
            job_id=job.id,
            poke_interval=operator.poll_interval,
            accept_completed_with_failures=operator.accept_completed_with_failures,
            deadline=deadline,
            limit=operator.limit,
            on_timeout=operator.on_timeout,
            cancel_on_kill=operator.cancel_on_kill != "never",
            certainty=job.certainty,
        )

    def trigger_for_blocking_job(self, deadline: float | None) -> HevoTrigger:
        """Return what waits in the triggerer for the Job that is in the way."""
        return HevoTrigger(
            pipeline_id=self.pipeline_id,
            connection_id=self.operator.connection_id,
            job_id=self._blocking_job_id,
            poke_interval=self.operator.poll_interval,
            deadline=deadline,
            limit=self.operator.limit,
            accept_any_end=True,
        )

    def wait(self, job_id: str, deadline: float | None) -> dict[str, Any]:
        """Wait here for the Job; return the event that the trigger would give."""
        with parameters.at_run(self.operator.connection_id):
            attempt = self._run(deadline)
            known_here = attempt.job is not None
            hevo = self._read_account().client()
            return event_of(run(attempt.wait(hevo, None if known_here else job_id)))

    # -- finish -----------------------------------------------------------------------------------

    def finish_without_wait(self, job: Job) -> str:
        """Finish while the Job runs."""
        self._done()
        return job.id

    def was_cancelled(self, event: Any) -> bool:
        """Say whether the Job was cancelled in Hevo; if so, its ticket is forgotten."""
        cancelled = outcome_of(event).error == JobCancelled.__name__
        if cancelled:
            log.info("the Job of an earlier try was cancelled: a new run starts")
            self._forget()
            self._attempt = None
        return cancelled

    def finish(self, event: Any) -> str:
        """Finish with how the Job ended. Returns the Job's id.

        Raises:
            AirflowException: when it did not end well, or the event says nothing.
        """
        outcome = outcome_of(event)
        if outcome.job is not None:
            self.ti.xcom_push(key="job", value=outcome.job)
        if outcome.kind != "success":
            if outcome.has_ended:
                # The retry is to run again.
                self._forget()
            raise AirflowException(outcome.message)
        asset_events.describe(self._outlet_events, self.operator.outlets, outcome.job)
        self._done()
        log.info("%s", outcome.message)
        return str(outcome.job_id)

    # -- kill -------------------------------------------------------------------------------------

    def kill(self) -> None:
        """Cancel the Job in Hevo, if that is asked for; within seconds, and nothing raised."""
        account, attempt = self._account, self._attempt
        if account is None or attempt is None or not attempt.has_sent:
            return
        choice = self.operator.cancel_on_kill
        if choice == "never":
            return

        def work() -> None:
            is_asked = choice == "always" or bool(compat.was_ended_by_user(self.ti))
            asyncio.run(_cancel(account, attempt, is_asked=is_asked))

        if not run_in_thread(work, _KILL_TIMEOUT):
            log.warning(
                "cancelling %s takes too long; see in Hevo whether it is cancelled",
                f"Job {attempt.job.ref}" if attempt.job else "the task's Job",
            )

    # -- inside -----------------------------------------------------------------------------------

    def _run(self, deadline: float | None) -> Run:
        if self._attempt is None:
            operator = self.operator
            failures = JobStatus.COMPLETED_WITH_FAILURES
            spec = RunSpec(
                self.pipeline_id,
                action=operator.action,
                job_type=parameters.asked_type(
                    operator.action, operator.job_type, drop=operator.drop_and_load
                ),
                drop_and_load=operator.drop_and_load,
                if_running=operator.if_running,
                fresh_within=operator.fresh_within,
                discovery_timeout=operator.discovery_timeout,
                poll_interval=operator.poll_interval,
                accept=[failures] if operator.accept_completed_with_failures else [],
                deadline=deadline,
                limit=operator.limit,
                on_timeout=operator.on_timeout,
            )
            self._attempt = Run(
                spec,
                self._store,
                account=self._read_account().fingerprint,
                generation=getattr(self.ti, "max_tries", None),
            )
        return self._attempt

    def _read_account(self) -> Account:
        if self._account is None:
            self._account = connections.read(self.operator.connection_id)
        return self._account

    def _forget(self) -> None:
        if self._store is not None:
            self._store.delete()

    def _done(self) -> None:
        """Forget the ticket, unless Airflow does: a try that fails later need not run again."""
        if self._store is not None and not self._store.outlives_success:
            self._store.delete()


async def _cancel(account: Account, attempt: Run, *, is_asked: bool) -> None:
    async with account.client(timeout=_CANCEL_TIMEOUT) as hevo:
        await cancel_if_asked(lambda: is_asked, attempt, hevo, within=_CANCEL_TIMEOUT, logger=log)
