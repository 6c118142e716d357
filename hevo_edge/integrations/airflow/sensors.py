"""The sensor: waits for a Job that something else has started, or Hevo's schedule starts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    PokeReturnValue,
)

from hevo_edge.enums import JobType
from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.airflow import compat, links, parameters
from hevo_edge.integrations.airflow.provider import CONNECTION_ID
from hevo_edge.orchestration import run, validation

if TYPE_CHECKING:
    # The shim is not typed.
    from airflow.sdk import BaseSensorOperator, Context, XComArg

    from hevo_edge.integrations.airflow.triggers import HevoTrigger
else:
    from airflow.providers.common.compat.sdk import BaseSensorOperator

_NOTHING = {"", "None", "null"}
"""What a template renders to when there was nothing to pull."""
_WITHOUT_EFFECT = (10, 5, 10)
"""The defaults of the three parameters of the vendor's provider that do nothing here."""


class HevoSensor(BaseSensorOperator):
    """Wait for a Job of a Pipeline.

    With ``job_id``, for that Job: the way on from a *Trigger and Continue* task. Without, for the
    Pipeline: the Job that runs now, else the next to start. For a Pipeline on Hevo's schedule name
    ``ended_since``, so that a Job that was over before the sensor began counts too.

    Airflow's ``timeout`` and ``mode`` mean what they always mean; ``soft_fail`` skips what has not
    come in time, in every mode, and nothing else. The return value is the Job's id, and the XCom
    ``job`` holds its status and counts.

    Args:
        pipeline_id: The Pipeline. Templated.
        connection_id: The Airflow connection. Templated.
        job_id: The Job, by id or ref. Templated.
        job_type: Without ``job_id``: only a Job of this type.
        poke_interval: Seconds between polls.
        accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
        deferrable: Wait in the triggerer; what is not given is True, unless the environment sets
            ``AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE``.
        ended_since: Without ``job_id``: a Job that ended well at this moment or later will do; a
            datetime or ISO text with an offset. Templated.
        wait_for: Without ``job_id``: ``"running"``, the Job that runs now, else the next; or
            ``"next"``, only one that starts after the sensor did.
        wait_for_job_max_attempts: Accepted as the vendor's provider has it, without effect: that
            sensor gave up when no Job ran within seconds, this one waits until ``timeout``.
        wait_for_job_interval: See ``wait_for_job_max_attempts``.
        wait_for_job_initial_delay: See ``wait_for_job_max_attempts``.

    Raises:
        AirflowException: when the DAG is parsed, naming the parameter that is wrong.
    """

    template_fields: Collection[str] = ("pipeline_id", "connection_id", "job_id", "ended_since")
    ui_color: str = "#e8f0ff"
    operator_extra_links: Collection[Any] = (links.HevoPipelineLink(),)

    def __init__(
        self,
        *,
        pipeline_id: int | str | XComArg,
        connection_id: str = CONNECTION_ID,
        job_id: str | XComArg | None = None,
        job_type: JobType | str | None = None,
        poke_interval: float | timedelta = 20,
        accept_completed_with_failures: bool = False,
        deferrable: bool = compat.DEFAULT_DEFERRABLE,
        ended_since: datetime | str | None = None,
        wait_for: str = "running",
        wait_for_job_max_attempts: int = 10,
        wait_for_job_interval: float = 5,
        wait_for_job_initial_delay: float = 10,
        **kwargs: Any,
    ) -> None:
        with parameters.at_parse(kwargs.get("task_id", "")):
            # Airflow 3 would raise a ValueError.
            parameters.seconds(poke_interval, "poke_interval")
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.pipeline_id = pipeline_id
        self.connection_id = connection_id
        self.job_id = job_id
        self.ended_since = ended_since
        with parameters.at_parse(self.task_id):
            parameters.pipeline_id(pipeline_id)
            parameters.connection_id(connection_id)
            self.job_type: str | None = (
                None if job_type is None else validation.parse_word(job_type, "job_type")
            )
            self.accept_completed_with_failures: bool = validation.parse_bool(
                accept_completed_with_failures, "accept_completed_with_failures"
            )
            self.deferrable: bool = validation.parse_bool(deferrable, "deferrable")
            self.wait_for: str = validation.one_of(wait_for, "wait_for", ("running", "next"))
            if isinstance(ended_since, datetime) or parameters.is_literal(ended_since):
                parameters.moment(ended_since, "ended_since")
            if job_id is not None and wait_for == "next":
                raise ConfigurationError("wait_for='next' goes without job_id")
            if ended_since is not None and (job_id is not None or wait_for == "next"):
                raise ConfigurationError("ended_since goes neither with job_id nor wait_for='next'")
        given = (wait_for_job_max_attempts, wait_for_job_interval, wait_for_job_initial_delay)
        if given != _WITHOUT_EFFECT:
            warnings.warn(
                "wait_for_job_max_attempts, wait_for_job_interval and wait_for_job_initial_delay "
                "have no effect: the sensor waits for a Job until its timeout",
                stacklevel=2,
            )
        self.wait_for_job_max_attempts = wait_for_job_max_attempts
        self.wait_for_job_interval = wait_for_job_interval
        self.wait_for_job_initial_delay = wait_for_job_initial_delay
        self._has_job_id = job_id is not None
        self._has_ended_since = ended_since is not None
        self._began: datetime | None = None

    # -- Airflow's entries ------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Wait by poking, or defer.

        Raises:
            TaskDeferred: to wait in the triggerer.
            AirflowException: when the Job did not end well.
        """
        if not self.deferrable:
            return super().execute(context)
        deadline = self._deadline(context)
        with parameters.at_run(self.connection_id):
            trigger = self._trigger(context, deadline)
        # What is there already needs no trip through the triggerer.
        event = self._poll(context)
        if event["kind"] != "timeout":
            # As if it came from there: soft_fail and its kin are Airflow's.
            return self.resume_execution("execute_complete", {"event": event}, context)
        self.log.info("waiting in the triggerer, with a poll every %s s", self.poke_interval)
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=parameters.backstop(deadline),
        )
        raise AssertionError  # defer never returns

    def poke(self, context: Context) -> Any:
        """Poll once.

        Raises:
            AirflowException: when the Job did not end well.
        """
        event = self._poll(context)
        if event["kind"] == "timeout":
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._finish(context, event))

    def execute_complete(self, context: Context, event: Any) -> str:
        """Finish with what the triggerer has seen. Returns the Job's id.

        Raises:
            AirflowSensorTimeout: when the sensor's ``timeout`` has passed.
            AirflowTaskTimeout: when its ``execution_timeout`` has.
            AirflowException: when the Job did not end well, or the event says nothing.
        """
        return self._finish(context, event)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Go on after the deferral; with ``soft_fail``, skip what has not come in time.

        Airflow's own skips any failure here, and not where a sensor pokes: a Job that failed, or a
        key that is refused, would be an outcome in one mode and silence in the other.
        """
        soft_fail, self.soft_fail = self.soft_fail, False
        try:
            if compat.is_late(next_method, next_kwargs):
                self.log.warning("Airflow has ended the deferral: is a triggerer running?")
                return self._finish(context, self._poll(context))
            return super().resume_execution(next_method, next_kwargs, context)
        except (AirflowSensorTimeout, AirflowTaskTimeout) as timeout:
            if not soft_fail:
                raise
            self.log.info("skipped, as soft_fail is set: %s", timeout)
            raise AirflowSkipException(str(timeout)) from timeout
        finally:
            self.soft_fail = soft_fail

    # -- inside -----------------------------------------------------------------------------------

    def _trigger(self, context: Context, deadline: float) -> HevoTrigger:
        from hevo_edge.integrations.airflow.triggers import HevoTrigger  # noqa: PLC0415

        job_id = self.job_id
        parameters.of_one_task(job_id, "job_id")
        parameters.of_one_task(self.pipeline_id, "pipeline_id")
        is_id = isinstance(job_id, (str, int)) and not isinstance(job_id, bool)
        if self._has_job_id and (not is_id or str(job_id).strip() in _NOTHING):
            raise ConfigurationError(
                f"job_id rendered to {job_id!r}; did the task that was to give it run, and push it?"
            )
        if self._has_ended_since and str(self.ended_since).strip() in _NOTHING:
            raise ConfigurationError(
                f"ended_since rendered to {self.ended_since!r}: this run has no such date, as a "
                "first run has no prev_start_date_success; give a default in the template"
            )
        by_pipeline = job_id is None
        began = self._began_at(context)
        ended = parameters.moment(self.ended_since, "ended_since") or began
        running = by_pipeline and self.wait_for == "running"
        return HevoTrigger(
            pipeline_id=validation.pipeline_id(self.pipeline_id),
            connection_id=self.connection_id,
            job_id=None if job_id is None else str(job_id),
            job_type=self.job_type,
            poke_interval=self.poke_interval,
            accept_completed_with_failures=self.accept_completed_with_failures,
            deadline=deadline,
            limit=self._limit,
            ended_since=ended.isoformat() if running else None,
            started_since=began.isoformat() if by_pipeline and not running else None,
        )

    @property
    def _limit(self) -> float | None:
        """The seconds that the user gave: what messages name."""
        return parameters.limit(self.timeout, self.execution_timeout)

    def _deadline(self, context: Context) -> float:
        """Return when a deferral must be over, in seconds since 1970."""
        now, execution = time.time(), self.execution_timeout
        if execution is None:
            return now + self.timeout
        seconds = execution.total_seconds()
        ends = compat.execution_deadline(compat.ti_of(context), now, seconds)
        return min(now + self.timeout, ends)

    def _began_at(self, context: Context) -> datetime:
        """Return when this try began to wait; a Job that ends between two polls is not missed."""
        if self._began is None:
            first: datetime | None = None
            if self.mode == "reschedule":
                first = compat.first_reschedule(compat.ti_of(context), context)
            self._began = first or datetime.now(timezone.utc)
        return self._began

    def _poll(self, context: Context) -> dict[str, Any]:
        """Poll as the trigger would at its deadline, and return the event that it would give.

        Network trouble is no outcome: it is the same as a Job that still runs.
        """
        from hevo_edge.integrations.airflow import connections  # noqa: PLC0415 -- see the task
        from hevo_edge.integrations.airflow.events import event_of  # noqa: PLC0415

        with parameters.at_run(self.connection_id):
            trigger = self._trigger(context, time.time())
            hevo = connections.read(self.connection_id).client()
        url = hevo.pipeline(trigger.pipeline_id).url
        compat.ti_of(context).xcom_push(key=links.URL_KEY, value=url)
        return event_of(run(trigger.outcome(hevo)))

    def _finish(self, context: Context, event: Any) -> str:
        from hevo_edge.integrations.airflow.events import outcome_of  # noqa: PLC0415

        outcome = outcome_of(event)
        if outcome.job is not None:
            compat.ti_of(context).xcom_push(key="job", value=outcome.job)
        if outcome.kind == "success":
            self.log.info("%s", outcome.message)
            return str(outcome.job_id)
        if outcome.kind == "timeout" and self._limit != self.timeout:
            raise AirflowTaskTimeout(outcome.message)
        if outcome.kind == "timeout":
            raise AirflowSensorTimeout(outcome.message)
        raise AirflowException(outcome.message)
