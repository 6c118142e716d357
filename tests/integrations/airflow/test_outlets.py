"""The asset events of an operator's outlets say what its Job has loaded, on Airflow 2 and 3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.assets import Asset, AssetAlias
from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.support import AIRFLOW_3, operator, run_to_end

if AIRFLOW_3:
    from airflow.sdk.execution_time.context import OutletEventAccessors
else:
    from airflow.utils.context import OutletEventAccessors


@pytest.fixture
def outlet_events(context: dict[str, Any]) -> Any:
    """Airflow's own accessors, in the task's context."""
    events: Any = OutletEventAccessors()
    context["outlet_events"] = events
    return events


def orders() -> Any:
    return Asset(uri="hevo://orders")


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_outlet_tells_the_jobs_counts(
    emu: HevoEmulator, context: dict[str, Any], outlet_events: Any, deferrable: bool
) -> None:
    def make() -> Any:
        return operator(pipeline_id=7, deferrable=deferrable, outlets=[orders()])

    job_id = run_to_end(make, context)
    extra = outlet_events[orders()].extra
    assert (extra["job_id"], extra["pipeline_id"], extra["status"]) == (job_id, 7, "COMPLETED")
    assert (extra["events_loaded"], extra["objects_failed"]) == (1000, 0)
    assert extra["ended_ts"] > extra["created_ts"]
    assert json.loads(json.dumps(extra)) == extra == context["ti"].xcoms["job"]


def test_what_the_dags_author_has_said_stays(
    emu: HevoEmulator, context: dict[str, Any], outlet_events: Any
) -> None:
    outlet_events[orders()].extra = {"status": "mine", "team": "sales"}
    run_to_end(lambda: operator(pipeline_id=7, outlets=[orders()]), context)
    extra = outlet_events[orders()].extra
    assert (extra["status"], extra["team"], extra["events_loaded"]) == ("mine", "sales", 1000)


def test_a_job_that_failed_says_nothing(
    emu: HevoEmulator, context: dict[str, Any], outlet_events: Any
) -> None:
    emu.pipeline(7).plan(outcome="FAILED", duration=1)
    with pytest.raises(AirflowException):
        run_to_end(lambda: operator(pipeline_id=7, outlets=[orders()]), context)
    assert outlet_events[orders()].extra == {}


def test_without_a_wait_nothing_is_known(
    emu: HevoEmulator, context: dict[str, Any], outlet_events: Any
) -> None:
    run_to_end(
        lambda: operator(pipeline_id=7, wait_for_completion=False, outlets=[orders()]), context
    )
    assert outlet_events[orders()].extra == {}


@pytest.mark.parametrize("outlet", ["a file of lineage", 3, None])
def test_what_is_no_asset_disturbs_nothing(
    emu: HevoEmulator, context: dict[str, Any], outlet_events: Any, outlet: Any
) -> None:
    def make() -> Any:
        one = operator(pipeline_id=7)
        one.outlets = [outlet, AssetAlias("alias"), orders()]
        return one

    assert run_to_end(make, context)
    assert outlet_events[orders()].extra["events_loaded"] == 1000


def test_a_context_without_events_disturbs_nothing(
    emu: HevoEmulator, context: dict[str, Any]
) -> None:
    assert run_to_end(lambda: operator(pipeline_id=7, outlets=[orders()]), context)
