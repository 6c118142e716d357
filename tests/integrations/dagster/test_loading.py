"""A code location is loaded: what is read of Hevo, and what happens when Hevo is away."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.repository_definition import RepositoryLoadData

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import (
    HevoPipeline,
    HevoResource,
    build_hevo_assets_definitions,
    catalog,
    hevo_assets,
)
from tests.integrations.dagster.support import resource_of


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def keys_of(hevo: HevoResource, **options: Any) -> set[str]:
    found = build_hevo_assets_definitions(hevo, **options)
    return {"/".join(key.path) for assets in found for key in assets.keys}


def is_seventh(pipeline: HevoPipeline) -> bool:
    return pipeline.id == 7


def one(hevo: HevoResource, pipeline_id: int = 7, **options: Any) -> dg.AssetsDefinition:
    @hevo_assets(pipeline_id=pipeline_id, resource=hevo, **options)
    def assets(context):  # type: ignore[no-untyped-def]
        yield from ()

    return assets


def calls(emu: HevoEmulator) -> Counter[str]:
    return Counter(call.endpoint for call in emu.requests)


@contextmanager
def loading(repository_load_data: Any = None) -> Iterator[DefinitionsLoadContext]:
    """Load a code location, or what a run's process needs of one that was loaded before."""
    kind = DefinitionsLoadType
    load_type = kind.RECONSTRUCTION if repository_load_data else kind.INITIALIZATION
    context, before = (
        DefinitionsLoadContext(load_type, repository_load_data),
        DefinitionsLoadContext._instance,
    )
    DefinitionsLoadContext._instance = context
    try:
        yield context
    finally:
        DefinitionsLoadContext._instance = before


def test_a_hundred_pipelines_take_a_list_and_a_call_each() -> None:
    with HevoEmulator(rate_limit=None) as emu:
        for number in range(1, 101):
            emu.add_pipeline(number, objects=(f"table_{number}",))
        keys = keys_of(resource_of(emu))
        assert keys == {f"warehouse/hevo/table_{number}" for number in range(1, 101)}
        assert calls(emu) == {"list_pipelines": 1, "list_objects": 100}


def test_a_decorated_pipeline_takes_two_calls(emu: HevoEmulator, hevo: HevoResource) -> None:
    assert len(one(hevo).keys) == 3
    assert calls(emu) == {"get_pipeline": 1, "list_objects": 1}


def test_only_what_is_wanted_and_loaded_becomes_an_asset(
    emu: HevoEmulator, hevo: HevoResource
) -> None:
    objects = emu.pipeline(7).objects
    objects[objects.find("items") or ""].status = "INACTIVE"
    emu.pipeline(7).settings["destination_prefix"] = "raw_"
    keys = keys_of(hevo, where=lambda pipeline: pipeline.name == "Pipeline 7")
    assert keys == {"warehouse/hevo/raw_users", "warehouse/hevo/raw_orders"}
    assert calls(emu) == {"list_pipelines": 1, "list_objects": 1}


def test_the_processes_of_a_run_read_nothing(emu: HevoEmulator, hevo: HevoResource) -> None:
    with loading() as context:
        loaded = keys_of(hevo, where=lambda pipeline: pipeline.id == 123)
        alone = one(hevo, 123).keys
        read = calls(emu)
        assert read == {"list_pipelines": 1, "list_objects": 1}, "it was read already"
        kept = context.get_pending_reconstruction_metadata()
    assert emu.api_secret not in str(kept)
    data = RepositoryLoadData(
        cacheable_asset_data={}, reconstruction_metadata=kept, defs_state_info=None
    )
    emu.pipeline(123).objects.add("invoices")
    with loading(data):
        assert keys_of(hevo, where=lambda pipeline: pipeline.id == 123) == loaded
        assert one(hevo, 123).keys == alone
    assert calls(emu) == read


# -- Hevo is away ---------------------------------------------------------------------------------


@pytest.fixture
def away(emu: HevoEmulator) -> HevoResource:
    """An account whose Hevo answers nothing but 503."""
    emu.faults.status(503, times=None)
    return resource_of(emu, max_retries=0)


