"""HevoAccountComponent: by YAML, in the component's own process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.resolved.errors import ResolutionException

from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import AuthenticationError, ServerError
from hevo_edge.integrations.dagster import HevoAccountComponent, component
from tests.integrations.dagster.support import materialized

YAML = """
account: {{api_key: emulator-key, api_secret: emulator-secret, base_url: "{url}", max_retries: 0}}
pipeline_ids: [7]
options: {{poll_interval: 0.05}}
sensor: true
translation:
  group_name: raw
  key: "{{{{ 'raw/' ~ table.name }}}}"
"""


def made(emu: HevoEmulator, more: str = "", text: str = YAML) -> HevoAccountComponent:
    read: HevoAccountComponent = HevoAccountComponent.resolve_from_yaml(
        text.format(url=emu.base_url) + more
    )
    return read


def defs_of(made: HevoAccountComponent, path: Path | None) -> dg.Definitions:
    context: Any = None
    return made.build_defs_from_state(context, path)


@pytest.fixture
def state(emu: HevoEmulator, tmp_path: Path) -> Path:
    """The state, as it was read of Hevo."""
    path = tmp_path / "state"
    asyncio.run(made(emu).write_state_to_path(path))
    return path


def test_the_tables_of_its_pipelines_are_assets_that_run_them(
    emu: HevoEmulator, state: Path, instance: dg.DagsterInstance
) -> None:
    assert "emulator-secret" not in state.read_text()
    calls = len(emu.requests)
    defs = defs_of(made(emu), state)
    assert len(emu.requests) == calls, "nothing is read of Hevo"
    assets = next(iter(defs.assets or ()))
    assert isinstance(assets, dg.AssetsDefinition)
    assert {key.to_user_string() for key in assets.keys} == {"raw/users", "raw/orders", "raw/items"}
    assert {spec.group_name for spec in assets.specs} == {"raw"}
    assert [each.name for each in defs.sensors or ()] == ["hevo_jobs"]
    result = dg.materialize([assets], resources=dict(defs.resources or {}), instance=instance)
    assert materialized(result).keys() == {"users", "orders", "items"}


def test_before_anything_was_read_there_are_no_assets(emu: HevoEmulator) -> None:
    assert not defs_of(made(emu), None).assets


ALL = 'account: {{api_key: emulator-key, api_secret: emulator-secret, base_url: "{url}"}}\n'


def test_two_pipelines_that_load_one_table_are_named(emu: HevoEmulator, tmp_path: Path) -> None:
    whole, path = made(emu, text=ALL), tmp_path / "all"
    asyncio.run(whole.write_state_to_path(path))
    says = "^HevoAccountComponent: Pipelines (7 and 123|123 and 7) both load .*translation"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=says):
        defs_of(whole, path)


def test_all_pipelines_and_several_accounts(emu: HevoEmulator, tmp_path: Path) -> None:
    for each in emu.pipeline(7).objects.values():
        each.name = f"seventh_{each.name}"
    whole = made(emu, "resource_key: second\n", ALL)
    path = tmp_path / "all"
    asyncio.run(whole.write_state_to_path(path))
    defs = defs_of(whole, path)
    assert len(list(defs.assets or ())) == 2
    assert (defs.resources or {}).keys() == {"second"}
    assert not defs.sensors
    assert emu.base_url in whole.defs_state_config.key


@pytest.mark.parametrize("ids", ["[7, 999]", "[999]"])
def test_a_pipeline_that_the_account_does_not_have_is_an_error(
    emu: HevoEmulator, state: Path, tmp_path: Path, ids: str
) -> None:
    wrong = made(emu, text=YAML.replace("[7]", ids))
    says = rf"^HevoAccountComponent: HevoResource\({emu.base_url}\) has no Pipeline 999$"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=says):
        asyncio.run(wrong.write_state_to_path(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=says):  # a state of before
        defs_of(wrong, state)


def test_a_pipeline_that_was_not_read_yet_is_named(
    emu: HevoEmulator, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    defs = defs_of(made(emu, text=YAML.replace("[7]", "[7, 123]")), state)
    assert len(list(defs.assets or ())) == 1
    assert "Pipeline 123" in caplog.text
    assert "dg utils refresh-defs-state" in caplog.text


def test_a_wrong_account_names_the_component(emu: HevoEmulator, tmp_path: Path) -> None:
    text = YAML.replace("max_retries: 0", "region: us")
    with pytest.raises(
        dg.DagsterInvalidDefinitionError, match=r"^HevoAccountComponent: .*not both"
    ):
        asyncio.run(made(emu, text=text).write_state_to_path(tmp_path / "state"))


@pytest.mark.parametrize(
    ("name", "value"), [("if_running", "ignore"), ("if_runing", "join"), ("timeout", -1)]
)
def test_a_wrong_option_is_named_with_its_place(emu: HevoEmulator, name: str, value: Any) -> None:
    text = YAML.replace("poll_interval: 0.05", f"{name}: {value}")
    with pytest.raises(ResolutionException, match=rf"<string>:4 - options[\s\S]*{name}"):
        made(emu, text=text)
    component = made(emu).model_copy(update={"options": {name: value}})
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=rf"^HevoAccount.*: .*{name}"):
        defs_of(component, None)


def test_while_hevo_is_away_a_developer_keeps_what_was_read_last(
    emu: HevoEmulator,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = state.read_text()
    emu.faults.status(503, times=None)
    with pytest.raises(ServerError):  # whoever refreshes it on purpose is told
        asyncio.run(made(emu).write_state_to_path(state))
    monkeypatch.setattr(component, "using_dagster_dev", lambda: True)
    asyncio.run(made(emu).write_state_to_path(state))
    assert state.read_text() == before
    assert "so its assets are those of the last time" in caplog.text
    caplog.clear()
    asyncio.run(made(emu).write_state_to_path(state.with_name("first")))
    assert "so it has no assets yet" in caplog.text
    emu.faults.clear()
    emu.faults.status(401, times=None)
    with pytest.raises(AuthenticationError):
        asyncio.run(made(emu).write_state_to_path(state))


def test_a_subclass_may_override_what_it_does(
    emu: HevoEmulator, state: Path, instance: dg.DagsterInstance
) -> None:
    class Ours(HevoAccountComponent):
        def execute(self, context: Any, hevo: Any) -> Any:
            context.log.info("ours")
            yield from super().execute(context, hevo)

    ours = Ours.resolve_from_yaml(YAML.format(url=emu.base_url))
    defs = defs_of(ours, state)
    assets = next(iter(defs.assets or ()))
    assert isinstance(assets, dg.AssetsDefinition)
    assert dg.materialize([assets], resources=dict(defs.resources or {}), instance=instance).success
