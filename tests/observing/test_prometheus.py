"""The observer that counts for Prometheus, and the one that logs."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from hevo_edge import errors
from hevo_edge._common.processes import owner_name
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import LoggingObserver, PrometheusObserver, RequestEvent
from tests.conftest import client_of


def value(registry: CollectorRegistry, name: str, labels: Mapping[str, str]) -> float:
    return registry.get_sample_value(name, dict(labels)) or 0.0


async def test_what_prometheus_scrapes(emulator: HevoEmulator) -> None:
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry)
    emulator.faults.status(429, on="get_pipeline", times=1)
    async with client_of(emulator, observer=observer) as hevo:
        job = await hevo.pipeline(123).trigger()
        await job.await_completion()
    throttled = {"name": "get_pipeline", "status": "429", "error": "RateLimited"}
    assert value(registry, "hevo_requests_total", throttled) == 1
    assert value(registry, "hevo_throttled_total", {"name": "get_pipeline"}) == 1
    trigger = {"verb": "trigger", "action": "SYNC_NOW", "outcome": "certain", "pipeline": ""}
    assert value(registry, "hevo_trigger_seconds_count", trigger) == 1
    ended = {"type": "INCREMENTAL", "status": "COMPLETED", "pipeline": ""}
    assert value(registry, "hevo_job_seconds_sum", ended) == 60
    polls = value(registry, "hevo_polls_total", {"kind": "job", "error": ""})
    assert polls == len(emulator.requests.of("get_job"))
    assert value(registry, "hevo_waits", {}) == 0
    assert value(registry, "hevo_budget_free_calls", {}) > 0
    assert value(registry, "hevo_job_detection_delay_seconds_count", {"pipeline": ""}) == 1
    assert b"hevo_budget_wait_seconds_bucket" in generate_latest(registry)


async def test_the_budget_as_it_was_read_last(emulator: HevoEmulator) -> None:
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry)
    async with client_of(emulator) as hevo:
        await hevo.get_pipeline(123)
        observer.record_budget(await hevo.budget())
        mine = {"process": owner_name(), "priority": "list"}
        assert value(registry, "hevo_budget_limit_calls", {}) == 100
        assert value(registry, "hevo_budget_used_calls", mine) == 1
        assert value(registry, "hevo_budget_free_calls", {}) == 97
        assert value(registry, "hevo_budget_paused_until_seconds", {}) == 0
        await asyncio.sleep(61)
        observer.record_budget(await hevo.budget())
        assert registry.get_sample_value("hevo_budget_used_calls", mine) is None
        paused = replace(await hevo.budget(), paused_until=1.5e9, is_alone=True)
        observer.record_budget(paused)
        assert value(registry, "hevo_budget_paused_until_seconds", {}) == 1.5e9
        assert value(registry, "hevo_budget_alone", {}) == 1


async def test_by_pipeline(emulator: HevoEmulator) -> None:
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry, by_pipeline=True)
    async with client_of(emulator, observer=observer) as hevo:
        await (await hevo.pipeline(123).trigger()).await_completion()
    ended = {"type": "INCREMENTAL", "status": "COMPLETED", "pipeline": "123"}
    assert value(registry, "hevo_job_seconds_count", ended) == 1


def test_without_prometheus_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install hevo-edge\[prometheus\]"):
        PrometheusObserver()


async def test_the_lines_of_the_logging_observer(
    emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hevo_edge.events")
    async with client_of(emulator, observer=LoggingObserver()) as hevo:
        job = await hevo.pipeline(123).trigger()
        await job.await_completion()
    lines = [record.getMessage() for record in caplog.records if record.name == "hevo_edge.events"]
    assert lines[0].startswith("trigger call=")
    assert "phase=searching doing='looking for its Job'" in "\n".join(lines)
    assert lines[-1].startswith(f"wait pipeline_id=123 job_id={job.id} phase=ended elapsed=")
    assert not any(line.startswith(("request", "poll")) for line in lines)


async def test_the_kinds_that_are_asked_for(
    emulator: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    observer = LoggingObserver("request", logger="mine", level=logging.WARNING)
    async with client_of(emulator, observer=observer) as hevo:
        await hevo.get_pipeline(123)
    (record,) = [record for record in caplog.records if record.name == "mine"]
    assert record.getMessage().startswith("request name=get_pipeline method=GET path=/api/v1/")
    assert isinstance(record.__dict__["hevo_event"], RequestEvent)


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(errors.ConfigurationError, match="kinds"):
        LoggingObserver(["request", "jobs"])
