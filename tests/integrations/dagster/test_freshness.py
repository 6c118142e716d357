"""Checks of freshness, by what Hevo says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, build_hevo_freshness_checks
from tests.integrations.dagster.support import assets_of, failure_of, resource_of


def evaluated(
    hevo: HevoResource, pipeline_id: int, instance: dg.DagsterInstance, **options: Any
) -> list[dg.AssetCheckEvaluation]:
    assets = assets_of(hevo, pipeline_id, checks=False)
    (check,) = build_hevo_freshness_checks([assets], **options)
    job = dg.define_asset_job("fresh", selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions(
        assets=[assets], asset_checks=[check], jobs=[job], resources={"hevo": hevo}
    )
    result = defs.resolve_job_def("fresh").execute_in_process(instance=instance)
    return list(result.get_asset_check_evaluations())


@pytest.mark.parametrize(("hours", "passed"), [(2, True), (0.5, False)])
def test_a_table_is_fresh_when_a_job_of_its_pipeline_ended_well_in_time(
    instance: dg.DagsterInstance, hours: float, passed: bool
) -> None:
    with HevoEmulator(rate_limit=None) as emu:
        emu.add_pipeline(123, history=1)
        emu.pipeline(123).add_history(created=emu.now, status="FAILED")
        calls = len(emu.requests)
        found = evaluated(resource_of(emu), 123, instance, within=timedelta(hours=hours))
        assert [each.passed for each in found] == [passed] * 3
        assert found[0].severity == dg.AssetCheckSeverity.WARN
        assert "hevo/ended_at" in found[0].metadata
        assert len(emu.requests.of("list_jobs")) == 1
        assert len(emu.requests) > calls


def test_a_pipeline_that_has_never_run_is_not_fresh(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    found = evaluated(hevo, 7, instance, within=HOUR, severity=dg.AssetCheckSeverity.ERROR)
    assert [each.passed for each in found] == [False] * 3
    assert found[0].severity == dg.AssetCheckSeverity.ERROR


HOUR = 3600.0


def test_a_time_that_is_none_is_refused(hevo: HevoResource) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="build_hevo_freshness.*within"):
        build_hevo_freshness_checks([], within=-1)


def test_a_resync_makes_its_own_tables_fresh_alone(instance: dg.DagsterInstance) -> None:
    with HevoEmulator(rate_limit=None) as emu:
        pipeline = emu.add_pipeline(123, history=1)
        pipeline.plan(duration=0, appears_after=0)
        pipeline.resync_objects(emu.now, [pipeline.objects.find("orders") or ""])
        found = evaluated(resource_of(emu), 123, instance, within=1800)
        passed = {each.asset_key.path[-1]: each.passed for each in found}
        assert passed == {"orders": True, "users": False, "items": False}
        assert len(emu.requests.of("list_job_objects")) == 1


def test_a_refused_key_is_told_in_one_line(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(hevo, 7, checks=False)
    (check,) = build_hevo_freshness_checks([assets], within=HOUR)
    defs = dg.Definitions(
        assets=[assets],
        asset_checks=[check],
        jobs=[dg.define_asset_job("fresh", selection=dg.AssetSelection.all_asset_checks())],
        resources={"hevo": resource_of(emu, api_secret="wrong")},
    )
    job = defs.resolve_job_def("fresh")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert "Invalid API credentials; check the API key" in failure_of(result)
