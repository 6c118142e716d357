"""An observer that makes spans and metrics of OpenTelemetry; it needs the API only.

The HTTP spans are those of ``opentelemetry-instrumentation-aiohttp-client``, where that is
installed; those of a trigger's requests are children of its span.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hevo_edge._common.bounded_dict import BoundedDict
from hevo_edge._common.optional import needed
from hevo_edge._text.printable import printable, short
from hevo_edge._version import __version__
from hevo_edge.observing._events import (
    PollEvent,
    RequestEvent,
    StatusEvent,
    ThrottledEvent,
    TriggerEvent,
    TriggerPhase,
    WaitEvent,
    WaitPhase,
)
from hevo_edge.observing._observer import Observer
from hevo_edge.observing._words import error_type, poll_kind, trigger_outcome, wait_outcome

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, SpanContext, TracerProvider

    from hevo_edge.budget import Budget

__all__ = ["OpenTelemetryObserver"]

MAX_JOBS = 10_000
"""Of how many Jobs the trigger's span and the statuses are remembered."""
MAX_STATUSES = 20
Attributes = dict[str, Any]


class OpenTelemetryObserver(Observer):
    """Makes spans of triggers and waits, and metrics; see "Seeing the calls" for their names.

    A trigger's span is the current one while it runs. A wait may take hours and outlive the
    process, so its span is made when it is over, with its true beginning and a link to the span of
    the trigger that has started the Job; the statuses that were seen are its events.

    Args:
        tracer_provider: By default the global one.
        meter_provider: By default the global one.

    Raises:
        ConfigurationError: when ``opentelemetry-api`` cannot be imported.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        by, install = "OpenTelemetryObserver", "hevo-edge[otel]"
        self._trace = needed("opentelemetry.trace", by, install)
        self._context = needed("opentelemetry.context", by, install)
        metrics = needed("opentelemetry.metrics", by, install)
        self._tracer = self._trace.get_tracer("hevo_edge", __version__, tracer_provider)
        self._metrics = _Metrics(metrics.get_meter("hevo_edge", __version__, meter_provider))
        self._open: dict[int, tuple[Span, Any]] = {}
        self._triggers: BoundedDict[tuple[int, str], SpanContext] = BoundedDict(MAX_JOBS)
        self._statuses: BoundedDict[tuple[int, str], list[tuple[int, str]]] = BoundedDict(MAX_JOBS)

    # -- spans ------------------------------------------------------------------------------------

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Begin, continue or end the span of a trigger."""
        if event.phase is TriggerPhase.STARTED:
            attributes = {
                "hevo.pipeline.id": event.pipeline_id,
                "hevo.action": str(event.action),
                "hevo.ticket.id": event.ticket_id,
            }
            span = self._tracer.start_span(f"hevo_edge.{event.verb}", attributes=attributes)
            token = self._context.attach(self._trace.set_span_in_context(span))
            self._open[event.call] = span, token
        elif event.phase is not TriggerPhase.ENDED:
            if event.call in self._open:
                self._open[event.call][0].add_event(str(event.phase), {"hevo.doing": event.doing})
        else:
            self._end_trigger(event)

    def on_status(self, event: StatusEvent, /) -> None:
        """Keep the status for the span of the wait, and count an end."""
        key = (event.pipeline_id, event.job_id)
        seen = self._statuses.get(key) or []
        seen.append((time.time_ns(), short(event.status)))
        self._statuses.set(key, seen[-MAX_STATUSES:], 0.0)
        self._metrics.status(event)

    def on_wait(self, event: WaitEvent, /) -> None:
        """Make the span of a wait that is over."""
        self._metrics.wait(event)
        if event.phase is WaitPhase.STARTED:
            return
        key, now = (event.pipeline_id, event.job_id), time.time_ns()
        trigger = self._triggers.get(key)
        span = self._tracer.start_span(
            "hevo_edge.await_completion",
            links=[] if trigger is None else [self._trace.Link(trigger)],
            start_time=now - int(event.elapsed * 1e9),
            attributes={
                **_job(event.pipeline_id, event.job_id),
                "hevo.job.status": short(event.status or "not read"),
                "hevo.wait.outcome": wait_outcome(event),
            },
        )
        for seen_at, status in self._statuses.get(key) or []:
            if seen_at >= now - event.elapsed * 1e9:
                span.add_event("status", {"hevo.job.status": status}, seen_at)
        self._end(span, event.error, now)

    def _end_trigger(self, event: TriggerEvent) -> None:
        self._metrics.trigger(event)
        span, token = self._open.pop(event.call, (None, None))
        if span is None:
            return
        span.set_attribute("hevo.trigger.outcome", trigger_outcome(event))
        if event.job_id is not None:
            span.set_attribute("hevo.job.id", short(event.job_id))
            key = (event.pipeline_id, event.job_id)
            self._triggers.set(key, span.get_span_context(), 0.0)
        self._end(span, event.error)
        self._context.detach(token)

    def _end(self, span: Span, error: BaseException | None, at: int | None = None) -> None:
        """End a span; what is no Exception has interrupted it, which is no failure."""
        if isinstance(error, Exception):
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, printable(error)))
        span.end(at)

    # -- metrics ----------------------------------------------------------------------------------

    def on_request(self, event: RequestEvent, /) -> None:
        """Count it."""
        self._metrics.request(event)

    def record_budget(self, budget: Budget) -> None:
        """Set the gauges of the budget; call it now and then with what ``hevo.budget()`` returns.

        Args:
            budget: Of one client.
        """
        self._metrics.budget(budget)

    def on_throttled(self, event: ThrottledEvent, /) -> None:
        """Count it."""
        self._metrics.throttled.add(1, {"hevo.request.name": event.name})

    def on_poll(self, event: PollEvent, /) -> None:
        """Count it."""
        attributes = {"hevo.poll.kind": poll_kind(event), "error.type": error_type(event.error)}
        self._metrics.polls.add(1, _known(attributes))


