"""What waits in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from hevo_edge import Certainty, HevoClient
from hevo_edge.enums import TERMINAL_STATUSES, JobStatus
from hevo_edge.errors import ConfigurationError, HevoError
from hevo_edge.integrations.airflow import compat, connections
from hevo_edge.integrations.airflow.events import event_of
from hevo_edge.integrations.airflow.provider import CONNECTION_ID
from hevo_edge.integrations.airflow.stores import leave_cancel
from hevo_edge.orchestration import (
    Outcome,
    RunSpec,
    await_job,
    await_pipeline,
    cancel_within,
    failure,
    finish_cleanup,
    get_logger,
    may_cancel,
    validation,
)

log: logging.Logger = get_logger("hevo_edge.integrations.airflow")

_ENDING = "ending a killed task's Job"
_SPARE = 0.1
"""Seconds of a kill in which the last failure of its cancel is still raised."""


class HevoTrigger(BaseTrigger):
    """Waits for a Job, or for a Pipeline's present or next Job, and says how it ended.

    All of them in one triggerer share one client for each connection, so their polls share the
    call budget. Network trouble, 429 and 5xx never end a wait; a restart of the triggerer neither
    cancels nor loses anything.

    Args:
        pipeline_id: The Pipeline.
        connection_id: The Airflow connection.
        job_id: The Job; None to wait for the Pipeline's present or next one.
        job_type: Without ``job_id``: only a Job of this type.
        poke_interval: Seconds between polls, ``"auto"``, or ``"eager"``.
        accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
        deadline: When to give up, in seconds since 1970; None for never.
        on_timeout: At the deadline, ``"raise"`` (an error event), or ``"cancel"`` the Job as well.
        ended_since: Without ``job_id``: a Job that ended since then will do; ISO, with offset.
        started_since: Without ``job_id``: only a Job that started since then; ISO, with offset.
        cancel_on_kill: Cancel the Job in Hevo when a user marks the task as over.
        certainty: How surely the Job is the task's own; only such a one is cancelled.
        accept_any_end: Take every way in which the Job can end for success.
        limit: The seconds that the task's user gave; a message at the deadline names them.
    """

    # Of the class until a kill: a triggerer has a thousand waits, and each attribute adds up.
    _killing: asyncio.Future[None] | None = None
    _is_killed: bool = False

    def __init__(  # noqa: PLR0917 -- the vendor's, in the vendor's order
        self,
        pipeline_id: int,
        connection_id: str = CONNECTION_ID,
        job_id: str | None = None,
        job_type: str | None = None,
        poke_interval: float | str = 15,
        accept_completed_with_failures: bool = False,
        *,
        deadline: float | None = None,
        on_timeout: str = "raise",
        ended_since: str | None = None,
        started_since: str | None = None,
        cancel_on_kill: bool = False,
        certainty: str | None = None,
        accept_any_end: bool = False,
        limit: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pipeline_id: int = validation.pipeline_id(pipeline_id)
        self.connection_id = connection_id
        self.job_id = job_id
        self.job_type: str | None = None if job_type is None else str(job_type)
        self.poke_interval = poke_interval
        self.accept_completed_with_failures = accept_completed_with_failures
        self.deadline = deadline
        self.on_timeout = on_timeout
        self.ended_since = ended_since
        self.started_since = started_since
        self.cancel_on_kill = cancel_on_kill
        self.certainty: str | None = None if certainty is None else str(certainty)
        self.accept_any_end = accept_any_end
        self.limit = limit

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as plain JSON."""
        return (
            f"{__name__}.HevoTrigger",
            {
                "pipeline_id": self.pipeline_id,
                "connection_id": self.connection_id,
                "job_id": self.job_id,
                "job_type": self.job_type,
                "poke_interval": self.poke_interval,
                "accept_completed_with_failures": self.accept_completed_with_failures,
                "deadline": self.deadline,
                "on_timeout": self.on_timeout,
                "ended_since": self.ended_since,
                "started_since": self.started_since,
                "cancel_on_kill": self.cancel_on_kill,
                "certainty": self.certainty,
                "accept_any_end": self.accept_any_end,
                "limit": self.limit,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event; see ``events``."""
        try:
            left = self._spec().seconds_left()
            patience = math.inf if left is None else left
            async with connections.CLIENTS.lease(
                self.connection_id, connections.read_async, patience=patience
            ) as hevo:
                outcome = await self._waiting(hevo)
        except (AirflowException, HevoError) as error:
            # What is wrong with the connection: the task says it better than a traceback.
            outcome = failure(error, self.pipeline_id)
        except asyncio.CancelledError:
            if not compat.CALLS_TRIGGERS_ON_KILL:
                await self.on_kill()
            raise
        yield TriggerEvent(event_of(outcome))  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Cancel the Job in Hevo if a user has ended the task; Airflow 3.3 and later ask for it.

        It asks also when another triggerer has taken over, so the task's state is read. What could
        not be cancelled in the time that the triggerer gives is logged, and left to the next try.
        """
        if not self.cancel_on_kill or self.job_id is None:
            return
        seconds = compat.on_kill_timeout()
        self._killing = asyncio.ensure_future(
            self._kill(f"{self.pipeline_id}:{self.job_id}", seconds)
        )
        await finish_cleanup(self._killing, _ENDING, seconds + compat.ON_KILL_MARGIN)

    async def cleanup(self) -> None:
        """Go on with a kill to its end: Airflow cancels ``on_kill`` after a second."""
        if self._killing is not None:
            grace = compat.on_kill_timeout() + compat.ON_KILL_MARGIN
            await finish_cleanup(self._killing, _ENDING, grace)

    async def _kill(self, ref: str, seconds: float) -> None:
        """Cancel the Job in so many seconds; if that fails, say so and leave it to the next try."""
        why: Exception | str
        try:
            await asyncio.wait_for(self._cancel(ref, seconds), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            why = f"there was no time for it within {seconds:g} s"
        except (HevoError, AirflowException) as error:
            why = error
        else:
            return
        if not self._is_killed:
            why = f"Airflow did not say within {seconds:g} s who has ended the task"
        log.warning(
            "Job %s could not be cancelled, and is left running in Hevo: %s. To cancel it: "
            "hevo-edge cancel %s%s",
            ref,
            why,
            ref,
            "; if the task is durable and is cleared, its next try does" if self._is_killed else "",
        )
        if self._is_killed:
            await self._leave_to_next_try(ref)

    async def _cancel(self, ref: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._is_killed = bool(await sync_to_async(compat.was_ended_by_user)(self.task_instance))
        if not self._is_killed:
            log.info("no user has ended the task, so Job %s is left running", ref)
            return
        if not may_cancel(self.certainty):
            log.warning("Job %s is not surely of this task, so it is left running", ref)
            return
        log.info("cancelling Job %s in Hevo, within %g s", ref, seconds)
        async with connections.CLIENTS.lease(
            self.connection_id, connections.read_async, max_age=None, patience=seconds
        ) as hevo:
            # Its own error says more than that the time is over.
            await cancel_within(deadline - time.monotonic() - _SPARE, hevo.job(ref))
        log.info("Hevo was asked to cancel Job %s", ref)

    async def _leave_to_next_try(self, ref: str) -> None:
        try:
            await sync_to_async(leave_cancel)(self.task_instance, ref)
        except Exception as error:  # noqa: BLE001 -- a kill must not raise, whatever fails in Airflow
            log.warning("that Job %s is to be cancelled could not be stored: %s", ref, error)

    async def outcome(self, hevo: HevoClient) -> Outcome:
        """Wait with a client, and return how that ended."""
        try:
            return await self._waiting(hevo)
        except ConfigurationError as error:
            return failure(error, self.pipeline_id)

    # No coroutine function: a triggerer has a thousand waits, and each frame of each adds up.
    def _waiting(self, hevo: HevoClient) -> Coroutine[Any, Any, Outcome]:
        if self.job_id is None:
            return await_pipeline(
                hevo,
                self._spec(),
                job_type=self.job_type,
                ended_since=_timestamp(self.ended_since),
                started_since=_timestamp(self.started_since),
            )
        job = hevo.pipeline(self.pipeline_id).job(self.job_id)
        job.certainty = None if self.certainty is None else Certainty(self.certainty)
        return await_job(job, self._spec())

    def _spec(self) -> RunSpec:
        accept = TERMINAL_STATUSES if self.accept_any_end else frozenset[str]()
        if self.accept_completed_with_failures:
            accept |= {JobStatus.COMPLETED_WITH_FAILURES}
        return RunSpec(
            self.pipeline_id,
            poll_interval=self.poke_interval,  # type: ignore[arg-type]
            accept=accept,
            deadline=self.deadline,
            limit=self.limit,
            on_timeout=self.on_timeout,
        )


def _timestamp(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(timezone.utc)
