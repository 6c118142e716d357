"""The stored cursor of a watcher, through Airflow's own accessors of asset state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge.integrations.airflow.asset_cursors import AssetCursors
from hevo_edge.orchestration import JobCursor
from tests.integrations.airflow.support import AIRFLOW_3

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 keeps no state of assets")

ONE, TWO = JobCursor(("a",)), JobCursor(("b", "a"), ("b",), is_whole=True, newest_ts=1)


class Supervisor:
    """Answers what the triggerer's supervisor is asked, from a dict."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    async def asend(self, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType  # noqa: PLC0415 -- not in 2
        from airflow.sdk.execution_time.comms import (  # noqa: PLC0415
            AssetStateStoreResult,
            ErrorResponse,
            OKResponse,
            SetAssetStateStoreByName,
        )

        place = (message.name, message.key)
        if isinstance(message, SetAssetStateStoreByName):
            self.kept[place] = message.value
            return OKResponse(ok=True)
        if place in self.kept:
            return AssetStateStoreResult(value=self.kept[place])
        return ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    from airflow.sdk.execution_time import task_runner  # noqa: PLC0415 -- not in 2

    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


def accessors(*names: str) -> Any:
    from airflow.sdk import Asset  # noqa: PLC0415 -- not in 2
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors  # noqa: PLC0415

    return AssetStateStoreAccessors(inlets=[Asset(name) for name in names])


@pytest.mark.parametrize("names", [("orders",), ("orders", "items")])
def test_what_was_saved_is_there_after_a_restart(
    supervisor: Supervisor, names: tuple[str, ...]
) -> None:
    async def main() -> None:
        cursors = AssetCursors(accessors(*names), "key")
        assert cursors.are_kept
        assert await cursors.load() is None
        await cursors.save(ONE)
        await cursors.save(TWO)
        assert await AssetCursors(accessors(*names), "key").load() == TWO
        assert await AssetCursors(accessors(*names), "other").load() is None

    asyncio.run(main())
    assert set(supervisor.kept) == {(name, "key") for name in names}


def test_an_asset_that_is_watched_since_later_begins_where_its_sibling_is(
    supervisor: Supervisor,
) -> None:
    supervisor.kept["orders", "key"] = TWO.to_dict()
    assert asyncio.run(AssetCursors(accessors("items", "orders"), "key").load()) == TWO


def test_without_accessors_nothing_is_kept() -> None:
    async def main() -> None:
        cursors = AssetCursors(None, "key")
        await cursors.save(ONE)
        assert await cursors.load() is await cursors.peek() is None
        assert not cursors.are_kept

    asyncio.run(main())
