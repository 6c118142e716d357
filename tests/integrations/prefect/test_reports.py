"""Artifacts, assets and events, read back from the server."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.context import FlowRunContext

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.prefect import reports, sync_and_wait
from hevo_edge.integrations.prefect.events import asset_key
from hevo_edge.orchestration import Dataset, read_lineage
from tests.integrations.prefect.support import OFTEN, wait_until


@flow
def sync(pipeline_id: int, **options: Any) -> UUID:
    job = sync_and_wait(
        "hevo", pipeline_id, **{**OFTEN, "report": True, **options}, return_state=True
    )
    assert job.is_final()
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run.id


def artifacts_of(run_id: UUID) -> dict[str, dict[str, Any]]:
    with get_client(sync_client=True) as client:
        wanted = {"artifacts": {"flow_run_id": {"any_": [f"{run_id}"]}}}
        rows = client.request("POST", "/artifacts/filter", json=wanted).json()
    return {row["key"]: row for row in rows}


def events_of(resource: str, prefix: str) -> list[dict[str, Any]]:
    since = datetime.now(timezone.utc) - timedelta(days=400)
    wanted = {
        "occurred": {
            "since": since.isoformat(),
            "until": (since + timedelta(days=800)).isoformat(),
        },
        "event": {"prefix": [prefix]},
        "resource": {"id": [resource]},
    }
    with get_client(sync_client=True) as client:
        rows: list[dict[str, Any]] = client.request(
            "POST", "/events/filter", json={"filter": wanted, "limit": 50}
        ).json()["events"]
    return rows


pytestmark = pytest.mark.usefixtures("credentials")


def test_artifacts_show_how_a_job_goes_and_how_it_ended(emu: HevoEmulator) -> None:
    emu.add_pipeline(11, duration=100)
    found = artifacts_of(sync(11))
    assert found["hevo-pipeline-11-progress"]["type"] == "progress"
    assert found["hevo-pipeline-11-progress"]["data"] == 100.0
    summary = found["hevo-pipeline-11"]
    assert summary["type"] == "markdown"
    for words in ("| Status | COMPLETED |", "| Events loaded | 1,000 |", "Pipeline 11 in Hevo]("):
        assert words in summary["data"]
    assert "hevo-pipeline-11-link" in found


def test_a_summary_names_the_objects_that_failed(emu: HevoEmulator) -> None:
    emu.add_pipeline(12, duration=1).plan(outcome="FAILED")
    found = artifacts_of(sync(12))
    assert "failed objects: items (FAILED)" in found["hevo-pipeline-12"]["data"]


def test_an_event_tells_of_the_end_and_assets_of_the_tables(emu: HevoEmulator) -> None:
    emu.add_pipeline(13, duration=1)
    sync(13)
    (ended,) = wait_until(lambda: events_of("hevo.pipeline.13", "hevo.job."))
    assert ended["event"] == "hevo.job.completed"
    assert ended["payload"]["events_loaded"] == 1000
    assert ended["payload"]["pipeline_id"] == 13
    key = asset_key(Dataset("snowflake://snowflake", "warehouse.hevo.orders"))
    assert key == "snowflake://snowflake/warehouse/hevo/orders"
    (loaded,) = wait_until(lambda: events_of(key, "prefect.asset.materialization"))[:1]
    assert loaded["event"] == "prefect.asset.materialization.succeeded"
    roles = {each.get("prefect.resource.role") for each in loaded["related"]}
    assert {"asset", "asset-materialized-by", "flow-run"} <= roles


def test_without_reports_there_is_the_event_alone(emu: HevoEmulator) -> None:
    emu.add_pipeline(14, duration=1)
    assert artifacts_of(sync(14, report=False)) == {}
    assert wait_until(lambda: events_of("hevo.pipeline.14", "hevo.job."))


def test_the_tables_are_read_while_the_job_runs(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = read_lineage

    async def recorded(hevo: Any, pipeline_id: int) -> Any:
        job = emu.pipeline(pipeline_id).jobs[-1]
        read.append(job.status_at(emu.now))
        job.end(emu.now, "COMPLETED")
        return await plain(hevo, pipeline_id)

    monkeypatch.setattr(reports, "read_lineage", recorded)
    emu.add_pipeline(16, duration=None)
    sync(16)
    assert read == ["IN_PROGRESS"]


def test_what_is_only_shown_fails_nothing(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any, **__: Any) -> Any:
        raise OSError("no artifacts today")

    monkeypatch.setattr(reports, "TIMEOUT", 0.5)
    for name in ("acreate_progress_artifact", "acreate_markdown_artifact", "read_lineage"):
        monkeypatch.setattr(reports, name, fails)
    emu.add_pipeline(15, duration=1)
    began = time.monotonic()
    sync(15)
    assert time.monotonic() - began < 60
    assert "not told of the summary of the Job of Pipeline 15: no artifacts today" in caplog.text


@pytest.mark.parametrize(
    ("job", "percent"),
    [
        ({}, 0.0),
        ({"objects_success": 1, "objects_queued": 3}, 25.0),
        ({"objects_success": 1, "objects_failed": 2, "objects_skipped": 1}, 50.0),
    ],
)
def test_percent(job: dict[str, Any], percent: float) -> None:
    assert reports._percent(job) == percent


def test_a_key_of_an_asset_holds_nothing_that_is_forbidden() -> None:
    from prefect.assets import Asset  # noqa: PLC0415 -- takes a while

    key = asset_key(Dataset("s3://bucket", "a b.c#[d]{e}|f\\g^h`i'j\"k.<l>" + "m" * 600))
    assert Asset(key=key).key == key
