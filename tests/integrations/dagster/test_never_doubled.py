"""A run that was cut off is gone on with: by a retry, and by a re-execution from failure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, hevo_assets
from hevo_edge.integrations.dagster.tickets import FROM_FAILURE, logged_tickets
from tests.integrations.dagster.support import (
    OFTEN,
    failure_of,
    last_job,
    logged,
    materialized,
    starts,
)

NOW = dg.RetryPolicy(max_retries=3)


class Cut(Exception):
    """The step's process is gone."""


def job_of(
    hevo: HevoResource, before: Callable[[dg.AssetExecutionContext], object], **options: Any
) -> dg.JobDefinition:
    """Return a job of Pipeline 7's assets, whose step does something before and after its run."""

    @hevo_assets(pipeline_id=7, tables=["users", "orders", "items"], **{**OFTEN, **options})
    def tables(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        before(context)
        yield from hevo.materialize(context)

    defs = dg.Definitions(
        assets=[tables],
        resources={"hevo": hevo},
        jobs=[dg.define_asset_job("sync")],
        executor=dg.in_process_executor,
    )
    return defs.resolve_job_def("sync")


def nothing(_context: object) -> None:
    return


def die_after_saves(monkeypatch: pytest.MonkeyPatch, *, saves: int) -> None:
    """Let the step's first attempt die when the ticket has been stored so often."""
    from hevo_edge.integrations.dagster import tickets  # noqa: PLC0415

    save, left = tickets.TicketLog.save, [saves]

    def save_and_die(self: tickets.TicketLog, text: str) -> None:
        save(self, text)
        left[0] -= 1
        if left[0] == 0:
            raise Cut

    monkeypatch.setattr(tickets.TicketLog, "save", save_and_die)


def execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, **options: Any
) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(instance=instance, raise_on_error=False, **options)


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_retry_goes_on_with_the_run_of_an_attempt_that_was_cut_off(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    saves: int,
) -> None:
    die_after_saves(monkeypatch, saves=saves)
    # Of a ticket that was stored just before the POST nobody knows whether it left.
    result = execute(job_of(hevo, nothing, retry_policy=NOW, discovery_timeout=2), instance)
    assert result.success
    assert starts(emu) == 1
    assert {each["hevo/job_id"] for each in materialized(result).values()} == {
        last_job(emu, 7).job_id
    }
    if saves == 3:
        assert any("resumed" in line for line in logged(instance, result.run_id))


