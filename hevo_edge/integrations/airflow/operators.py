"""The operator: triggers a Pipeline, and waits for its Job in the triggerer or in the worker."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.enums import IfRunning, JobType, PipelineAction, ResyncMode
from hevo_edge.errors import NotFound
from hevo_edge.integrations.airflow import compat, parameters
from hevo_edge.integrations.airflow.links import HevoPipelineLink
from hevo_edge.integrations.airflow.provider import CONNECTION_ID
from hevo_edge.options import TriggerOptions
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    # The shim is not typed.
    from airflow.sdk import BaseOperator, Context, XComArg

    from hevo_edge.integrations.airflow.task import Task
else:
    from airflow.providers.common.compat.sdk import BaseOperator


class HevoPipelineOperator(BaseOperator):
    """Trigger exactly one run of a Pipeline, and see it through.

    Three modes. *Trigger and Asynchronous Wait* (the default): start the run, then wait in the
    triggerer, without a worker slot. *Synchronous wait* (``deferrable=False``): wait in the
    worker. *Trigger and Continue* (``wait_for_completion=False``): return the Job's id as soon as
    it is known, for a ``HevoSensor``.

    The return value is the Job's id; the XComs ``job_id``, ``hevo_url`` and, at the end, ``job``
    (status and counts) are set as well.

    Args:
        pipeline_id: The Pipeline. Templated.
        connection_id: The Airflow connection. Templated.
        action: ``SYNC_NOW``, or ``RESYNC`` to restart the historical load of all active objects.
        job_type: Accept only a Job of this type, ``JobType`` or string; what comes with the action
            by default means whatever comes of it.
        poll_interval: Seconds between polls; ``"auto"`` learns from the Pipeline's past Jobs, and
            ``"eager"`` spends what is free of the call budget as well.
        retry_limit: How many ``poll_interval`` the started Job has to show up, 30 s at least.
        deferrable: Wait in the triggerer; what is not given is True, unless the environment sets
            ``AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE``.
        wait_for_completion: Wait at all.
        accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
        ensure_new_job: Fail when a Job is running already; if False, wait for its end first.
        drop_and_load: With RESYNC, drop and recreate the Destination tables.
        resync_mode: The same in the vendor's newer words, ``EVOLVE_AND_MERGE`` or
            ``DROP_AND_LOAD``.
        if_running: What to do when a Job is running already, instead of ``ensure_new_job``:
            ``"fail"``, ``"join"``, ``"replace"`` or ``"wait"``.
        fresh_within: Seconds or timedelta, with SYNC_NOW: take the last Job that ended well if that
            was within it, else join the one that runs, else start one. The XCom ``freshness`` says
            which: ``fresh``, ``joined`` or ``started``.
        timeout: Seconds or timedelta for the whole task, the deferral included; one final
            poll comes before it fails. ``execution_timeout`` counts in the same way. Airflow ends a
            deferral a minute later, should no triggerer be running.
        on_timeout: ``"raise"``, or ``"cancel"`` the Job in Hevo as well.
        cancel_on_kill: Cancel the Job in Hevo when the task is killed: by a ``"user"``, who marks
            it as failed or done; ``"always"``, on a shutdown of the worker or an
            ``execution_timeout`` too; ``"never"``. Only a Job that is surely the task's own.
        durable: Keep the trigger's ticket, so that a retry goes on with the run of a try that was
            cut off instead of starting a second.

    Raises:
        AirflowException: when the DAG is parsed, naming the parameter that is wrong.
    """

    template_fields: Collection[str] = ("pipeline_id", "connection_id")
    ui_color: str = "#e8f0ff"
    operator_extra_links: Collection[Any] = (HevoPipelineLink(),)

    def __init__(
        self,
        *,
        pipeline_id: int | str | XComArg,
        connection_id: str = CONNECTION_ID,
        action: PipelineAction | str = PipelineAction.SYNC_NOW,
        job_type: JobType | str | None = None,
        poll_interval: float | timedelta | str = 15,
        retry_limit: int = 10,
        deferrable: bool = compat.DEFAULT_DEFERRABLE,
        wait_for_completion: bool = True,
        accept_completed_with_failures: bool = False,
        ensure_new_job: bool = True,
        drop_and_load: bool = False,
        resync_mode: ResyncMode | str | None = None,
        if_running: IfRunning | str | None = None,
        fresh_within: float | timedelta | None = None,
        timeout: float | timedelta | None = None,
        on_timeout: str = "raise",
        cancel_on_kill: str = "user",
        durable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_id = pipeline_id
        self.connection_id = connection_id
        with parameters.at_parse(self.task_id):
            parameters.pipeline_id(pipeline_id)
            parameters.connection_id(connection_id)
            self.drop_and_load: bool = parameters.drops(drop_and_load, resync_mode)
            self.poll_interval: float | parameters.Word = parameters.interval(
                poll_interval, "poll_interval"
            )
            self.discovery_timeout: float = parameters.discovery_timeout(
                retry_limit, self.poll_interval
            )
            self.deferrable: bool = validation.parse_bool(deferrable, "deferrable")
            self.wait_for_completion: bool = validation.parse_bool(
                wait_for_completion, "wait_for_completion"
            )
            self.accept_completed_with_failures: bool = validation.parse_bool(
                accept_completed_with_failures, "accept_completed_with_failures"
            )
            self.fresh_within: float | None = parameters.fresh_within(fresh_within, action)
            self.timeout: float | None = parameters.optional_seconds(timeout, "timeout")
            self.on_timeout: str = validation.one_of(on_timeout, "on_timeout", ("raise", "cancel"))
            self.cancel_on_kill: str = validation.one_of(
                cancel_on_kill, "cancel_on_kill", parameters.CANCEL_ON_KILL
            )
            self.durable: bool = validation.parse_bool(durable, "durable")
            options = TriggerOptions.check(
                action,
                job_type=job_type,
                drop_and_load=self.drop_and_load,
                if_running=parameters.if_running(if_running, ensure_new_job, fresh_within),
            )
        self.action: PipelineAction = options.action
        self.job_type: str | None = options.job_type
        self.if_running: IfRunning = options.if_running
        self.retry_limit = retry_limit
        self.ensure_new_job = ensure_new_job
        self.resync_mode = resync_mode
        self._task: Task | None = None

    # -- Airflow's entries ------------------------------------------------------------------------

    def execute(self, context: Context) -> str:
        """Start the run, and wait for it or defer. Returns the Job's id.

        Raises:
            TaskDeferred: to wait in the triggerer.
            AirflowFailException: for what a retry cannot mend, before any request.
            AirflowException: when the run could not be started, or did not end well.
        """
        return self._go(context, self._deadline(context))

    def execute_again(self, context: Context, event: Any, deadline: float | None = None) -> str:
        """Go on when the Job that was in the way is over."""
        from hevo_edge.integrations.airflow.events import outcome_of  # noqa: PLC0415 -- see below

        # One that is not there any more is not in the way.
        outcome = outcome_of(event)
        if outcome.kind != "success" and outcome.error != NotFound.__name__:
            raise AirflowException(
                self._not_started(outcome.message, late=outcome.kind == "timeout")
            )
        return self._go(context, deadline)

    def execute_complete(
        self,
        context: Context,
        event: Any,
        resumed: bool = False,
        deadline: float | None = None,
    ) -> str:
        """Finish the task with what the triggerer has seen. Returns the Job's id.

        Args:
            context: The task's context.
            event: What the trigger said.
            resumed: Whether an earlier try had started the Job.
            deadline: When to give up, in seconds since 1970, should the run begin anew.

        Raises:
            AirflowException: when the Job did not end well, or the event says nothing.
        """
        task = self._task_of(context)
        if resumed and task.was_cancelled(event):
            # Somebody cancelled the earlier try's Job; this try is to be a run of its own.
            return self._go(context, deadline)
        return task.finish(event)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Go on after a deferral; one that Airflow has ended gets the final poll that it missed."""
        if not compat.is_late(next_method, next_kwargs):
            return super().resume_execution(next_method, next_kwargs, context)
        self.log.warning("Airflow has ended the deferral: is a triggerer running?")
        ti = compat.ti_of(context)
        job_id = ti.xcom_pull(task_ids=ti.task_id, key="job_id", map_indexes=ti.map_index)
        if job_id is None:
            raise AirflowException(self._not_started("no triggerer has seen its end", late=True))
        return self._task_of(context).finish(self._task_of(context).wait(job_id, time.time()))

    def on_kill(self) -> None:
        """Cancel the Job in Hevo, if ``cancel_on_kill`` says so; raises nothing."""
        if self._task is not None:
            self._task.kill()

    # -- the modes --------------------------------------------------------------------------------

    def _go(self, context: Context, deadline: float | None) -> str:
        task = self._task_of(context)
        here = self._deadline_here(deadline)
        job = task.start(here)
        if job is None:
            # Another Job is in the way: no worker slot is needed to wait for its end.
            self.defer(
                trigger=task.trigger_for_blocking_job(deadline),
                method_name="execute_again",
                kwargs={"deadline": deadline},
                timeout=parameters.backstop(deadline),
            )
        if not self.wait_for_completion:
            return task.finish_without_wait(job)
        if not self.deferrable or job.is_terminal:
            return self._wait_synchronously(context, job.id, here)
        self.defer(
            trigger=task.trigger(job, deadline),
            method_name="execute_complete",
            kwargs={"resumed": task.is_resumed, "deadline": deadline},
            timeout=parameters.backstop(deadline),
        )
        raise AssertionError  # defer never returns

    def _wait_synchronously(
        self, context: Context, job_id: str, deadline: float | None = None
    ) -> str:
        """Wait for a Job of the Pipeline in the worker, blocking its slot. Returns the id.

        Args:
            context: The task's context.
            job_id: The Job.
            deadline: When to give up, in seconds since 1970.
        """
        task = self._task_of(context)
        event = task.wait(job_id, deadline)
        return self.execute_complete(context, event, task.is_resumed, deadline)

    @property
    def limit(self) -> float | None:
        """The seconds that the user gave to the whole task: what its messages name."""
        return parameters.limit(self.timeout, self.execution_timeout)

    def _not_started(self, why: str, *, late: bool) -> str:
        within = f" within {self.limit:g} s" if late and self.limit is not None else ""
        return (
            f"Pipeline {self.pipeline_id}: {self.action} was not started{within}, because another "
            f"Job was running: {why}"
        )

    def _deadline_here(self, deadline: float | None) -> float | None:
        """Return until when this worker may work for a task that must be over at a deadline."""
        if self.execution_timeout is None:
            return deadline
        seconds = self.execution_timeout.total_seconds()
        here = compat.worker_deadline(time.time(), seconds)
        return here if deadline is None else min(deadline, here)

    def _deadline(self, context: Context) -> float | None:
        now = time.time()
        limits = [] if self.timeout is None else [now + self.timeout]
        if self.execution_timeout is not None:
            seconds = self.execution_timeout.total_seconds()
            limits.append(compat.execution_deadline(compat.ti_of(context), now, seconds))
        return min(limits, default=None)

    def _task_of(self, context: Context) -> Task:
        # What runs a task needs aiohttp and pydantic, which a DAG file must not load.
        from hevo_edge.integrations.airflow.task import Task  # noqa: PLC0415

        # One operator may serve several tries, in dag.test() for instance.
        if self._task is None or not self._task.is_of(context):
            self._task = Task(self, context)
        return self._task

    # -- lineage ----------------------------------------------------------------------------------

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the Pipeline's objects as OpenLineage datasets, within a few calls."""
        from hevo_edge.integrations.airflow import lineage  # noqa: PLC0415

        return lineage.on_complete(self, task_instance)


HevoOperator = HevoPipelineOperator
"""The operator by its older name."""
