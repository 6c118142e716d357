"""What an observer is told: one small immutable object an event.

Times are seconds. An event has neither bodies nor headers nor the query of a URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from hevo_edge.enums import Certainty, JobStatus, PipelineAction
    from hevo_edge.errors import RequestError


class TriggerPhase(str, Enum):
    """What a call of ``trigger``, ``prepare_trigger``, ``fire`` or ``reconcile`` is doing."""

    STARTED = "started"
    READING = "reading"
    """Reading the Pipeline and its Jobs, before the POST."""
    WAITING = "waiting"
    """Waiting for something to be gone: a running Job, a restart, another trigger, an outage."""
    POSTING = "posting"
    SEARCHING = "searching"
    """Polling the jobs list for the Job of the POST."""
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


class WaitPhase(str, Enum):
    """The beginning or the end of the wait for one Job."""

    STARTED = "started"
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent:
    """One attempt at a request is over.

    Attributes:
        name: The function of ``hevo_edge.api`` that made the request, such as ``"get_job"``.
        method: The HTTP method.
        path: The path, without its query.
        pipeline_id: The Pipeline in the path, if there is one.
        job_id: The Job in the path, if there is one.
        priority: Its priority in the call budget: a name of ``Priority``, in lower case.
        attempt: 1 for the first, counted up with each repetition.
        waited: Seconds that it has waited for the call budget.
        elapsed: Seconds from its sending to the end of the reply; 0 when it was not sent.
        status: The HTTP status; None when no reply came.
        error: What has failed, None for a success. The caller only gets it when it is the last.
        calls_left: How many calls the budget still allows a trigger now; None without a limit.
    """

    method_name: ClassVar[str] = "on_request"

    name: str
    method: str
    path: str
    pipeline_id: int | None
    job_id: str | None
    priority: str
    attempt: int
    waited: float
    elapsed: float
    status: int | None
    error: RequestError | None
    calls_left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEvent:
    """A request has to wait for the call budget, or does so no longer.

    Attributes:
        name: The function of ``hevo_edge.api`` that made the request.
        pipeline_id: The Pipeline in its path, if there is one.
        priority: Its priority: a name of ``Priority``, in lower case.
        expected: Seconds that the wait is expected to take, when it begins.
        waited: Seconds that it has taken, when it is over; None when it begins.
    """

    method_name: ClassVar[str] = "on_budget"

    name: str
    pipeline_id: int | None
    priority: str
    expected: float
    waited: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottledEvent:
    """Hevo has refused a call (429).

    Attributes:
        name: The function of ``hevo_edge.api`` that made the request.
        retry_after: Seconds for which Hevo asks; None if it does not say.
        pause: Seconds for which this client sends nothing.
    """

    method_name: ClassVar[str] = "on_throttled"

    name: str
    retry_after: float | None
    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PollEvent:
    """One poll of awaited Jobs is over; it is one request, or several where it was repeated.

    Attributes:
        pipeline_id: The Pipeline.
        job_ids: The Jobs that it was for; none when it was for the next Job to start.
        is_final: Whether it was the final poll before a deadline.
        elapsed: Seconds that it took, with its wait for the call budget.
        error: Why it failed, None for a success. It need not end a wait.
    """

    method_name: ClassVar[str] = "on_poll"

    pipeline_id: int
    job_ids: tuple[str, ...]
    is_final: bool
    elapsed: float
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerEvent:
    """A call that triggers has entered a phase.

    Attributes:
        call: Tells the calls of this process apart; all events of one call have the same.
        verb: ``"trigger"``, ``"prepare"``, ``"fire"`` or ``"reconcile"``.
        ticket_id: The ticket of the call.
        pipeline_id: The Pipeline.
        action: SYNC_NOW or RESYNC.
        phase: What it is doing now.
        doing: The same in words, such as ``"waiting for Job ... to end"``.
        elapsed: Seconds since the call began.
        job_id: The Job that was found, at the end.
        certainty: How certain it is that the call has started it.
        error: What the call raises, at its end; a CancelledError when it was cancelled.
    """

    method_name: ClassVar[str] = "on_trigger"

    call: int
    verb: str
    ticket_id: str
    pipeline_id: int
    action: PipelineAction
    phase: TriggerPhase
    doing: str
    elapsed: float
    job_id: str | None = None
    certainty: Certainty | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """An awaited Job has a status that was not seen before.

    Attributes:
        pipeline_id: The Pipeline.
        job_id: The Job.
        job_type: Its type.
        status: The status; a plain string when it is not a known one.
        previous: The status before; None when the Job is seen for the first time.
        is_terminal: Whether the Job has ended.
        updated: When Hevo changed the Job last, by Hevo's clock.
        duration: Seconds that the Job has run; None if unknown.
        detection_delay: For an end, seconds from it, by Hevo's clock, to now, by this machine's:
            as true as both clocks are. Else None.
    """

    method_name: ClassVar[str] = "on_status"

    pipeline_id: int
    job_id: str
    job_type: str
    status: JobStatus | str
    previous: JobStatus | str | None
    is_terminal: bool
    updated: datetime | None
    duration: float | None
    detection_delay: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEvent:
    """The wait for one Job has begun, or is over.

    Attributes:
        pipeline_id: The Pipeline.
        job_id: The Job.
        phase: Its beginning or its end.
        elapsed: Seconds since it began.
        status: The last status that was seen, None when there is none.
        error: What the wait raises, at its end: None when the Job has succeeded; a CancelledError
            when the wait was left before.
    """

    method_name: ClassVar[str] = "on_wait"

    pipeline_id: int
    job_id: str
    phase: WaitPhase
    elapsed: float
    status: JobStatus | str | None
    error: BaseException | None


Event = (
    RequestEvent | BudgetEvent | ThrottledEvent | PollEvent | TriggerEvent | StatusEvent | WaitEvent
)
"""Anything that an observer is told."""