def test_a_step_that_fails_after_its_job_takes_it_when_it_is_retried(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    @hevo_assets(pipeline_id=7, tables=["users"], retry_policy=NOW, **OFTEN)
    def tables(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        events = list(hevo.materialize(context))
        if context.retry_number == 0:
            raise RuntimeError("after the Job")
        yield from events

    result = dg.materialize([tables], resources={"hevo": hevo}, instance=instance)
    assert result.success
    assert starts(emu) == 1


def test_a_retry_after_a_failed_job_runs_again(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    result = execute(job_of(hevo, nothing, retry_policy=NOW), instance)
    assert result.success
    assert starts(emu) == 2
    first = emu.pipeline(7).jobs[0].job_id
    (why,) = (line for line in logged(instance, result.run_id) if "earlier attempt" in line)
    assert why.startswith(f"Job {first} of an earlier attempt ended badly, or was cancelled")


def test_each_end_is_logged(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(7).plan(outcome="FAILED")
    result = execute(job_of(hevo, nothing, retry_policy=NOW), instance)
    told = {
        entry.user_message.partition(";")[0]: entry.level
        for entry in instance.all_logs(result.run_id)
        if entry.dagster_event is None
    }
    for job, level in zip(emu.pipeline(7).jobs, (logging.ERROR, logging.INFO), strict=True):
        (its,) = (each for line, each in told.items() if f"{job.job_id} of Pipeline 7 " in line)
        assert its == level


def test_what_no_retry_can_help_is_not_retried(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.faults.status(404, {"message": "no such Pipeline"}, times=None)
    result = execute(job_of(hevo, nothing, retry_policy=NOW), instance)
    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


WRONG: list[dict[str, Any]] = [{"if_running": "jion"}, {"if_runing": "join"}, {"timeout": -1}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_option_of_a_step_is_named_and_not_retried(
    hevo: HevoResource, instance: dg.DagsterInstance, wrong: dict[str, Any]
) -> None:
    @hevo_assets(pipeline_id=7, tables=["users"], retry_policy=NOW)
    def tables(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        yield from hevo.materialize(context, **wrong)

    @dg.op(retry_policy=NOW)
    def synced(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        hevo.run(context, 7, **wrong)

    @dg.job
    def job() -> None:
        synced()

    defs = dg.Definitions(assets=[tables], jobs=[job], resources={"hevo": hevo})
    for each in (
        defs.resolve_job_def("job"),
        defs.resolve_implicit_global_asset_job_def(),
    ):
        result = execute(each, instance)
        assert not [event for event in result.all_events if event.is_step_up_for_retry]
        assert next(iter(wrong)) in failure_of(result)


def test_checks_alone_are_not_retried_when_the_key_is_wrong(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.faults.status(401, times=None)
    job = job_of(hevo, nothing, retry_policy=NOW)
    selection = {*job.asset_layer.asset_graph.asset_check_keys}
    result = execute(
        job.get_subset(asset_selection=set(), asset_check_selection=selection), instance
    )
    assert "401" in failure_of(result)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


# -- re-executions --------------------------------------------------------------------------------


def re_execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, parent: str, **tags: str
) -> list[str]:
    """Re-execute a run, which must succeed. Returns the Jobs of which it has materialized."""
    run = instance.create_run_for_job(job, parent_run_id=parent, root_run_id=parent, tags=tags)
    assert execute_run(InMemoryJob(job), run, instance, raise_on_error=True).success
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    found = [entry.asset_materialization for entry in events]
    return sorted({str(each.metadata["hevo/job_id"].value) for each in found if each})


@pytest.fixture
def failed(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[dg.JobDefinition, str]:
    """A job, and its run that was cut off while its Job ran, which has ended well by now."""
    with monkeypatch.context() as patch:
        die_after_saves(patch, saves=3)
        job = job_of(hevo, nothing)
        result = execute(job, instance)
    assert not result.success
    assert starts(emu) == 1
    return job, result.run_id


@pytest.mark.parametrize("tag", FROM_FAILURE)
def test_a_re_execution_from_failure_takes_the_job(
    emu: HevoEmulator, instance: dg.DagsterInstance, failed: tuple[dg.JobDefinition, str], tag: str
) -> None:
    job, parent = failed
    ended = last_job(emu, 7).job_id
    assert re_execute(job, instance, parent, **{tag: "true"}) == [ended]
    assert starts(emu) == 1


def test_a_re_execution_of_everything_runs_again(
    emu: HevoEmulator, instance: dg.DagsterInstance, failed: tuple[dg.JobDefinition, str]
) -> None:
    job, parent = failed
    ended = last_job(emu, 7).job_id
    assert re_execute(job, instance, parent) != [ended]
    assert starts(emu) == 2


def test_a_re_execution_of_a_re_execution_takes_the_job_too(
    emu: HevoEmulator, instance: dg.DagsterInstance, failed: tuple[dg.JobDefinition, str]
) -> None:
    job, parent = failed
    between = instance.create_run_for_job(
        job, parent_run_id=parent, root_run_id=parent, tags={FROM_FAILURE[0]: "true"}
    )
    re_execute(job, instance, between.run_id, **{FROM_FAILURE[0]: "true"})
    assert starts(emu) == 1


def test_a_parent_that_is_gone_is_no_error(
    emu: HevoEmulator, instance: dg.DagsterInstance, failed: tuple[dg.JobDefinition, str]
) -> None:
    job, parent = failed
    instance.delete_run(parent)
    re_execute(job, instance, parent, **{FROM_FAILURE[0]: "true"})
    assert starts(emu) == 2


# -- several runs in a step -----------------------------------------------------------------------


def test_two_pipelines_in_a_step_keep_two_tickets(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.add_pipeline(8, duration=1)

    @dg.op(retry_policy=NOW)
    def both(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        jobs = [hevo.run(context, each, **OFTEN).job_id for each in (7, 8)]
        if context.retry_number == 0:
            raise RuntimeError("after both")
        return jobs

    @dg.job
    def job() -> None:
        both()

    result = job.execute_in_process(instance=instance, resources={"hevo": hevo})
    assert result.output_for_node("both") == [last_job(emu, each).job_id for each in (7, 8)]
    assert starts(emu) == 2


def test_the_ticket_holds_no_secret(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    result = execute(job_of(hevo, nothing), instance)
    tickets = list(logged_tickets(instance, result.run_id))
    assert len(tickets) == 3
    messages = [entry.message for entry in instance.all_logs(result.run_id)]
    for state in ("sending", "accepted", "found"):
        assert f"hevo_edge keeps the ticket of SYNC_NOW of Pipeline 7: {state}" in messages
    for each in tickets:
        assert each.step_key == "hevo_pipeline_7"
        assert emu.api_secret not in str(each)
        assert emu.api_key not in str(each)
