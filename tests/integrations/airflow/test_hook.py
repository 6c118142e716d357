"""The hook: a client of a connection, and the vendor's method names."""

from __future__ import annotations

import asyncio
import inspect
import json
import pydoc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge import HevoClient, JobType, Pipeline
from hevo_edge.emulator import HevoEmulator
from hevo_edge.enums import SyncType
from hevo_edge.errors import TriggerOutcomeUnknown
from hevo_edge.integrations.airflow import HevoHook, hooks
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import end_last_job, last_job, start_by_schedule, starts


class Both:
    """Calls a method of the hook by its ``_async`` or its ``_sync`` name."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.hook = HevoHook()

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if self.how == "async":
            return asyncio.run(getattr(self.hook, f"{name}_async")(*args, **kwargs))
        method = getattr(self.hook, f"{name}_sync")
        if self.how == "sync":
            return method(*args, **kwargs)

        async def in_a_loop() -> Any:
            return method(*args, **kwargs)

        return asyncio.run(in_a_loop())


@pytest.fixture(params=["async", "sync", "sync in a running loop"])
def call(emu: HevoEmulator, request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


def test_get_pipeline(call: Both) -> None:
    pipeline = call("get_pipeline", 123)
    assert pipeline["status"] == pipeline.status == "INITIALIZED"
    assert pipeline.source.name == pipeline["source"]["name"]
    assert call("get_pipeline", 404) is None


def test_validate_pipeline(emu: HevoEmulator, call: Both) -> None:
    assert call("validate_pipeline", 123).id == 123
    emu.add_pipeline(9, status="DISABLED")
    with pytest.raises(Exception, match="DISABLED"):
        call("validate_pipeline", 9)
    with pytest.raises(AirflowException, match="Pipeline 10 does not exist"):
        call("validate_pipeline", 10)


def test_validate_pipeline_may_ask_for_a_sync_type(emu: HevoEmulator, call: Both) -> None:
    assert call("validate_pipeline", 123, SyncType.ON_DEMAND).schedule.sync_type == "ON_DEMAND"
    with pytest.raises(AirflowException, match="not of sync type SCHEDULED"):
        call("validate_pipeline", 123, "SCHEDULED")


def test_failed_pipelines_of_a_time(emu: HevoEmulator, call: Both) -> None:
    emu.add_pipeline(9).add_history(created=emu.now - 1800, status="FAILED", duration=30.0)
    begin = datetime.fromtimestamp(emu.now - 3600, timezone.utc)
    for since in (timedelta(hours=1), begin, begin.isoformat()):
        (found,) = call("failed_pipelines", since)
        assert (found.pipeline_id, found.reason, found.obstacle) == (9, "ended FAILED", None)
    assert call("failed_pipelines", timedelta(minutes=5)) == []
    assert call("failed_pipelines", begin, [7, 123]) == []
    seen = len(emu.requests)
    for wrong in (None, "an hour ago", datetime(2026, 1, 1)):  # noqa: DTZ001
        with pytest.raises(AirflowException, match="since"):
            call("failed_pipelines", wrong)
    assert len(emu.requests) == seen


def test_trigger_pipeline_sync(emu: HevoEmulator, call: Both) -> None:
    job = call("trigger_pipeline_sync", 123)
    assert job.job_id == last_job(emu).job_id
    assert (job.pipeline_id, job.ref) == (123, f"123:{job.job_id}")
    assert job.certainty in {
        "certain",
        "likely",
    }  # the emulator's clock runs a hundred times as fast
    assert (job.is_terminal, job.is_failed) == (False, False)
    with pytest.raises(AirflowException, match=job.job_id):
        call("trigger_pipeline_sync", 123, ensure_new_job=True)
    assert starts(emu) == 1


def test_trigger_pipeline_sync_beside_a_running_job_waits_for_its_end(
    emu: HevoEmulator, call: Both
) -> None:
    # It is listed at once and runs for a while, however slow this machine is.
    emu.pipeline(7).plan(appears_after=0, duration=100)
    first = start_by_schedule(emu, 7)
    job = call("trigger_pipeline_sync", 7, ensure_new_job=False)
    assert job.job_id == last_job(emu, 7).job_id != first.job_id


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, "EVOLVE_AND_MERGE"),
        ({"drop_and_load": True}, "DROP_AND_LOAD"),
        ({"resync_mode": "DROP_AND_LOAD"}, "DROP_AND_LOAD"),
        ({"resync_mode": True}, "DROP_AND_LOAD"),  # as the second argument once was
        ({"resync_mode": False}, "EVOLVE_AND_MERGE"),
    ],
)
def test_resync_pipeline(emu: HevoEmulator, call: Both, options: Any, mode: str) -> None:
    job = call("resync_pipeline", 7, **options)
    assert job.job_id == last_job(emu, 7).job_id
    assert emu.requests.of("resync_pipeline")[0].body == {"resync_mode": mode}


@pytest.mark.parametrize("job_type", [JobType.INCREMENTAL, "INCREMENTAL", None])
def test_find_active_job_by_type(emu: HevoEmulator, call: Both, job_type: Any) -> None:
    with pytest.raises(AirflowException, match="no active Job"):
        call("find_active_job_by_type", 123, job_type, page_limit=5)
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    assert call("find_active_job_by_type", 123, job_type).job_id == job.job_id
    with pytest.raises(AirflowException, match="no active Job of type HISTORICAL"):
        call("find_active_job_by_type", 123, "HISTORICAL")


@pytest.mark.parametrize(
    ("status", "accepts", "word"),
    [
        ("COMPLETED", False, "completed"),
        ("FAILED", True, "failed"),
        ("CANCELLED", False, "failed"),
        ("COMPLETED_WITH_FAILURES", True, "completed_with_failures"),
        ("COMPLETED_WITH_FAILURES", False, "failed"),
    ],
)
def test_get_job_completion_status(
    emu: HevoEmulator, call: Both, status: str, accepts: bool, word: str
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    job_id = last_job(emu).job_id
    assert call("get_job_completion_status", 123, job_id) == "pending"
    end_last_job(emu, status)
    options = {"accept_completed_with_failures": accepts}
    status_word = call("get_job_completion_status", 123, job_id, **options)
    assert status_word == status_word.value == hooks.JobCompletionStatus(word) == word


def test_update_enable_and_disable_pipeline(emu: HevoEmulator, call: Both) -> None:
    assert call("update_pipeline", 123, {"name": "Orders"}).name == "Orders"
    call("disable_pipeline", 123)
    assert emu.pipeline(123).status == "DISABLED"
    call("enable_pipeline", 123)
    assert emu.pipeline(123).status == "INITIALIZED"


def test_disable_pipeline_may_cancel_what_runs(emu: HevoEmulator, call: Both) -> None:
    job = start_by_schedule(emu)
    call("disable_pipeline", 123, cancel_active_jobs=True)
    assert job.status == "CANCELLING"


def test_cancel_job(emu: HevoEmulator, call: Both) -> None:
    job = start_by_schedule(emu)
    job.visible_from = emu.now
    assert call("cancel_job", 123, job.job_id).job_id == job.job_id
    assert job.status == "CANCELLING"


def test_get_job_objects(emu: HevoEmulator, call: Both) -> None:
    job_id = last_job(emu).job_id
    page = call("get_job_objects", 123, job_id)
    assert [row["object_name"] for row in page["data"]] == ["users", "orders", "items"]
    assert (page["has_more"], page["next_cursor"]) == (False, None)


def test_pages_are_followed_by_their_cursor(emu: HevoEmulator, call: Both) -> None:
    for name, ids in [("list_objects", ()), ("get_job_objects", (last_job(emu).job_id,))]:
        first = call(name, 123, *ids, limit=2)
        assert (len(first.data), first.has_more) == (2, True)
        rest = call(name, 123, *ids, limit=2, cursor=first.next_cursor)
        assert (len(rest.data), rest.has_more) == (1, False)


@pytest.mark.parametrize("named", [list, lambda ids: {"objects": ids, "drop_and_load": False}])
def test_objects(emu: HevoEmulator, call: Both, named: Any) -> None:
    rows = call("list_objects", 123).data
    assert len(rows) == 3
    assert rows[0].source_namespace.k0 == "users"
    assert call("get_object", 123, rows[0].object_id).object_id == rows[0].object_id
    call("refresh_schema", 123)
    call("refresh_schema", 123, {"objects": ["users"]})
    assert [sent.body for sent in emu.requests.of("refresh_schema")] == [
        None,
        {"objects": ["users"]},
    ]
    job = call("resync_objects", 123, named([rows[0].object_id]))
    assert job.job_id == last_job(emu).job_id
    assert last_job(emu).type == "HISTORICAL"


def test_what_a_resync_of_objects_does_not_know_is_refused(emu: HevoEmulator, call: Both) -> None:
    with pytest.raises(AirflowException, match="not tables"):
        call("resync_objects", 123, {"tables": ["users"]})
    assert starts(emu) == 0


def test_update_pipeline_sources(emu: HevoEmulator, call: Both) -> None:
    answer = call("update_pipeline_sources", 123, {"load_historical_data": False})
    assert answer["id"] == 123
    (patch,) = emu.requests.of("update_sources")
    assert patch.body == {"load_historical_data": False}


# What the generations of the vendor's hooks take, after the Pipeline.
VENDORS_METHODS = {
    "cancel_job": ["job_id"],
    "disable_pipeline": [],
    "enable_pipeline": [],
    "find_active_job_by_type": ["job_type", "page_limit"],
    "get_job_completion_status": ["job_id", "accept_completed_with_failures"],
    "get_job_objects": ["job_id", "limit", "cursor"],
    "get_object": ["object_id"],
    "get_pipeline": [],
    "get_pipeline_object": ["object_id"],
    "list_objects": ["limit", "cursor"],
    "list_pipeline_objects": ["limit", "cursor"],
    "refresh_schema": ["refresh_config"],
    "resync_objects": ["resync_config"],
    "resync_pipeline": ["resync_mode"],
    "trigger_pipeline_sync": ["ensure_new_job"],
    "update_pipeline": ["pipeline_config"],
    "update_pipeline_sources": ["sources_config"],
    "validate_pipeline": ["sync_type"],
}


@pytest.mark.parametrize(("name", "parameters"), VENDORS_METHODS.items())
def test_every_method_of_the_vendors_hooks_is_there_by_all_its_names(
    name: str, parameters: list[str]
) -> None:
    forms = [f"{name}_async", f"{name}_sync", name]
    assert set(forms) <= set(dir(HevoHook()))
    wanted = ["self", "pipeline_id", *parameters]
    signatures = [inspect.signature(getattr(HevoHook, form)) for form in forms]
    assert list(signatures[0].parameters)[: len(wanted)] == wanted
    assert signatures[1] == signatures[2] == signatures[0]
    assert [inspect.iscoroutinefunction(getattr(HevoHook, form)) for form in forms] == [1, 0, 0]


def test_help_shows_the_synchronous_methods_with_their_types() -> None:
    shown = pydoc.plain(pydoc.render_doc(HevoHook))
    assert "trigger_pipeline_sync_sync(self, pipeline_id: 'int', ensure_new_job" in shown
    assert "get_job_completion_status_sync(self, pipeline_id: 'int', job_id: 'str'" in shown
    assert "-> 'Record | None'" in shown


def test_a_subclass_changes_both_forms_at_once() -> None:
    class Mine(HevoHook):
        async def enable_pipeline_async(self, pipeline_id: int) -> None:
            raise AirflowException(f"not {pipeline_id}")

    with pytest.raises(AirflowException, match="not 5"):
        Mine().enable_pipeline_sync(5)


@pytest.mark.parametrize("name", ["no_such_sync", "_private_sync", "__deepcopy__", "nothing"])
def test_other_names_are_not_there(name: str) -> None:
    hook = HevoHook()
    with pytest.raises(AttributeError, match=name):
        getattr(hook, name)


def test_the_vendors_class_names_are_the_same_hook() -> None:
    assert hooks.HevoPipelineHook is HevoHook
    assert hooks.HevoObjectHook is HevoHook


def test_errors_of_hevo_are_airflows(emu: HevoEmulator, call: Both) -> None:
    with pytest.raises(AirflowException, match="404"):
        call("get_job_completion_status", 404, "a")


def test_no_resumption_is_promised_that_a_task_of_ones_own_has_not(
    emu: HevoEmulator, call: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket: Any = None

    async def lost(*_: Any, **__: Any) -> Any:
        raise TriggerOutcomeUnknown("it is not known whether a Job was started", ticket=ticket)

    monkeypatch.setattr(Pipeline, "sync_now", lost)
    with pytest.raises(AirflowException, match="a retry of this task may start a second run"):
        call("trigger_pipeline_sync", 123)


def test_fresh_data_is_not_loaded_again_by_a_retry(emu: HevoEmulator) -> None:
    async def load() -> str:
        async with HevoHook().client() as hevo:
            job = await hevo.pipeline(7).ensure_fresh(timedelta(days=1))
            return (await job.await_completion(poll_interval=0.05)).id

    assert asyncio.run(load()) == asyncio.run(load())
    assert starts(emu) == 1


def test_a_client_for_code_of_ones_own(emu: HevoEmulator) -> None:
    async def work() -> Any:
        async with HevoHook().client() as hevo:
            assert isinstance(hevo, HevoClient)
            return (await hevo.get_pipeline(123)).status

    assert asyncio.run(work()) == "INITIALIZED"


def test_a_client_read_without_blocking_the_loop(emu: HevoEmulator) -> None:
    async def work() -> Any:
        async with await HevoHook().aclient() as hevo:
            return (await hevo.get_pipeline(123)).status

    assert asyncio.run(work()) == "INITIALIZED"


def test_the_hooks_timeout_is_for_each_request(emu: HevoEmulator) -> None:
    emu.faults.delay(1000, times=None)
    with pytest.raises(AirflowException, match="timed out"):
        HevoHook(timeout=0.05).trigger_pipeline_sync_sync(123)


def test_the_vendors_arguments_are_accepted() -> None:
    hook = HevoHook("other", 5, 1, 60, [429])
    assert hook.connection_id == "other"
    assert hook.timeout == 60
    assert HevoHook(None).connection_id == "hevo_airflow_conn_id"  # type: ignore[arg-type]


# -- the connection's form ------------------------------------------------------------------------


def test_a_working_connection_is_told_by_what_was_seen(emu: HevoEmulator) -> None:
    ok, message = HevoHook().test_connection()
    assert ok
    assert emu.base_url in message
    assert "Pipeline 7 is INITIALIZED" in message or "Pipeline 123 is INITIALIZED" in message


def test_an_account_without_pipelines_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with HevoEmulator(rate_limit=None) as empty:
        monkeypatch.setenv(CONNECTION, connection_json(empty))
        ok, message = HevoHook().test_connection()
    assert ok
    assert "no Pipelines" in message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "another-secret"}, "401"),
        ({"password": ""}, "API secret"),
        ({"host": "ftp://us"}, "ftp"),
    ],
)
def test_a_connection_that_does_not_work_is_told_why(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch, fields: Any, words: str
) -> None:
    monkeypatch.setenv(CONNECTION, connection_json(emu, **fields))
    ok, message = HevoHook().test_connection()
    assert not ok
    assert words in message
    assert "another-secret" not in message


def test_a_missing_connection_is_told(emu: HevoEmulator) -> None:
    ok, message = HevoHook("nowhere").test_connection()
    assert not ok
    assert "nowhere" in message


def test_the_form_names_hevos_words_and_hides_what_means_nothing() -> None:
    form = HevoHook.get_ui_field_behaviour()
    path = Path(str(airflow.__file__)).with_name("customized_form_field_behaviours.schema.json")
    jsonschema.validate(form, json.loads(path.read_text(encoding="utf-8")))
    assert form["hidden_fields"] == ["schema"]
    assert form["relabeling"]["login"] == "API key"
    assert form["relabeling"]["password"] == "API secret"
    assert "secret" not in form["placeholders"]["extra"]
