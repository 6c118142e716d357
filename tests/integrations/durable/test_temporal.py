"""The recipe for Temporal, on its dev server."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker

from tests.integrations.durable.recipe import Engine, Recipe
from tests.integrations.durable.servers import WITHIN, temporal, until
from tests.integrations.durable.worker import EXAMPLES


class Temporal(Engine):
    name = "temporal"

    def start(self) -> None:
        self.worker()

        async def start() -> None:
            client = await Client.connect(self.address)
            await client.start_workflow("SyncPipeline", 1, id=self.workflow_id, task_queue="hevo")

        asyncio.run(start())

    def cancel(self) -> None:
        async def cancel() -> None:
            client = await Client.connect(self.address)
            await client.get_workflow_handle(self.workflow_id).cancel()

        asyncio.run(cancel())

    def result(self) -> dict[str, Any] | str:
        async def result() -> dict[str, Any] | str:
            client = await Client.connect(self.address)
            try:
                outcome: dict[str, Any] = await client.get_workflow_handle(
                    self.workflow_id
                ).result()
            except WorkflowFailureError as error:
                cause: BaseException | None = error
                said = []
                while cause is not None:
                    said.append(str(cause))
                    cause = cause.__cause__
                return "; ".join(said)
            return outcome

        return asyncio.run(asyncio.wait_for(result(), WITHIN))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with temporal() as address:
        yield address


class TestTemporal(Recipe):
    kind = Temporal


def test_a_cancel_that_comes_as_a_step_ends(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step has found its Job, and returns it; the workflow cancels that, and does not wait."""
    monkeypatch.syspath_prepend(EXAMPLES / "temporal")
    asyncio.run(cancelled_as_it_ends(address))


async def cancelled_as_it_ends(address: str) -> None:
    calls: list[str] = []

    @activity.defn
    async def prepare(pipeline_id: int) -> str:
        return "prepared"

    @activity.defn
    async def start(pipeline_id: int, prepared: str) -> str:
        calls.append("start")
        with suppress(asyncio.CancelledError):
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.1)
        return "started"

    @activity.defn
    async def cancel(pipeline_id: int, started: str) -> bool:
        calls.append(f"cancel what is {started}")
        return True

    client = await Client.connect(address)
    workflow = importlib.import_module("workflow").SyncPipeline
    steps: list[Callable[..., Any]] = [prepare, start, cancel]
    async with Worker(client, task_queue="a", workflows=[workflow], activities=steps):
        handle = await client.start_workflow("SyncPipeline", 1, id="a", task_queue="a")
        await asyncio.to_thread(until, lambda: calls, "the start")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(handle.result(), WITHIN)
    assert isinstance(caught.value.cause, CancelledError)
    assert calls == ["start", "cancel what is started"]
