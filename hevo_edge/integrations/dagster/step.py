"""One attempt of a step: start or resume its run, see it through, cancel it on a user's request."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import dagster as dg

from hevo_edge import HevoClient, Job
from hevo_edge.errors import HevoError
from hevo_edge.integrations.dagster.metadata import metadata_of
from hevo_edge.integrations.dagster.options import RunOptions
from hevo_edge.integrations.dagster.tickets import TicketLog
from hevo_edge.models import JobObjectData
from hevo_edge.observing import Observer, StatusEvent, TriggerEvent
from hevo_edge.orchestration import Account, Outcome, Run, cancel_if_asked, failure, run

CANCEL_TIMEOUT = 20.0
"""Seconds that a cancel may take: Kubernetes kills for good after 30."""
Context = dg.OpExecutionContext | dg.AssetExecutionContext
BY_USER = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


class HasAccount(Protocol):
    """An account, as a resource describes it."""

    def get_account(self) -> Account:
        """Return the account."""

    def get_client(self, **overrides: Any) -> HevoClient:
        """Make a client."""


class Step:
    """One attempt of a step.

    Args:
        context: Dagster's context of the step.
        resource: The account.
        pipeline_id: The Pipeline.
        options: The options of the run.
        object_ids: Resync these alone; None for the whole Pipeline.
        is_of_assets: The step tells of the tables, so the sensor need not.

    Raises:
        Failure: without a retry, when something is wrong with the account or an option.
    """

    def __init__(
        self,
        context: Context,
        resource: HasAccount,
        pipeline_id: int | str,
        options: Mapping[str, Any],
        object_ids: Sequence[str] | None = None,
        *,
        is_of_assets: bool = False,
    ) -> None:
        self._context = context
        with failing(pipeline_id):
            checked = RunOptions.check(options)
            spec = checked.spec(pipeline_id, object_ids)
            account = resource.get_account()
            self._hevo = resource.get_client(observer=_StepLog(context))
        self._cancel_on_termination = checked.cancel_on_termination
        self.url: str = self._hevo.pipeline(spec.pipeline_id).url
        store = TicketLog(context, spec, self.url, tags_job=is_of_assets)
        self._attempt = Run(spec, store, account=account.fingerprint)

    def run(self, *, wants_rows: bool) -> tuple[Outcome, list[JobObjectData] | None]:
        """Run to the end; return how that was, and what the Job did with each object.

        Args:
            wants_rows: Read the latter; None when it could not be read.
        """
        spec = self._attempt.spec
        self._context.log.info("%s of Pipeline %s: %s", spec.action, spec.pipeline_id, self.url)
        outcome, rows = run(self._run(wants_rows=wants_rows))
        level = logging.INFO if outcome.kind == "success" else logging.ERROR
        self._context.log.log(level, outcome.message)
        return outcome, rows

    async def _run(self, *, wants_rows: bool) -> tuple[Outcome, list[JobObjectData] | None]:
        async with self._hevo as hevo:
            earlier = self._attempt.job_id
            try:
                started = await self._attempt.start(hevo)
                if isinstance(started, Outcome):
                    return started, None
                self._tell_of(started, earlier)
                outcome = await self._attempt.wait(hevo)
            except Exception:
                raise
            except BaseException:  # Dagster interrupts, wherever the loop is; asyncio then cancels
                await self._terminated(hevo)
                raise
            self._attempt.finish(outcome)
            rows = await self._rows() if wants_rows and outcome.has_ended else None
            return outcome, rows

    def _tell_of(self, job: Job, earlier: str | None) -> None:
        if earlier not in {None, job.id}:
            self._context.log.info(
                "Job %s of an earlier attempt ended badly, or was cancelled: a new run starts",
                earlier,
            )
        how = f"certainty {job.certainty}" if job.freshness is None else job.freshness
        resumed = ", resumed" if self._attempt.is_resumed else ""
        self._context.log.info("Job %s (%s%s)", job.ref, how, resumed)

    async def _rows(self) -> list[JobObjectData] | None:
        assert self._attempt.job is not None  # noqa: S101 -- it has ended
        try:
            return [row async for row in self._attempt.job.list_objects()]
        except HevoError as error:
            self._context.log.warning("the Job's objects could not be read: %s", error)
            return None

    # -- the run is terminated --------------------------------------------------------------------

    async def _terminated(self, hevo: HevoClient) -> None:
        """Cancel the Job in Hevo, if that is asked for; nothing is raised."""
        choice = self._cancel_on_termination
        if not self._attempt.has_sent or choice == "never":
            return
        await cancel_if_asked(
            lambda: choice == "always" or self._is_by_user(),
            self._attempt,
            hevo,
            within=CANCEL_TIMEOUT,
            logger=self._context.log,
        )

    def _is_by_user(self) -> bool:
        found = self._context.instance.get_run_by_id(self._context.run.run_id)
        return found is not None and found.status in BY_USER


@contextmanager
def failing(pipeline_id: Any) -> Generator[None, None, None]:
    """Raise an error as Dagster's failure, which is retried if that may help."""
    try:
        yield
    except HevoError as error:
        raise failure_of(failure(error, pipeline_id), None) from None


def failure_of(outcome: Outcome, url: str | None) -> dg.Failure:
    """Return the exception that a step raises for an outcome that is no success."""
    return dg.Failure(
        outcome.message,
        metadata=metadata_of(outcome.job, url),
        allow_retries=not outcome.is_final,
    )


class _StepLog(Observer):
    """Logs what changes: what a trigger is doing, and a Job's status."""

    def __init__(self, context: Context) -> None:
        self._log = context.log

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """A trigger has entered a phase."""
        self._log.debug("trigger of Pipeline %s: %s", event.pipeline_id, event.doing)

    def on_status(self, event: StatusEvent, /) -> None:
        """A Job has a new status."""
        if not event.is_terminal:
            self._log.info("Job %s:%s is %s", event.pipeline_id, event.job_id, event.status)
