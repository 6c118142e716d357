"""An observer that counts for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hevo_edge._common.optional import needed
from hevo_edge._text.printable import short
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
from hevo_edge.observing._words import error_type, poll_kind, trigger_outcome

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from hevo_edge.budget import Budget

__all__ = ["PrometheusObserver"]

MINUTE, HOUR = 60.0, 3600.0
WAIT_BUCKETS = (0.1, 1.0, 5.0, 15.0, 30.0, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE)
JOB_BUCKETS = (
    *(MINUTE / 2, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE),
    *(HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR),
)


class PrometheusObserver(Observer):
    """Metrics in a registry of ``prometheus_client``; see "Seeing the calls" for their names.

    Make one for a registry, and pass it to all clients of the process.

    Args:
        registry: By default the global one.
        by_pipeline: Whether the metrics of triggers and Jobs have the label ``pipeline``: a series
            for each Pipeline, so for hundreds it is costly. Without it the label is empty.

    Raises:
        ConfigurationError: when ``prometheus_client`` cannot be imported.
        ValueError: by prometheus_client, when the registry has these metrics already.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, by_pipeline: bool = False
    ) -> None:
        client = needed("prometheus_client", "PrometheusObserver", "hevo-edge[prometheus]")
        into: Any = {"registry": registry or client.REGISTRY}
        counter, gauge, histogram = client.Counter, client.Gauge, client.Histogram
        self._by_pipeline = by_pipeline
        self._requests = counter(
            "hevo_requests", "Attempts at requests", ["name", "status", "error"], **into
        )
        self._throttled = counter("hevo_throttled", "Requests that got 429", ["name"], **into)
        self._polls = counter("hevo_polls", "Polls of awaited Jobs", ["kind", "error"], **into)
        self._budget_wait = histogram(
            *("hevo_budget_wait_seconds", "Waits for the call budget", ["priority"]),
            **into,
            buckets=WAIT_BUCKETS,
        )
        self._budget = _BudgetGauges(gauge, into)
        self._triggers = histogram(
            *("hevo_trigger_seconds", "Triggers", ["verb", "action", "outcome", "pipeline"]),
            **into,
            buckets=WAIT_BUCKETS,
        )
        self._jobs = histogram(
            *("hevo_job_seconds", "Awaited Jobs that ended", ["type", "status", "pipeline"]),
            **into,
            buckets=JOB_BUCKETS,
        )
        self._delay = histogram(
            *("hevo_job_detection_delay_seconds", "From an end to its detection", ["pipeline"]),
            **into,
            buckets=WAIT_BUCKETS,
        )
        self._waits = gauge("hevo_waits", "Waits under way", **into)

    def on_request(self, event: RequestEvent, /) -> None:
        """Count it."""
        status, error = event.status or "", error_type(event.error) or ""
        self._requests.labels(event.name, status, error).inc()
        self._budget_wait.labels(event.priority).observe(event.waited)
        if event.calls_left is not None:
            self._budget.free.set(event.calls_left)

    def record_budget(self, budget: Budget) -> None:
        """Set the gauges of the budget; call it now and then with what ``hevo.budget()`` returns.

        Args:
            budget: Of one client; of several accounts, one overwrites the other.
        """
        self._budget.record(budget)

    def on_throttled(self, event: ThrottledEvent, /) -> None:
        """Count it."""
        self._throttled.labels(event.name).inc()

    def on_poll(self, event: PollEvent, /) -> None:
        """Count it."""
        self._polls.labels(poll_kind(event), error_type(event.error) or "").inc()

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Count a trigger that is over."""
        if event.phase is TriggerPhase.ENDED:
            words = event.verb, str(event.action), trigger_outcome(event)
            self._triggers.labels(*words, self._pipeline(event.pipeline_id)).observe(event.elapsed)

    def on_status(self, event: StatusEvent, /) -> None:
        """Count a Job that has ended."""
        if not event.is_terminal:
            return
        pipeline = self._pipeline(event.pipeline_id)
        words = short(event.job_type), short(event.status), pipeline
        self._jobs.labels(*words).observe(event.duration or 0.0)
        if event.detection_delay is not None:
            self._delay.labels(pipeline).observe(max(0.0, event.detection_delay))

    def on_wait(self, event: WaitEvent, /) -> None:
        """Count what is under way."""
        if event.phase is WaitPhase.STARTED:
            self._waits.inc()
        else:
            self._waits.dec()

    def _pipeline(self, pipeline_id: int) -> str:
        return str(pipeline_id) if self._by_pipeline else ""


class _BudgetGauges:
    """The gauges of the call budget."""

    def __init__(self, gauge: Any, into: Mapping[str, Any]) -> None:
        self.free = gauge("hevo_budget_free_calls", "Calls left in the budget", **into)
        self._limit = gauge("hevo_budget_limit_calls", "Calls in a period", **into)
        self._used = gauge(
            "hevo_budget_used_calls", "Calls that count", ["process", "priority"], **into
        )
        self._paused = gauge(
            "hevo_budget_paused_until_seconds", "End of the pause after a 429, or 0", **into
        )
        self._alone = gauge(
            "hevo_budget_alone", "1 while what shares the budget cannot be reached", **into
        )

    def record(self, budget: Budget) -> None:
        if budget.calls is not None:
            self._limit.set(budget.calls)
        if "trigger" in budget.free:
            self.free.set(budget.free["trigger"])
        self._used.clear()  # those who hold no calls any more
        for holder in budget.holders:
            for priority, calls in holder.used.items():
                self._used.labels(holder.owner, priority).set(calls)
        self._paused.set(budget.paused_until or 0)
        self._alone.set(budget.is_alone)