def test_what_was_read_last_serves_while_hevo_is_away(
    emu: HevoEmulator, hevo: HevoResource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "folder" / "hevo.json"
    before = keys_of(hevo, cache=cache, where=is_seventh)
    emu.faults.status(503, times=None)
    away = resource_of(emu, max_retries=0)
    with caplog.at_level(logging.WARNING):
        assert keys_of(away, cache=cache, where=is_seventh) == before
        assert {"/".join(key.path) for key in one(away, 7, cache=cache).keys} <= before
    assert f"HevoResource({emu.base_url})" in caplog.text
    assert str(cache) in caplog.text
    assert emu.api_secret not in cache.read_text()


def test_the_home_of_dagster_keeps_it_by_default(
    emu: HevoEmulator, hevo: HevoResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    one(hevo, 7)
    one(hevo, 123)
    (file,) = tmp_path.rglob("*.json")
    kept = json.loads(file.read_text())["pipelines"]
    assert {row["id"]: len(row["tables"]) for row in kept} == {7: 3, 123: 3}
    emu.faults.status(401, times=None)
    assert len(one(hevo, 7).keys) == 3, "what was read last serves though the key is refused"


def test_what_was_read_with_another_key_serves_only_from_a_file_that_was_named(
    emu: HevoEmulator, hevo: HevoResource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    wrong, cache = resource_of(emu, api_key="wrong"), tmp_path / "hevo.json"
    assert one(hevo).keys == one(hevo, cache=cache).keys == one(wrong, cache=cache).keys
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="401"):
        one(wrong)


def test_without_a_file_there_are_no_assets_while_hevo_is_away(
    emu: HevoEmulator, away: HevoResource, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert keys_of(away) == set()
        empty = one(away)
    assert empty.keys == set()
    assert f"HevoResource({emu.base_url}): Pipeline 7 could not be read" in caplog.text
    dg.Definitions.validate_loadable(dg.Definitions(assets=[empty]))


def test_a_hevo_that_does_not_answer_in_time_is_away(
    emu: HevoEmulator,
    hevo: HevoResource,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(catalog, "LOAD_TIMEOUT", 0.3)
    emu.faults.delay(1e6, times=None)
    assert keys_of(hevo) == set()
    assert "Hevo did not answer within 0.3 s" in caplog.text


def test_a_file_that_cannot_be_read_or_written_is_no_file(
    emu: HevoEmulator, hevo: HevoResource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "hevo.json"
    for text in ("{", "[]", '{"is_whole": true, "pipelines": [{"id": 1}]}'):
        broken.write_text(text)
        emu.faults.status(503, times=1)
        assert keys_of(resource_of(emu, max_retries=0), cache=broken) == set()
    assert len(keys_of(hevo, cache=tmp_path, where=is_seventh)) == 3
    assert "cannot be kept in" in caplog.text


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_a_pipeline_that_is_refused_is_an_error_that_names_the_resource(
    emu: HevoEmulator, hevo: HevoResource, status: int
) -> None:
    emu.faults.status(status, {"message": "Hevo's words"}, times=None)
    with pytest.raises(
        dg.DagsterInvalidDefinitionError, match=r"HevoResource\(http.*Pipeline 7.*"
    ) as caught:
        one(hevo)
    assert caught.value.__suppress_context__, "the message says all"


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ({}, "give region or base_url$"),
        ({"region": "us", "base_url": "https://us.hevodata.com"}, "give region or .*, not both$"),
    ],
)
def test_a_wrong_account_is_named(places: dict[str, Any], says: str) -> None:
    hevo = HevoResource(api_key="key", api_secret="secret", **places)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=rf"^@hevo_assets: Hevo.*: {says}"):
        one(hevo)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=rf"^build_.*: Hevo.*: {says}"):
        keys_of(hevo)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEVO_API_KEY", raising=False)
    hevo = HevoResource(api_key=dg.EnvVar("HEVO_API_KEY"), api_secret="secret", region="us")
    with pytest.raises(Exception, match="HEVO_API_KEY"):
        one(hevo)
