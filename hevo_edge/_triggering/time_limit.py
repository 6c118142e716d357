"""The caller's time-out of a trigger, over all of its phases."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from hevo_edge._awaiting.job_reader import FINAL_POLL_TIMEOUT
from hevo_edge._common.clock import Clock
from hevo_edge._common.timeouts import DeadlinePassed, within
from hevo_edge._text.durations import format_seconds
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge._triggering.pipeline_lock import PipelineLock
from hevo_edge._triggering.registry import TicketRecord
from hevo_edge._triggering.reporting import TriggerReport
from hevo_edge.errors import HevoError, RequestError, TriggerOutcomeUnknown, TriggerTimeout
from hevo_edge.observing._events import TriggerPhase
from hevo_edge.schedules import Geometric, geometric

T = TypeVar("T")
log: logging.Logger = get_logger("hevo_edge.triggering")

OUTAGE_PAUSES: Geometric = geometric(share=0.25, shortest=3.0, longest=30.0)
"""The pauses of a trigger with a time-out between tries that fail, before its POST has left."""


class TimeLimit:
    """Bounds every phase before the POST, and makes the error when the time-out passes.

    Args:
        clock: Time.
        record: The ticket's record.
        deadline: Loop time (seconds) at which the time-out ends; None for no limit.
        report: Is told what the trigger is doing.
    """

    def __init__(
        self, clock: Clock, record: TicketRecord, deadline: float | None, report: TriggerReport
    ) -> None:
        self.deadline: float | None = deadline
        self._report = report
        self._clock = clock
        self._record = record
        self._started = clock.now()
        self._failure: RequestError | None = None  # of the last request, if it failed

    async def bounded(
        self,
        doing: str,
        work: Coroutine[Any, Any, T],
        phase: TriggerPhase = TriggerPhase.WAITING,
    ) -> T:
        """Return what a coroutine returns.

        Args:
            doing: What the trigger is doing, for the error and for observers.
            work: A coroutine that may be cancelled at any point.
            phase: The phase that this is.

        Raises:
            TriggerTimeout: when the deadline came first; nothing was sent.
            TriggerOutcomeUnknown: the same, when an earlier POST may have arrived.
        """
        self._report.phase(phase, doing)
        try:
            return await within(self.deadline, work)
        except DeadlinePassed:
            raise self.error(doing) from self._failure

    async def sleep(self, seconds: float, doing: str) -> None:
        """Sleep for so many seconds; raises as ``bounded``."""
        await self.bounded(doing, self._clock.sleep(seconds))

    async def outlasted(self, doing: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what a coroutine that starts nothing returns; within a time-out, outlast outages.

        Args:
            doing: What the trigger is doing, for the error.
            work: Makes the coroutine, anew after each failure that passes by itself.

        Raises: as ``bounded``; without a time-out, also what the coroutine raises at first.
        """
        began = self._clock.now()
        while True:
            try:
                result = await self.bounded(doing, work(), TriggerPhase.READING)
            except RequestError as error:
                await self.pause_after(error, doing, began)
            else:
                self._failure = None
                return result

    async def pause_after(self, failure: RequestError, doing: str, began: float) -> None:
        """Pause after a failure that has started nothing, if it may pass within the time-out.

        Args:
            failure: Why the last request failed.
            doing: What the trigger is doing.
            began: The loop time (seconds) since which it does.

        Raises:
            RequestError: the failure, without a time-out, or when no time mends it.
            TriggerTimeout: because of the failure, when the pause would end too late.
        """
        if self.deadline is None or not failure.transient:
            raise failure
        self._failure = failure
        now = self._clock.now()
        pause = OUTAGE_PAUSES.gap(now - began)
        if now + pause >= self.deadline:
            await self._clock.sleep(max(0.0, self.deadline - now))
            raise self.error(doing) from failure
        log.debug("trying again in %.0f s, as nothing was started: %s", pause, failure)
        self._report.phase(TriggerPhase.WAITING, f"{doing}; trying again after: {failure}")
        await self._clock.sleep(pause)

    @asynccontextmanager
    async def locked(
        self, lock: PipelineLock, *, unless_run_started: bool = False
    ) -> AsyncGenerator[None, None]:
        """Hold a Pipeline's lock; raises as ``bounded``, and as ``PipelineLock.held``."""
        async with AsyncExitStack() as stack:
            if lock.is_held:
                self._report.phase(TriggerPhase.WAITING, "waiting for another trigger of it")
            try:
                await stack.enter_async_context(
                    lock.held(self.deadline, unless_run_started=unless_run_started)
                )
            except DeadlinePassed:
                raise self.error("waiting for another trigger of it") from None
            yield

    def has_passed(self) -> bool:
        """Say whether the deadline has passed."""
        return self.deadline is not None and self._clock.now() >= self.deadline

    def final_deadline(self) -> float | None:
        """Return the loop time (seconds) until which a last reading may take; None for no limit."""
        if self.deadline is None:
            return None
        return max(self.deadline, self._clock.now()) + FINAL_POLL_TIMEOUT

    def check(self) -> None:
        """Raise DeadlinePassed when the deadline has passed."""
        if self.has_passed():
            raise DeadlinePassed

    def error(self, doing: str) -> HevoError:
        """Make the error that names the phase in which the time-out passed."""
        record, ticket = self._record, self._record.ticket
        seconds = (self.deadline or self._started) - self._started
        what = f"{ticket.action} of Pipeline {ticket.pipeline_id}"
        when = f"within {format_seconds(seconds)} (it was {short(doing)})"
        if record.may_have_been_posted:
            return TriggerOutcomeUnknown(
                f"an earlier POST of {what} may have reached Hevo, and its Job was not found "
                f"{when}. HevoClient.reconcile(error.ticket) searches again",
                ticket=record.earlier or ticket,
            )
        return TriggerTimeout(
            f"{what} was not started {when}. Nothing was sent{self._advice()}",
            pipeline_id=ticket.pipeline_id,
            phase=short(doing),
        )

    def _advice(self) -> str:
        """Say why it was not started, if requests have failed; else what may help."""
        if self._failure is None:
            return ": trigger it again, with a longer timeout perhaps"
        return f", because requests failed; the last one: {self._failure}"
