"""The observer of OpenTelemetry, with its SDK, beside aiohttp's own instrumentation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import OpenTelemetryObserver
from tests.awaiting.support import started
from tests.conftest import client_of


class Telemetry:
    """Providers that keep what is exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider(metric_readers=[self._reader])

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if name in span.name]

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return [point for each in metrics if each.name == name for point in each.data.data_points]

    def close(self) -> None:
        self.tracers.shutdown()
        self.meters.shutdown()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    found = Telemetry()
    yield found
    found.close()


def observed(emulator: HevoEmulator, telemetry: Telemetry, **options: Any) -> HevoClient:
    observer = OpenTelemetryObserver(telemetry.tracers, telemetry.meters)
    return client_of(emulator, observer=observer, **options)


async def test_the_span_of_a_trigger(emulator: HevoEmulator, telemetry: Telemetry) -> None:
    tracer = telemetry.tracers.get_tracer("caller")
    async with observed(emulator, telemetry) as hevo:
        with tracer.start_as_current_span("nightly") as parent:
            job = await hevo.pipeline(123).trigger()
            assert trace.get_current_span() is parent
    (span,) = telemetry.spans("hevo_edge.trigger")
    assert span.kind is SpanKind.INTERNAL
    assert span.parent is not None
    assert span.parent.span_id == parent.get_span_context().span_id
    assert span.attributes is not None
    assert dict(span.attributes) | {"hevo.ticket.id": ""} == {
        "hevo.pipeline.id": 123,
        "hevo.job.id": job.id,
        "hevo.action": "SYNC_NOW",
        "hevo.ticket.id": "",
        "hevo.trigger.outcome": "certain",
    }
    assert [event.name for event in span.events] == ["reading", "posting", "searching"]
    assert span.status.status_code is StatusCode.UNSET


async def test_http_spans_are_children_of_the_trigger_and_none_is_double(
    emulator: HevoEmulator, telemetry: Telemetry
) -> None:
    AioHttpClientInstrumentor().instrument(tracer_provider=telemetry.tracers)
    try:
        async with observed(emulator, telemetry) as hevo:
            job = await hevo.pipeline(123).trigger()
            calls = len(emulator.requests)
            (trigger,) = telemetry.spans("hevo_edge.trigger")
            await job.await_completion()
    finally:
        AioHttpClientInstrumentor().uninstrument()
    http = [span for span in telemetry.spans() if span.kind is SpanKind.CLIENT]
    assert len(http) == len(emulator.requests)
    children = [
        span
        for span in http
        if span.parent is not None and span.parent.span_id == trigger.context.span_id
    ]
    assert len(children) == calls
    assert all(span.parent is None for span in http if span not in children)


async def test_the_span_of_a_wait_is_linked_and_has_the_statuses(
    emulator: HevoEmulator, telemetry: Telemetry
) -> None:
    async with observed(emulator, telemetry) as hevo:
        emulator.pipeline(123).plan(outcome="FAILED", duration=100)
        job = await hevo.pipeline(123).trigger()
        assert not telemetry.spans("await")
        with pytest.raises(errors.JobFailed):
            await job.await_completion()
    (span,) = telemetry.spans("hevo_edge.await_completion")
    (trigger,) = telemetry.spans("hevo_edge.trigger")
    assert [link.context.span_id for link in span.links] == [trigger.context.span_id]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == span.attributes["hevo.wait.outcome"] == "JobFailed"
    statuses = [(event.attributes or {}).get("hevo.job.status") for event in span.events]
    assert statuses[-1] == "FAILED"
    assert span.start_time is not None
    assert span.end_time is not None
    assert (span.end_time - span.start_time) / 1e9 > 60  # in virtual time


async def test_failures_are_errors_and_interrupts_are_not(
    emulator: HevoEmulator, telemetry: Telemetry
) -> None:
    async with observed(emulator, telemetry) as hevo:
        started(emulator, hevo, duration=500)
        with pytest.raises(errors.JobInProgress):
            await hevo.pipeline(123).trigger()
        waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
        await asyncio.sleep(10)
        waiting.cancel()
        await asyncio.wait({waiting})
    failed, interrupted = telemetry.spans("hevo_edge.trigger")
    assert failed.status.status_code is StatusCode.ERROR
    assert interrupted.status.status_code is StatusCode.UNSET
    assert interrupted.attributes is not None
    assert interrupted.attributes["hevo.trigger.outcome"] == "CancelledError"


async def test_concurrent_triggers_have_spans_of_their_own(
    emulator: HevoEmulator, telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 9):
        emulator.add_pipeline(number)
    async with observed(emulator, telemetry) as hevo:
        await asyncio.gather(*(hevo.pipeline(number).trigger() for number in range(1, 9)))
    spans = telemetry.spans("hevo_edge.trigger")
    assert len(spans) == 8
    assert all(span.parent is None for span in spans)
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


async def test_the_metrics(emulator: HevoEmulator, telemetry: Telemetry) -> None:
    emulator.faults.status(429, times=1)
    async with observed(emulator, telemetry) as hevo:
        job = await hevo.pipeline(123).trigger()
        waiting = asyncio.create_task(job.await_completion())
        await asyncio.sleep(1)
        assert [point.value for point in telemetry.points("hevo.waits")] == [1]
        await waiting
    assert [point.value for point in telemetry.points("hevo.waits")] == [0]
    assert sum(point.value for point in telemetry.points("hevo.requests")) == len(emulator.requests)
    assert sum(point.value for point in telemetry.points("hevo.throttled")) == 1
    (duration,) = telemetry.points("hevo.job.duration")
    assert duration.attributes == {"hevo.job.type": "INCREMENTAL", "hevo.job.status": "COMPLETED"}
    (trigger,) = telemetry.points("hevo.trigger.duration")
    assert trigger.attributes["hevo.trigger.outcome"] == "certain"
    polls = sum(point.value for point in telemetry.points("hevo.polls"))
    assert polls == len(emulator.requests.of("get_job"))
    assert telemetry.points("hevo.limiter.free")
    assert telemetry.points("hevo.job.detection_delay")


async def test_the_budget_as_it_was_read_last(emulator: HevoEmulator, telemetry: Telemetry) -> None:
    observer = OpenTelemetryObserver(telemetry.tracers, telemetry.meters)
    async with client_of(emulator) as hevo:
        await hevo.get_pipeline(123)
        observer.record_budget(await hevo.budget())
        (used,) = telemetry.points("hevo.limiter.used")
        assert (used.value, used.attributes["hevo.priority"]) == (1, "list")
        assert [point.value for point in telemetry.points("hevo.limiter.limit")] == [100]
        assert [point.value for point in telemetry.points("hevo.limiter.free")] == [97]
        await asyncio.sleep(61)
        observer.record_budget(replace(await hevo.budget(), is_alone=True))
    assert [point.value for point in telemetry.points("hevo.limiter.used")] == [0]
    assert [point.value for point in telemetry.points("hevo.limiter.pause")] == [0]
    assert [point.value for point in telemetry.points("hevo.limiter.alone")] == [1]


async def test_nothing_secret_is_exported(emulator: HevoEmulator, telemetry: Telemetry) -> None:
    async with observed(emulator, telemetry) as hevo:
        emulator.faults.status(400, f"no: {emulator.api_secret}", on="sync_now", times=None)
        with pytest.raises(errors.ApiError):
            await hevo.pipeline(123).trigger()
    assert emulator.api_secret not in "".join(span.to_json() for span in telemetry.spans())


def test_without_the_api_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.split(".")[0] == "opentelemetry":
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install hevo-edge\[otel\]"):
        OpenTelemetryObserver()
