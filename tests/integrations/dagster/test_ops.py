"""Ops and a job for people without assets."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import (
    HevoResource,
    hevo_resync_op,
    hevo_sync_job,
    hevo_sync_op,
)
from tests.integrations.dagster.support import failure_of, last_job, starts


def config_of(op: str, **config: Any) -> dict[str, Any]:
    return {"ops": {op: {"config": {"pipeline_id": 7, "poll_interval": 0.05, **config}}}}


@dg.job
def resync() -> None:
    hevo_resync_op()


@dg.job
def one_after_the_other() -> None:
    hevo_resync_op(start_after=hevo_sync_op())


def execute(
    job: dg.JobDefinition, hevo: HevoResource, instance: dg.DagsterInstance, config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(
        run_config=config, resources={"hevo": hevo}, instance=instance, raise_on_error=False
    )


def test_the_job_syncs_a_pipeline(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    result = execute(hevo_sync_job, hevo, instance, config_of("hevo_sync_op"))
    job = result.output_for_node("hevo_sync_op")
    assert job["job_id"] == last_job(emu, 7).job_id
    assert job["status"] == "COMPLETED"
    assert job["events_loaded"] == 1000


def test_a_fresh_enough_job_is_taken(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    past = emu.pipeline(123).jobs[-1].job_id
    config = config_of("hevo_sync_op", pipeline_id=123, fresh_within=7200)
    result = execute(hevo_sync_job, hevo, instance, config)
    job = result.output_for_node("hevo_sync_op")
    assert (job["job_id"], job["freshness"]) == (past, "fresh")
    assert starts(emu) == 0


def test_a_resync_drops_only_when_it_is_told_to(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assert execute(resync, hevo, instance, config_of("hevo_resync_op")).success
    assert last_job(emu, 7).type == "RESYNC"
    config = config_of("hevo_resync_op", drop_and_load=True)
    assert execute(resync, hevo, instance, config).success
    assert last_job(emu, 7).type == "RESYNC_WITH_DROP_AND_LOAD"


def test_ops_can_be_put_in_order(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    config = {"ops": {**config_of("hevo_sync_op")["ops"], **config_of("hevo_resync_op")["ops"]}}
    assert execute(one_after_the_other, hevo, instance, config).success
    assert [job.type for job in emu.pipeline(7).jobs] == ["INCREMENTAL", "RESYNC"]


def test_polls_are_placed_by_a_word_as_by_a_number(
    hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    for word in ("auto", "eager"):
        config = config_of("hevo_sync_op", poll_interval=word)
        assert execute(hevo_sync_job, hevo, instance, config).success


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"pipeline_id": 0}, "pipeline_id"),
        ({"if_running": "ignore"}, "if_running"),
        ({"cancel_on_termination": "often"}, "cancel_on_termination"),
        ({"timeout": -1.0}, "timeout"),
        ({"poll_interval": "often"}, "poll_interval"),
        ({"pipeline_id": 99}, "no such pipeline|404"),
    ],
)
def test_what_is_wrong_fails_the_step_and_is_named(
    hevo: HevoResource, instance: dg.DagsterInstance, config: dict[str, Any], says: str
) -> None:
    result = execute(hevo_sync_job, hevo, instance, config_of("hevo_sync_op", **config))
    assert not result.success
    message = failure_of(result).lower()
    assert any(each in message for each in says.split("|"))
