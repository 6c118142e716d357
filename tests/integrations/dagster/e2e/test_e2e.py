"""Runs that a real Dagster launches: killed, terminated, many at once."""

from __future__ import annotations

from hevo_edge.emulator import HevoEmulator
from tests.integrations.dagster.e2e.stack import Dagster, wait_for

KILLED, TERMINATED, READ = 101, 102, 103


def job_of(emulator: HevoEmulator, pipeline_id: int, number: int = 1) -> str:
    """Wait until a Pipeline's nth Job is being awaited; return its id."""
    jobs = wait_for(
        lambda: (
            emulator.pipeline(pipeline_id).jobs[number - 1 :]
            if any(call.pipeline_id == pipeline_id for call in emulator.requests.of("get_job"))
            else None
        )
    )
    return str(jobs[0].job_id)


def calls(emulator: HevoEmulator, pipeline_id: int, endpoint: str = "sync_now") -> int:
    """Count the calls about a Pipeline: the tests share an emulator, in any order."""
    return sum(call.pipeline_id == pipeline_id for call in emulator.requests.of(endpoint))


def test_a_step_that_was_killed_goes_on_when_it_is_re_executed_from_failure(
    dagster: Dagster, emulator: HevoEmulator
) -> None:
    run = dagster.launch("killed")
    job_of(emulator, KILLED)
    dagster.kill_steps()
    assert dagster.end_of(run) == "FAILURE"
    assert calls(emulator, KILLED, "cancel_job") == 0
    again = dagster.re_execute(run)
    polls = calls(emulator, KILLED, "get_job")
    wait_for(lambda: calls(emulator, KILLED, "get_job") > polls + 1)
    (job,) = emulator.pipeline(KILLED).jobs
    job.end(emulator.now, "COMPLETED")
    assert dagster.end_of(again) == "SUCCESS"
    assert calls(emulator, KILLED) == 1


def test_a_users_termination_cancels_the_job(dagster: Dagster, emulator: HevoEmulator) -> None:
    run = dagster.launch("terminated")
    job_of(emulator, TERMINATED)
    dagster.terminate(run)
    assert dagster.end_of(run) == "CANCELED"
    (job,) = emulator.pipeline(TERMINATED).jobs
    assert job.status in {"CANCELLING", "CANCELLED"}
    # Run again, from failure: the Job that was cancelled is none to go on with.
    wait_for(lambda: emulator.pipeline(TERMINATED).jobs[0].status == "CANCELLED")
    again = dagster.re_execute(run)
    wait_for(lambda: calls(emulator, TERMINATED) == 2)
    wait_for(lambda: len(emulator.pipeline(TERMINATED).jobs) == 2)
    emulator.pipeline(TERMINATED).jobs[-1].end(emulator.now + 1, "COMPLETED")
    assert dagster.end_of(again) == "SUCCESS"


def test_the_processes_of_a_run_read_no_tables(dagster: Dagster, emulator: HevoEmulator) -> None:
    before = len(emulator.requests.of("list_objects", "get_pipeline"))
    run = dagster.launch("read")
    assert dagster.end_of(run) == "SUCCESS"
    made = emulator.requests.of("list_objects", "get_pipeline")[before:]
    assert [call.endpoint for call in made] == ["get_pipeline"], "that of the trigger"


def test_twenty_pipelines_at_once_keep_to_the_limit(
    dagster: Dagster, limited: HevoEmulator
) -> None:
    run = dagster.launch("many", execution={"config": {"multiprocess": {"max_concurrent": 20}}})
    assert dagster.end_of(run) == "SUCCESS"
    assert [call.endpoint for call in limited.requests if call.status == 429] == []
    assert len([call for call in limited.requests.of("sync_now") if call.took_effect]) == 20
