"""The sensor: Jobs that Dagster has not started are reported, each once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, build_hevo_sensor, hevo_sync_op, sensor
from hevo_edge.integrations.dagster.tickets import TICKET
from tests.integrations.dagster.support import (
    assets_of,
    last_job,
    materialize,
    materialized,
    resource_of,
)
from tests.integrations.dagster.test_never_doubled import die_after_saves

HOUR = 3600.0


class Daemon:
    """Evaluates the sensor as Dagster's daemon does; each tick may be in another process."""

    def __init__(
        self, hevo: HevoResource, instance: dg.DagsterInstance, *assets: dg.AssetsDefinition
    ) -> None:
        self.hevo, self.instance, self.assets = hevo, instance, assets
        self.cursor: str | None = None
        self.said: str | None = None
        self.jobs: Counter[str] = Counter()

    def tick(self) -> list[dg.AssetMaterialization]:
        found = build_hevo_sensor(self.assets)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"hevo": self.hevo}
        )
        result = found.evaluate_tick(context)
        self.cursor, self.said = result.cursor, result.skip_message
        events = [each for each in result.asset_events if isinstance(each, dg.AssetMaterialization)]
        for event in events:
            self.instance.report_runless_asset_event(event)
        self.jobs.update({_job_of(event) for event in events})
        return events


def _job_of(event: dg.AssetMaterialization) -> str:
    return str(event.metadata["hevo/job_id"].value)


@pytest.fixture
def daemon(hevo: HevoResource, instance: dg.DagsterInstance) -> Daemon:
    """A daemon whose first tick is over."""
    daemon = Daemon(hevo, instance, assets_of(hevo, 123))
    assert daemon.tick() == [], "the first tick tells of nothing"
    return daemon


def end_a_foreign_job(
    emu: HevoEmulator, status: str = "COMPLETED", kind: str = "INCREMENTAL"
) -> str:
    pipeline = emu.pipeline(123)
    return pipeline.add_history(created=emu.now, status=status, job_type=kind).job_id


def tables_of(events: list[dg.AssetMaterialization]) -> set[str]:
    return {event.asset_key.path[-1] for event in events}


def test_a_job_of_hevos_schedule_is_reported_once(emu: HevoEmulator, daemon: Daemon) -> None:
    job_id = end_a_foreign_job(emu)
    calls = len(emu.requests)
    events = daemon.tick()
    assert len(emu.requests) == calls + 1, "a list is enough"
    assert tables_of(events) == {"users", "orders", "items"}
    assert {_job_of(event) for event in events} == {job_id}
    assert daemon.said == "new Jobs reported: 1"
    assert "hevo/certainty" not in events[0].metadata
    assert daemon.tick() == []
    assert daemon.said == "new Jobs reported: 0"


def test_a_cursor_that_was_reset_repeats_nothing(emu: HevoEmulator, daemon: Daemon) -> None:
    end_a_foreign_job(emu)
    before = daemon.cursor
    assert daemon.tick()
    daemon.cursor = before
    assert daemon.tick() == []


@pytest.mark.parametrize(
    ("status", "kind", "tables"),
    [
        ("FAILED", "INCREMENTAL", set()),
        ("CANCELLED", "INCREMENTAL", set()),
        ("SKIPPED", "INCREMENTAL", set()),
        ("COMPLETED_WITH_FAILURES", "INCREMENTAL", {"users", "orders"}),
        ("COMPLETED", "RESYNC", {"users", "orders", "items"}),
        ("DEFERRED", "INCREMENTAL", {"users", "orders", "items"}),
    ],
)
def test_only_what_was_loaded_is_reported(
    emu: HevoEmulator, daemon: Daemon, status: str, kind: str, tables: set[str]
) -> None:
    end_a_foreign_job(emu, status, kind)
    assert tables_of(daemon.tick()) == tables


