"""What is wrong is said where assets are defined, by the name of the argument."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from hevo_edge import IfRunning
from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import (
    HevoPipeline,
    HevoResource,
    HevoTable,
    HevoTranslator,
    build_hevo_assets_definitions,
    hevo_assets,
)
from hevo_edge.integrations.dagster.asset_specs import hevo_assets_of
from hevo_edge.schedules import fixed


def defined(**options: Any) -> dg.AssetsDefinition:
    given: dict[str, Any] = {"pipeline_id": 7, "tables": ["users"], **options}

    @hevo_assets(**given)
    def assets(context):  # type: ignore[no-untyped-def]
        yield from ()

    return assets


WRONG: list[tuple[str, Any]] = [
    ("action", "RESTART"),
    ("job_type", "RESYNC"),
    ("drop_and_load", True),
    ("drop_and_load", "yes, please"),
    ("if_running", "ignore"),
    ("fresh_within", -5),
    ("discovery_timeout", 0),
    ("poll_interval", 0),
    ("poll_interval", fixed(5)),
    ("accept_completed_with_failures", 5),
    ("timeout", -1),
    ("timeout", "soon"),
    ("on_timeout", "return"),
    ("cancel_on_termination", "often"),
    ("subset", "some"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_option_is_named(name: str, value: Any) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=rf"@hevo_assets: .*{name}"):
        defined(**{name: value})
    hevo = HevoResource(api_key="key", api_secret="secret", region="us")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=rf"build_hevo.*: .*{name}"):
        build_hevo_assets_definitions(hevo, **{name: value})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pipeline_id": 0}, "pipeline_id"),
        ({"pipeline_id": "orders"}, "pipeline_id"),
        ({"tables": None}, "resource"),
        ({"tables": "users"}, "tables"),
        ({"tables": ["a..b"]}, "tables"),
        ({"tables": [5]}, "tables"),
        ({"tables": 5}, "@hevo_assets: tables must be several names, not 5"),
        ({"resource": "hevo"}, "@hevo_assets: resource must be a HevoResource, not 'hevo'"),
        ({"translator": HevoTranslator}, "@hevo_assets: translator must be a HevoTranslator, such"),
        ({"translator": 5}, "@hevo_assets: translator must be"),
        ({"tables": [HevoTable(HevoPipeline(8), "users")]}, "another Pipeline"),
        ({"subset": "resync"}, "@hevo_assets: subset='resync' needs the ids"),
    ],
)
def test_a_wrong_pipeline_or_table_is_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=says):
        defined(**options)


def test_two_pipelines_that_load_one_table_are_named(emu: HevoEmulator, hevo: HevoResource) -> None:
    says = "build_hevo_.*: Pipelines (7 and 123|123 and 7) both load warehouse/hevo/.*get_asset_key"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=says):
        build_hevo_assets_definitions(hevo)


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="@hevo_assets: .*poll_intervall"):
        defined(poll_intervall=5)


def test_options_are_kept_as_plain_json() -> None:
    assets = defined(
        if_running=IfRunning.JOIN, timeout=timedelta(hours=2), poll_interval="auto", subset=None
    )
    (kept,) = hevo_assets_of(assets.specs)
    assert kept.options == {"if_running": "join", "timeout": 7200.0, "poll_interval": "auto"}
    assert all(type(value) in {str, float} for value in kept.options.values())
    assert kept.subset is None


def test_materialize_is_for_assets_of_one_pipeline(instance: dg.DagsterInstance) -> None:
    hevo = HevoResource(api_key="key", api_secret="secret", region="us")

    @dg.asset
    def other(context, hevo: HevoResource):  # type: ignore[no-untyped-def]
        list(hevo.materialize(context))

    with pytest.raises(dg.Failure, match="materialize"):
        dg.materialize([other], resources={"hevo": hevo}, instance=instance)
