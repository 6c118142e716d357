"""Assets of Hevo's tables: materialized, all or some, with what Hevo says of them."""

from __future__ import annotations

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, hevo_assets
from tests.integrations.dagster.support import (
    OFTEN,
    assets_of,
    checked,
    failure_of,
    last_job,
    logged,
    materialize,
    materialized,
    resource_of,
    starts,
)

TABLES = {"users", "orders", "items"}


def test_one_run_materializes_all_tables_with_what_is_known(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    result = materialize(assets_of(hevo), hevo, instance)
    assert result.success
    assert starts(emu) == 1
    found = materialized(result)
    assert found.keys() == TABLES
    job = last_job(emu, 7)
    orders = dict(found["orders"])
    assert orders.pop("hevo/duration_seconds") == pytest.approx(1, abs=0.01)
    assert orders.pop("hevo/started_at") < orders.pop("hevo/ended_at")
    assert orders.pop("hevo/certainty")  # on a loaded machine it is not always "certain"
    assert orders == {
        "hevo/pipeline_id": 7,
        "hevo/job_id": job.job_id,
        "hevo/status": "COMPLETED",
        "hevo/type": "INCREMENTAL",
        "hevo/url": f"{emu.base_url}/pipeline/7/overview",
        "hevo/events_ingested": 1000,
        "hevo/events_loaded": 1000,
        "hevo/events_failed": 0,
        "hevo/objects_success": 3,
        "hevo/objects_queued": 0,
        "hevo/objects_skipped": 0,
        "hevo/objects_failed": 0,
        "hevo/table_status": "COMPLETED",
        "hevo/rows_processed": 333,
        "hevo/rows_failed": 0,
    }
    assert checked(result) == dict.fromkeys(TABLES, True)


def test_the_log_tells_of_changes_only(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    result = materialize(assets_of(hevo), hevo, instance)
    job = last_job(emu, 7)
    told = logged(instance, result.run_id)
    assert "trigger of Pipeline 7: ended" in told
    lines = [line for line in told if not line.startswith("trigger of")]
    assert " (certainty " in lines[1]
    lines[1] = lines[1].partition(" (certainty ")[0]
    assert lines == [
        f"SYNC_NOW of Pipeline 7: {emu.base_url}/pipeline/7/overview",
        f"Job 7:{job.job_id}",
        *([f"Job 7:{job.job_id} is IN_PROGRESS"] if len(lines) == 4 else []),
        f"Job {job.job_id} of Pipeline 7 ended COMPLETED",
    ]


def test_the_decorator_makes_assets_of_one_pipeline(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    @hevo_assets(pipeline_id="7", resource=hevo, **OFTEN)
    def tables(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        context.log.info("before")
        yield from hevo.materialize(context)

    assert isinstance(tables, dg.AssetsDefinition)
    assert tables.op.name == "hevo_pipeline_7"
    result = materialize(tables, hevo, instance)
    assert materialized(result).keys() == TABLES
    assert "before" in logged(instance, result.run_id)


def test_tables_given_by_hand_need_no_network(instance: dg.DagsterInstance) -> None:
    @hevo_assets(pipeline_id=7, tables=["hevo.users", "orders"])
    def tables(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        yield from hevo.materialize(context)

    assert tables.keys == {dg.AssetKey(["hevo", "users"]), dg.AssetKey("orders")}
    with HevoEmulator(speed=100.0) as emu:
        emu.add_pipeline(7, duration=1)
        result = materialize(tables, resource_of(emu), instance)
        assert materialized(result).keys() == {"users", "orders"}


# -- some of the tables ---------------------------------------------------------------------------


def test_a_part_syncs_the_pipeline_and_tells_of_the_rest_too(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    selection = [dg.AssetKey(["warehouse", "hevo", "orders"])]
    result = materialize(assets_of(hevo), hevo, instance, selection=selection)
    assert result.success
    assert starts(emu) == 1
    assert last_job(emu, 7).type == "INCREMENTAL"
    assert materialized(result).keys() == TABLES
    assert checked(result) == {"orders": True}


def test_a_part_is_resynced_alone_where_that_is_asked_for(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(hevo, subset="resync")
    selection = [dg.AssetKey(["warehouse", "hevo", "orders"])]
    result = materialize(assets, hevo, instance, selection=selection)
    assert result.success
    assert [call.body for call in emu.requests.of("resync_objects")]
    assert last_job(emu, 7).objects == ("orders",)
    assert materialized(result).keys() == {"orders"}
    everything = materialize(assets, hevo, instance)
    assert last_job(emu, 7).type == "INCREMENTAL"
    assert materialized(everything).keys() == TABLES


def test_assets_without_a_part_cannot_be_selected_alone(hevo: HevoResource) -> None:
    assert not assets_of(hevo, subset=None).can_subset


def check_alone(hevo: HevoResource, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run the checks of Pipeline 123's tables, which must succeed."""
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions(assets=[assets_of(hevo, 123)], jobs=[job], resources={"hevo": hevo})
    result = defs.resolve_job_def("checks").execute_in_process(instance=instance)
    assert result.success
    return result


def test_checks_alone_start_nothing(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    last = last_job(emu)
    result = check_alone(hevo, instance)
    assert starts(emu) == 0
    evaluations = result.get_asset_check_evaluations()
    assert [each.metadata["hevo/job_id"].value for each in evaluations] == [last.job_id] * 3
    assert checked(result) == dict.fromkeys(TABLES, True)


@pytest.mark.parametrize(
    ("status", "passed"),
    [
        ("FAILED", dict.fromkeys(TABLES, False)),
        ("COMPLETED_WITH_FAILURES", {"users": True, "orders": True, "items": False}),
    ],
)
def test_checks_alone_pass_for_what_the_last_job_has_loaded(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    status: str,
    passed: dict[str, bool],
) -> None:
    emu.pipeline(123).add_history(created=emu.now, status=status)
    assert checked(check_alone(hevo, instance)) == passed


def test_checks_alone_tell_of_no_table_that_the_last_job_was_not_about(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    pipeline = emu.pipeline(123)
    pipeline.plan(duration=0, appears_after=0)
    pipeline.resync_objects(emu.now, [pipeline.objects.find("orders") or ""])
    assert checked(check_alone(hevo, instance)) == {"orders": True}


def test_checks_alone_tell_of_nothing_before_the_first_job(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(123).jobs.clear()
    assert checked(check_alone(hevo, instance)) == {}


# -- failures -------------------------------------------------------------------------------------


def test_a_failed_job_fails_the_step_and_says_why(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    result = materialize(assets_of(hevo), hevo, instance)
    assert not result.success
    assert materialized(result) == {}
    assert checked(result) == dict.fromkeys(TABLES, False), "none of them was loaded"
    message = failure_of(result)
    assert "Pipeline 7 ended FAILED" in message
    assert "failed objects: items (FAILED)" in message


def test_completed_with_failures_fails_the_step(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    result = materialize(assets_of(hevo), hevo, instance)
    assert not result.success
    assert materialized(result) == {}
    assert checked(result) == {"users": True, "orders": True, "items": False}
    assert "COMPLETED_WITH_FAILURES" in failure_of(result)


def test_completed_with_failures_materializes_the_good_tables_where_it_is_accepted(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    assets = assets_of(hevo, accept_completed_with_failures=True)
    ran: list[str] = []

    @dg.asset(deps=[dg.AssetKey(["warehouse", "hevo", "items"])])
    def of_items() -> None:
        ran.append("items")

    @dg.asset(deps=[dg.AssetKey(["warehouse", "hevo", "orders"])])
    def of_orders() -> None:
        ran.append("orders")

    result = materialize([assets, of_items, of_orders], hevo, instance)
    assert result.success
    assert materialized(result).keys() == {"users", "orders", "of_orders"}
    assert checked(result) == {"users": True, "orders": True, "items": False}
    assert ran == ["orders"], "what depends on a table that failed is skipped"
    assert any("items has failed" in line for line in logged(instance, result.run_id))


def test_nothing_is_claimed_where_it_is_not_known_which_tables_failed(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="COMPLETED_WITH_FAILURES")
    emu.faults.status(403, on="list_job_objects", times=None)
    assets = assets_of(hevo, accept_completed_with_failures=True)
    result = materialize(assets, hevo, instance)
    assert not result.success
    assert materialized(result) == {}
    assert "which tables failed is not known" in failure_of(result)


def test_a_job_that_completed_needs_no_rows(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.faults.status(403, on="list_job_objects", times=None)
    result = materialize(assets_of(hevo), hevo, instance)
    assert materialized(result).keys() == TABLES
    assert "hevo/rows_processed" not in materialized(result)["orders"]


def test_a_table_that_the_job_does_not_name_is_not_claimed(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(hevo)
    objects = emu.pipeline(7).objects
    objects[objects.find("items") or ""].status = "INACTIVE"
    result = materialize(assets, hevo, instance)
    assert result.success
    assert materialized(result).keys() == {"users", "orders"}
    assert checked(result) == {"users": True, "orders": True, "items": False}
    says = "the Job has no object 'items'; its objects are users, orders"
    assert any(says in line for line in logged(instance, result.run_id))
