"""HevoJobEventTrigger in Airflow's own TriggerRunner: each Job that ends well gives one event."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

import pytest

from hevo_edge import JobType
from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoJobEventTrigger, event_stream
from hevo_edge.orchestration import clients, job_feed
from tests.integrations.airflow.conftest import connection_json
from tests.integrations.airflow.support import (
    AIRFLOW_3,
    end_last_job,
    start_by_schedule,
)
from tests.integrations.airflow.triggerer import FakeAssetStore, trigger, triggerer

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2 has no watchers")

COUNTS = {"events_ingested", "events_loaded", "events_failed"} | {
    f"objects_{each}" for each in ("success", "queued", "skipped", "failed")
}


@pytest.fixture
def store() -> FakeAssetStore:
    return FakeAssetStore()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_feed, "_CHECK_EVERY", 0.02)


# -- what gives an event --------------------------------------------------------------------------


def test_a_job_of_hevos_schedule_gives_one_event(emu: HevoEmulator, store: FakeAssetStore) -> None:
    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            emu.pipeline(123).plan(appears_after=0, duration=None)
            start_by_schedule(emu)
            await running.until_polled(emu)
            assert running.events == []
            job_id = end_last_job(emu)
            await running.until(lambda: running.events != [])
            await running.until_polled(emu, 5)
            assert running.ids == [job_id]
            (event,) = running.events
            assert event["ref"] == f"123:{job_id}"
            assert (event["pipeline_id"], event["status"]) == (123, "COMPLETED")
            assert (event["type"], event["events_loaded"]) == ("INCREMENTAL", 1000)
            assert event["connection_id"] == "hevo_airflow_conn_id"
            assert event.keys() >= COUNTS | {"duration_ms", "created_ts", "ended_ts"}
            assert emu.api_secret not in json.dumps(event)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "status", "job_type", "told"),
    [
        ({}, "COMPLETED", "INCREMENTAL", True),
        ({}, "FAILED", "INCREMENTAL", False),
        ({}, "CANCELLED", "INCREMENTAL", False),
        ({}, "COMPLETED_WITH_FAILURES", "INCREMENTAL", False),
        (
            {"accept_completed_with_failures": True},
            "COMPLETED_WITH_FAILURES",
            "INCREMENTAL",
            True,
        ),
        ({"accept_completed_with_failures": True}, "FAILED", "INCREMENTAL", False),
        ({"accept_any_end": True}, "FAILED", "INCREMENTAL", True),
        ({"accept_any_end": True}, "SKIPPED", "INCREMENTAL", False),
        ({"job_type": JobType.INCREMENTAL}, "COMPLETED", "INCREMENTAL", True),
        ({"job_type": "historical"}, "COMPLETED", "INCREMENTAL", False),
        ({"job_type": "RESYNC_WITH_EVOLVE"}, "COMPLETED", "RESYNC", True),
    ],
)
def test_which_jobs_give_an_event(
    emu: HevoEmulator,
    store: FakeAssetStore,
    options: dict[str, Any],
    status: str,
    job_type: str,
    told: bool,
) -> None:
    async def main() -> None:
        async with triggerer(store, trigger(**options)) as running:
            await running.until_polled(emu)
            job = emu.pipeline(123).add_history(
                created=emu.now - 1, duration=1, status=status, job_type=job_type
            )
            await running.until_polled(emu, 4)
            assert running.ids == [job.job_id] * told
            assert [event["status"] for event in running.events] == [status] * told

    asyncio.run(main())


@pytest.mark.parametrize("asked", [False, True])
def test_a_first_start_tells_of_what_ended_before_only_if_asked(
    emu: HevoEmulator, store: FakeAssetStore, asked: bool
) -> None:
    old = emu.pipeline(123).add_history(created=emu.now - 60, duration=50)
    since = datetime.fromtimestamp(emu.now - 600, timezone.utc)

    async def main() -> None:
        one = trigger(ended_since=since) if asked else trigger()
        async with triggerer(store, one) as running:
            await running.until_polled(emu)
            assert running.ids == [old.job_id] * asked

    asyncio.run(main())


# -- over a restart -------------------------------------------------------------------------------


def test_a_job_that_ends_while_no_triggerer_runs_gives_its_event_later_and_once(
    emu: HevoEmulator, store: FakeAssetStore
) -> None:
    emu.pipeline(123).plan(appears_after=0, duration=None)

    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            start_by_schedule(emu)
            await running.until_polled(emu)
        job_id = end_last_job(emu)
        missed = emu.pipeline(123).add_history(created=emu.now, duration=0)
        async with triggerer(store, trigger()) as running:
            await running.until(lambda: len(running.events) == 2)
            assert running.ids == [job_id, missed.job_id]
            await running.until_polled(emu)
        for _ in range(2):
            async with triggerer(store, trigger()) as running:
                await running.until_polled(emu)
                assert running.events == []

    asyncio.run(main())


def test_an_event_that_airflow_did_not_store_comes_again_after_a_crash(
    emu: HevoEmulator, store: FakeAssetStore
) -> None:
    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            running.stores_events = False
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: len(running.runner.events) == 1)
            await running.until_polled(emu)
        # That event was lost with the process.
        async with triggerer(store, trigger()) as running:
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]

    asyncio.run(main())


def test_an_event_that_airflow_cannot_store_comes_again_in_the_same_triggerer(
    emu: HevoEmulator, store: FakeAssetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TRIGGERER__SHARED_STREAM_ACK_TIMEOUT", "0.5")

    async def main() -> None:
        async with triggerer(store, trigger(), trigger(job_type="HISTORICAL")) as running:
            await running.until_polled(emu)
            running.stores_events = False
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            # Airflow gives such a trigger up, and starts it anew.
            await running.until(running.tasks[1].done)
            assert "AckTimeout" in repr(running.tasks.pop(1).exception())
            await running.until_polled(emu)
            running.runner.events.clear()
            running.stores_events = True
            running.start(trigger())
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]
            await running.until_polled(emu)
            assert running.ids == [job.job_id]

    asyncio.run(main())


def test_a_triggerer_that_was_frozen_repeats_nothing_of_its_successor(
    emu: HevoEmulator, store: FakeAssetStore
) -> None:
    async def succeed() -> None:
        async with triggerer(store, trigger()) as successor:
            await successor.until_polled(emu)
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await successor.until(lambda: successor.events != [])
            await successor.until_polled(emu)
            assert successor.ids == [job.job_id]

    async def main() -> None:
        async with triggerer(store, trigger()) as frozen:
            await frozen.until_polled(emu)
            with ThreadPoolExecutor(1) as thread:
                # This loop stands still meanwhile.
                thread.submit(asyncio.run, succeed()).result(20)
            await frozen.until_polled(emu)
            assert frozen.events == []
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await frozen.until(lambda: frozen.events != [])
            assert frozen.ids == [job.job_id]

    asyncio.run(main())


def test_a_store_that_fails_loses_nothing(
    emu: HevoEmulator, store: FakeAssetStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            store.fails = True
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
        assert "cannot be written" in caplog.text
        async with triggerer(store, trigger()) as running:
            await asyncio.sleep(0.2)
            assert emu.requests.of("list_jobs") != []
            calls = len(emu.requests)
            await asyncio.sleep(0.3)
            assert len(emu.requests) == calls, "nothing is read before it is known where to begin"
            assert "cannot be read, tried again" in caplog.text
            store.fails = False
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]

    asyncio.run(main())


def test_a_stored_cursor_that_is_none_begins_anew(
    emu: HevoEmulator, store: FakeAssetStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.kept["hevo_jobs:hevo_airflow_conn_id:123:any"] = '{"of": "a later version"}'

    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]

    asyncio.run(main())
    assert "begun anew" in caplog.text


# -- many -----------------------------------------------------------------------------------------


def test_fifty_watchers_of_a_connection_share_a_client_and_a_list_a_pipeline(
    emu: HevoEmulator, store: FakeAssetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    real = clients._Leased

    def leased(*account: Any) -> Any:
        made.append(real(*account))
        return made[-1]

    monkeypatch.setattr(clients, "_Leased", leased)
    for pipeline_id in range(201, 226):
        emu.add_pipeline(pipeline_id)
    triggers = [
        trigger(pipeline_id=200 + n % 25 + 1, poke_interval=5, job_type=job_type)
        for n, job_type in enumerate([None] * 25 + ["INCREMENTAL"] * 25)
    ]

    async def main() -> None:
        async with triggerer(store, *triggers) as running:
            await running.until(lambda: len(store.kept) == 50)
            # Those that began a moment later than their siblings were polled for once more.
            assert len(emu.requests) <= 50
            before = len(emu.requests)
            job = emu.pipeline(207).add_history(created=emu.now, duration=0)
            await running.until(lambda: len(running.events) == 2)
            await asyncio.sleep(0.5)
            assert len(emu.requests) - before <= 25
            assert running.ids == [job.job_id] * 2
            assert len(made) == 1

    asyncio.run(main())


def test_a_watcher_that_is_removed_ends_and_the_others_go_on(
    emu: HevoEmulator, store: FakeAssetStore
) -> None:
    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            number = running.start(trigger(pipeline_id=7))
            await running.until_polled(emu, 5)
            task = running.tasks.pop(number)
            task.cancel("user-action")
            await asyncio.wait([task])
            await asyncio.sleep(0.1)
            emu.requests.clear()
            await running.until_polled(emu, 4)
            assert {call.pipeline_id for call in emu.requests} == {123}
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]

    asyncio.run(main())


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_trouble_ends_no_watcher(emu: HevoEmulator, store: FakeAssetStore, status: int) -> None:
    async def main() -> None:
        async with triggerer(store, trigger(poke_interval=0.1)) as running:
            await running.until_polled(emu)
            fault = emu.faults.status(status, {}, times=None)
            await running.until(lambda: fault.hit >= 2)
            emu.faults.clear()
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]

    asyncio.run(main())


def test_a_connection_that_is_missing_is_looked_for_again(
    emu: HevoEmulator,
    store: FakeAssetStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with triggerer(store, trigger(connection_id="later")) as running:
            await running.until(lambda: "later" in caplog.text)
            await asyncio.sleep(0.3)
            assert emu.requests == []
            monkeypatch.setenv("AIRFLOW_CONN_LATER", connection_json(emu))
            await running.until_polled(emu, 2)

    asyncio.run(main())
    said = [record for record in caplog.records if "is tried again" in record.message]
    assert len(said) == 1


# -- without what Airflow 3.3 has -----------------------------------------------------------------


def test_run_by_itself_tells_too_and_keeps_the_cursor(
    emu: HevoEmulator, store: FakeAssetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STORED_WITHIN", 0.1)
    monkeypatch.setattr(HevoJobEventTrigger, "shared_stream_key", lambda self: None)

    async def main() -> None:
        async with triggerer(store, trigger()) as running:
            await running.until_polled(emu)
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
            await running.until_polled(emu, 4)
            assert running.ids == [job.job_id]
        missed = emu.pipeline(123).add_history(created=emu.now, duration=0)
        async with triggerer(store, trigger()) as running:
            await running.until(lambda: running.events != [])
            assert running.ids == [missed.job_id]

    asyncio.run(main())


def test_without_a_store_what_ends_while_none_runs_is_not_told_and_the_log_says_so(
    emu: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    nothing: Any = None

    async def main() -> None:
        async with triggerer(nothing, trigger()) as running:
            await running.until_polled(emu)
            job = emu.pipeline(123).add_history(created=emu.now, duration=0)
            await running.until(lambda: running.events != [])
            assert running.ids == [job.job_id]
        emu.pipeline(123).add_history(created=emu.now, duration=0)
        async with triggerer(nothing, trigger()) as running:
            await running.until_polled(emu)
            assert running.events == []

    asyncio.run(main())
    assert "Jobs that end while no triggerer runs give none" in caplog.text
