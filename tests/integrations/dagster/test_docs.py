"""Each block of the page, as it stands there, and the project under examples."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from tests.integrations.dagster.support import materialized, resource_of
from tests.pages.blocks import ROOT, Block, blocks_of

BLOCKS = {block.line: block for block in blocks_of(ROOT / "docs" / "dagster.md")}


def played(block: Block, emu: HevoEmulator) -> dict[str, Any]:
    """Run a block where Hevo is the emulator; return its names."""
    region = f'base_url="{emu.base_url}", rate_limit=None'
    names: dict[str, Any] = {"__name__": "page"}
    exec(
        compile(block.code.replace('region="us"', region), block.place, "exec", dont_inherit=True),
        names,
    )
    return names


@pytest.fixture(autouse=True)
def account(emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emu.environment.items():
        monkeypatch.setenv(name, value)
    emu.pipeline(123).duration = 1
    for each in emu.pipeline(7).objects.values():
        each.name = f"seventh_{each.name}"  # else two assets had the same key


@pytest.mark.parametrize("line", BLOCKS)
def test_the_block_runs(emu: HevoEmulator, instance: dg.DagsterInstance, line: int) -> None:
    names = played(BLOCKS[line], emu)
    defs: Any = names.get("defs")
    if defs is None:
        assets = [each for each in names.values() if isinstance(each, dg.AssetsDefinition)]
        defs = dg.Definitions(assets=assets, resources={"hevo": resource_of(emu)})
    dg.Definitions.validate_loadable(defs)
    for asset in defs.assets or ():
        result = dg.materialize([asset], resources=defs.resources, instance=instance)
        assert materialized(result)
    for schedule in defs.schedules or ():
        run_config = schedule.evaluate_tick(dg.build_schedule_context()).run_requests[0].run_config
        job = schedule.job
        ran = job.execute_in_process(run_config=run_config, resources=defs.resources)
        assert ran.success