def test_a_resync_of_one_table_reports_that_table(emu: HevoEmulator, daemon: Daemon) -> None:
    pipeline = emu.pipeline(123)
    orders = pipeline.objects.find("orders") or ""
    pipeline.plan(duration=0, appears_after=0)
    pipeline.resync_objects(emu.now, [orders])
    assert tables_of(daemon.tick()) == {"orders"}


# -- Dagster's own runs ---------------------------------------------------------------------------


def test_dagsters_own_runs_are_not_reported(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(hevo, 7)
    daemon = Daemon(hevo, instance, assets)
    daemon.tick()
    assert materialized(materialize(assets, hevo, instance))
    assert daemon.tick() == []


def test_a_job_whose_run_was_cut_off_is_its_own_still(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assets = assets_of(hevo, 7)
    daemon = Daemon(hevo, instance, assets)
    daemon.tick()
    die_after_saves(monkeypatch, saves=3)
    assert materialized(materialize(assets, hevo, instance)) == {}
    assert last_job(emu, 7).is_over
    assert daemon.tick() == [], "a re-execution from failure tells of it"


def run_at_work(instance: dg.DagsterInstance, daemon: Daemon) -> dg.DagsterRun:
    """Return a run that has planned to materialize the assets, and does not end."""
    defs = dg.Definitions(
        assets=daemon.assets, resources={"hevo": daemon.hevo}, jobs=[dg.define_asset_job("sync")]
    )
    run = instance.create_run_for_job(
        defs.resolve_job_def("sync"), status=dg.DagsterRunStatus.STARTED
    )
    for asset in daemon.assets[0].keys:
        instance.report_dagster_event(_planned(asset), run.run_id)
    return run


def log_ticket(instance: dg.DagsterInstance, run: dg.DagsterRun, **ticket: Any) -> None:
    text = json.dumps({"ticket": {"pipeline_id": 123, "post": {}, "job_id": None, **ticket}})
    instance.report_engine_event("ticket", run, EngineEventData({TICKET: text}), step_key="step")


def test_a_run_that_may_own_a_job_holds_its_pipeline(
    emu: HevoEmulator, daemon: Daemon, instance: dg.DagsterInstance
) -> None:
    run = run_at_work(instance, daemon)
    log_ticket(instance, run)
    end_a_foreign_job(emu)
    assert daemon.tick() == []
    assert daemon.said == (
        f"new Jobs reported: 0; Pipeline 123: run {run.run_id} is about to find its Job"
    )
    log_ticket(instance, run, job_id="another")
    assert len(daemon.tick()) == 3, "nothing is lost"


@pytest.mark.parametrize("ticket", [{"post": None}, {"pipeline_id": 7}, {"job_id": "x"}, None])
def test_any_other_run_at_work_holds_nothing(
    emu: HevoEmulator, daemon: Daemon, instance: dg.DagsterInstance, ticket: dict[str, Any] | None
) -> None:
    run = run_at_work(instance, daemon)
    if ticket is not None:
        log_ticket(instance, run, **ticket)
    end_a_foreign_job(emu)
    assert len(daemon.tick()) == 3


def test_a_run_that_was_killed_holds_its_pipeline_for_a_time(
    emu: HevoEmulator,
    daemon: Daemon,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_ticket(instance, run_at_work(instance, daemon))
    end_a_foreign_job(emu)
    assert daemon.tick() == []
    monkeypatch.setattr(sensor, "FOUND_WITHIN", 0.0)
    assert len(daemon.tick()) == 3


@pytest.mark.parametrize("runs", [1, 30])
def test_no_job_of_dagsters_runs_is_told_again(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance, runs: int
) -> None:
    assets = assets_of(hevo, 7, checks=False)
    daemon = Daemon(hevo, instance, assets)
    daemon.tick()
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    assert not materialize(assets, hevo, instance).success
    for _ in range(runs):
        assert materialized(materialize(assets, hevo, instance))
    assert daemon.tick() == []


def test_a_job_of_an_op_is_told(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    daemon = Daemon(hevo, instance, assets_of(hevo, 7))
    daemon.tick()

    @dg.job(resource_defs={"hevo": hevo})
    def sync() -> None:
        hevo_sync_op.configured({"pipeline_id": 7}, name="sync_7")()

    assert sync.execute_in_process(instance=instance).success
    assert len(daemon.tick()) == 3


def _planned(asset: dg.AssetKey) -> Any:
    from dagster._core.events import (  # noqa: PLC0415
        AssetMaterializationPlannedData,
        DagsterEvent,
    )

    return DagsterEvent.build_asset_materialization_planned_event(
        "sync", "step", AssetMaterializationPlannedData(asset)
    )


# -- trouble, and time ----------------------------------------------------------------------------


def test_a_pipeline_that_cannot_be_read_keeps_its_place(emu: HevoEmulator, daemon: Daemon) -> None:
    end_a_foreign_job(emu)
    emu.faults.status(503, on="list_jobs")
    assert daemon.tick() == []
    assert len(daemon.tick()) == 3


def test_what_could_not_be_read_is_said(emu: HevoEmulator, daemon: Daemon) -> None:
    emu.faults.status(503, on="list_jobs")
    daemon.tick()
    assert daemon.said is not None
    assert daemon.said.startswith("new Jobs reported: 0; Pipeline 123: GET ")


def test_a_refused_key_fails_the_tick(emu: HevoEmulator, daemon: Daemon) -> None:
    daemon.hevo = resource_of(emu, api_secret="wrong")
    with pytest.raises(dg.Failure, match="check the API key"):
        daemon.tick()


@pytest.mark.parametrize("cursor", ["garbage", "[]", "{}", "1"])
def test_a_cursor_of_somebody_else_is_refused(daemon: Daemon, cursor: str) -> None:
    daemon.cursor = cursor
    with pytest.raises(dg.Failure, match="reset it"):
        daemon.tick()


def test_what_a_tick_has_no_time_for_comes_first_in_the_next(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HevoEmulator(rate_limit=None) as emu:
        for number in (1, 2, 3):
            emu.add_pipeline(number, objects=(f"table_{number}",))
        hevo = resource_of(emu)
        daemon = Daemon(hevo, instance, *(assets_of(hevo, number) for number in (1, 2, 3)))
        monkeypatch.setattr(sensor, "SPARE", 1e6)
        monkeypatch.setattr(sensor, "LEAST", 0.5)
        hang = emu.faults.delay(60, on="list_jobs", times=None, skip=1)
        daemon.tick()
        emu.faults.rules.remove(hang)
        assert json.loads(daemon.cursor or "")["first"] == "2"
        polled = len(emu.requests)
        monkeypatch.setattr(sensor, "LEAST", 30)
        daemon.tick()
        assert [call.pipeline_id for call in list(emu.requests)[polled:]] == [2, 3, 1]
        assert len(daemon.cursor or "") < 1000


def test_a_day_of_foreign_runs_with_restarts_is_told_once_each(
    instance: dg.DagsterInstance,
) -> None:
    with HevoEmulator(rate_limit=None, speed=8000.0) as emu:
        emu.add_pipeline(123, every_minutes=20, duration=(60, 600))
        hevo = resource_of(emu)
        daemon = Daemon(hevo, instance, assets_of(hevo, 123))
        daemon.tick()
        begin = emu.now
        while emu.now < begin + 24 * HOUR:
            daemon.tick()
        jobs = [job for job in emu.pipeline(123).jobs if job.ended and job.ended > begin]
        daemon.tick()
        ended = {job.job_id for job in jobs if job.status == "COMPLETED"}
        assert len(ended) > 24
        assert ended <= daemon.jobs.keys()
        assert set(daemon.jobs.values()) == {1}


def test_foreign_assets_are_left_out(hevo: HevoResource, instance: dg.DagsterInstance) -> None:
    @dg.asset
    def other() -> None: ...

    daemon = Daemon(hevo, instance, other)
    assert daemon.tick() == []
