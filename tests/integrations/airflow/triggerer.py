"""Airflow's TriggerRunner for the tests of event triggers, and the state of an asset."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoJobEventTrigger
from tests.integrations.airflow.support import reborn


def trigger(**options: Any) -> HevoJobEventTrigger:
    """Return a trigger that polls often."""
    return HevoJobEventTrigger(**{"pipeline_id": 123, "poke_interval": 0.05, **options})


class FakeAssetStore:
    """The state of one asset, which outlives a triggerer."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.fails = False

    async def aget(self, key: str, default: Any = None) -> Any:
        if self.fails:
            raise RuntimeError("API server gone")
        return json.loads(self.kept[key]) if key in self.kept else default

    async def aset(self, key: str, value: Any) -> None:
        if self.fails:
            raise RuntimeError("API server gone")
        self.kept[key] = json.dumps(value)


class Triggerer:
    """Airflow's TriggerRunner, without the process around it: this is its database."""

    def __init__(self, store: FakeAssetStore) -> None:
        from airflow.jobs.triggerer_job_runner import TriggerRunner  # noqa: PLC0415 -- not in 2

        self.runner = TriggerRunner()  # type: ignore[no-untyped-call]
        self.store = store
        self.stores_events = True
        self.events: list[dict[str, Any]] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def start(self, one: Any) -> int:
        """Start a trigger as the triggerer does: from the JSON of its row."""
        number = max(self.runner.triggers, default=0) + 1
        made: Any = reborn(one)
        made.asset_state_store = self.store
        details: Any = {"name": f"ID {number}", "events": 0, "is_watcher": True}
        self.runner.triggers[number] = details
        self.tasks[number] = asyncio.create_task(self.runner.run_trigger(number, made))
        return number

    def sync(self) -> None:
        """Store the events that have come, and say so."""
        if self.stores_events:
            stored = [self.runner.events.popleft() for _ in range(len(self.runner.events))]
            self.events += [json.loads(json.dumps(entry.event.payload)) for entry in stored]
            numbers = [entry.persist_seq for entry in stored if entry.persist_seq is not None]
            self.runner._shared_streams.confirm_persisted(numbers)

    async def until(self, is_so: Callable[[], bool], seconds: float = 10.0) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not is_so():
            assert asyncio.get_running_loop().time() < deadline
            self.sync()
            await asyncio.sleep(0.02)

    async def until_polled(self, emu: HevoEmulator, times: int = 3) -> None:
        """Wait for polls that begin after this moment."""
        before = len(emu.requests.of("list_jobs"))
        await self.until(lambda: len(emu.requests.of("list_jobs")) >= before + times)
        self.sync()

    @property
    def ids(self) -> list[str]:
        return [event["job_id"] for event in self.events]


@asynccontextmanager
async def triggerer(store: FakeAssetStore, *triggers: Any) -> AsyncIterator[Triggerer]:
    """Run triggers; at the end they are cancelled, as on a shutdown."""
    running = Triggerer(store)
    for one in triggers:
        running.start(one)
    try:
        yield running
        assert not any(task.done() for task in running.tasks.values()), "nothing ends a watcher"
    finally:
        for task in running.tasks.values():
            task.cancel()
        await asyncio.wait(running.tasks.values())
        await running.runner._shared_streams.stop_all()