class _Metrics:
    """The instruments."""

    def __init__(self, meter: Any) -> None:
        counter, histogram = meter.create_counter, meter.create_histogram
        self.requests = counter("hevo.requests", "{request}", "Attempts at requests")
        self.throttled = counter("hevo.throttled", "{request}", "Requests that got 429")
        self.polls = counter("hevo.polls", "{poll}", "Polls of awaited Jobs")
        self.budget_wait = histogram("hevo.limiter.wait", "s", "Waits for the call budget")
        self.budget_free = meter.create_gauge("hevo.limiter.free", "{call}", "Calls left")
        self.budget_limit = meter.create_gauge("hevo.limiter.limit", "{call}", "Calls in a period")
        self.budget_used = meter.create_gauge("hevo.limiter.used", "{call}", "Calls that count")
        self.budget_pause = meter.create_gauge("hevo.limiter.pause", "s", "Left after a 429")
        self.budget_alone = meter.create_gauge(
            "hevo.limiter.alone", "1", "1 while what shares the budget cannot be reached"
        )
        self._holders: set[tuple[str, str]] = set()
        self.trigger_duration = histogram("hevo.trigger.duration", "s", "Triggers, all phases")
        self.job_duration = histogram("hevo.job.duration", "s", "Awaited Jobs, when they ended")
        self.delay = histogram("hevo.job.detection_delay", "s", "From an end to its detection")
        self.waits = meter.create_up_down_counter("hevo.waits", "{wait}", "Waits under way")

    def request(self, event: RequestEvent) -> None:
        attributes = {
            "hevo.request.name": event.name,
            "http.response.status_code": event.status,
            "error.type": error_type(event.error),
        }
        self.requests.add(1, _known(attributes))
        self.budget_wait.record(event.waited, {"hevo.priority": event.priority})
        if event.calls_left is not None:
            self.budget_free.set(event.calls_left)

    def budget(self, budget: Budget) -> None:
        if budget.calls is not None:
            self.budget_limit.set(budget.calls)
        if "trigger" in budget.free:
            self.budget_free.set(budget.free["trigger"])
        used = {
            (holder.owner, priority): calls
            for holder in budget.holders
            for priority, calls in holder.used.items()
        }
        # A gauge forgets nothing by itself.
        for owner, priority in self._holders | used.keys():
            attributes = {"hevo.process": owner, "hevo.priority": priority}
            self.budget_used.set(used.get((owner, priority), 0), attributes)
        self._holders = set(used)
        self.budget_pause.set(max(0.0, (budget.paused_until or 0.0) - time.time()))
        self.budget_alone.set(int(budget.is_alone))

    def trigger(self, event: TriggerEvent) -> None:
        attributes = {
            "hevo.verb": event.verb,
            "hevo.action": str(event.action),
            "hevo.trigger.outcome": trigger_outcome(event),
        }
        self.trigger_duration.record(event.elapsed, attributes)

    def status(self, event: StatusEvent) -> None:
        if not event.is_terminal:
            return
        attributes = {
            "hevo.job.type": short(event.job_type),
            "hevo.job.status": short(event.status),
        }
        if event.duration is not None:
            self.job_duration.record(event.duration, attributes)
        if event.detection_delay is not None:
            self.delay.record(max(0.0, event.detection_delay), attributes)

    def wait(self, event: WaitEvent) -> None:
        self.waits.add(1 if event.phase is WaitPhase.STARTED else -1)


def _job(pipeline_id: int, job_id: str) -> Attributes:
    return {"hevo.pipeline.id": pipeline_id, "hevo.job.id": short(job_id)}


def _known(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
