"""The triggers of one connection share one client, its call budget and its polls."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from airflow.providers.common.compat.connection import get_async_connection

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import HevoError
from hevo_edge.integrations.airflow import HevoTrigger, connections
from hevo_edge.orchestration import clients
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import first_event, last_job, start_by_schedule


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> dict[HevoClient, None]:
    """The clients with which triggers wait, in the order of their first use."""
    used: dict[HevoClient, None] = {}
    real = HevoTrigger._waiting

    def waiting(self: HevoTrigger, hevo: HevoClient) -> Any:
        used[hevo] = None
        return real(self, hevo)

    monkeypatch.setattr(HevoTrigger, "_waiting", waiting)
    return used


async def all_events(triggers: list[HevoTrigger]) -> list[dict[str, Any]]:
    return await asyncio.wait_for(asyncio.gather(*map(first_event, triggers)), 30)


def test_triggers_of_one_connection_share_one_client(
    emu: HevoEmulator, used: dict[HevoClient, None]
) -> None:
    jobs = [start_by_schedule(emu, pipeline.id) for pipeline in many_pipelines(emu, 20)]
    triggers = [
        HevoTrigger(200 + n, job_id=job.job_id, poke_interval=0.1) for n, job in enumerate(jobs)
    ]
    events = asyncio.run(all_events(triggers))
    assert [event["status"] for event in events] == ["success"] * 20
    assert len(used) == 1


def many_pipelines(emu: HevoEmulator, count: int) -> list[Any]:
    return [emu.add_pipeline(200 + n, duration=20, appears_after=0) for n in range(count)]


def test_triggers_of_one_job_share_its_polls(emu: HevoEmulator) -> None:
    emu.pipeline(123).plan(duration=100, appears_after=0)
    job_id = start_by_schedule(emu).job_id
    triggers = [HevoTrigger(123, job_id=job_id, poke_interval=0.2) for _ in range(50)]
    events = asyncio.run(all_events(triggers))
    assert {event["job_id"] for event in events} == {job_id}
    # One each 0.2 s for a second, not fifty.
    assert len(emu.requests) <= 10


def test_another_connection_gets_a_client_of_its_own(
    emu: HevoEmulator, used: dict[HevoClient, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection_json(emu))
    job_id = last_job(emu).job_id
    triggers = [HevoTrigger(123, name, job_id) for name in ("hevo_airflow_conn_id", "other")]
    asyncio.run(all_events(triggers))
    assert len(used) == 2


def test_the_client_outlives_a_trigger(emu: HevoEmulator, used: dict[HevoClient, None]) -> None:
    one = HevoTrigger(123, job_id=last_job(emu).job_id)

    async def one_after_another() -> None:
        await first_event(one)
        await asyncio.sleep(0.05)
        await first_event(one)

    asyncio.run(one_after_another())
    assert len(used) == 1


def test_another_event_loop_gets_a_client_of_its_own(
    emu: HevoEmulator, used: dict[HevoClient, None]
) -> None:
    one = HevoTrigger(123, job_id=last_job(emu).job_id)
    asyncio.run(first_event(one))
    asyncio.run(first_event(one))
    assert len(used) == 2


def test_a_changed_connection_is_for_new_triggers_and_old_ones_go_on(
    emu: HevoEmulator, used: dict[HevoClient, None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_again_each_time(monkeypatch)
    emu.pipeline(123).plan(duration=None, appears_after=0)
    job = start_by_schedule(emu)
    old_job_id = emu.pipeline(123).jobs[0].job_id
    changed = connection_json(emu, extra={"rate_limit": None, "timeout": 7})

    async def change() -> None:
        waiting = asyncio.ensure_future(
            first_event(HevoTrigger(123, job_id=job.job_id, poke_interval=0.05))
        )
        await asyncio.sleep(0.2)
        monkeypatch.setenv(CONNECTION, changed)
        await first_event(HevoTrigger(123, job_id=old_job_id))
        assert len(used) == 2
        seen = len(emu.requests)
        await asyncio.sleep(0.2)
        assert len(emu.requests) > seen, "the old one goes on polling"
        job.end(emu.now, "COMPLETED")
        assert (await asyncio.wait_for(waiting, 10))["status"] == "success"
        await asyncio.sleep(0.05)
        await first_event(HevoTrigger(123, job_id=old_job_id))
        assert len(used) == 2
        with pytest.raises(HevoError, match="closed"):
            await next(iter(used)).get_pipeline(123)

    asyncio.run(change())


def read_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lease: Any = connections.CLIENTS.lease

    def lease_of_fresh(*args: Any, **options: Any) -> Any:
        return lease(*args, **{**options, "max_age": 0.0})

    monkeypatch.setattr(connections.CLIENTS, "lease", lease_of_fresh)


def test_a_connection_that_was_broken_serves_the_client_that_is_there(
    emu: HevoEmulator,
    used: dict[HevoClient, None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    read_again_each_time(monkeypatch)
    one = HevoTrigger(123, job_id=last_job(emu).job_id)

    async def before_and_after() -> list[dict[str, Any]]:
        first = await first_event(one)
        monkeypatch.setenv(CONNECTION, connection_json(emu, password=""))
        await asyncio.sleep(0.01)
        second = await first_event(one)
        monkeypatch.delenv(CONNECTION)
        await asyncio.sleep(0.6)
        return [first, second, await first_event(one)]

    events = asyncio.run(before_and_after())
    assert [event["status"] for event in events] == ["success", "success", "error"]
    assert "password (the API secret) missing" in caplog.text
    assert "hevo_airflow_conn_id" in events[2]["message"]
    assert len(used) == 1


def test_a_thousand_triggers_read_the_connection_once(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reads = get_async_connection, 0

    async def counted(connection_id: str) -> Any:
        nonlocal reads
        reads += 1
        return await real(connection_id)

    monkeypatch.setattr(connections, "get_async_connection", counted)
    one = HevoTrigger(123, job_id=last_job(emu).job_id)
    asyncio.run(all_events([one] * 1000))
    assert reads == 1


def test_a_connection_that_cannot_be_read_at_first_is_read_again(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, reads = get_async_connection, 0

    async def at_second_try(connection_id: str) -> Any:
        nonlocal reads
        reads += 1
        if reads == 1:
            raise OSError("Airflow has a bad moment")
        return await real(connection_id)

    monkeypatch.setattr(connections, "get_async_connection", at_second_try)
    event = asyncio.run(first_event(HevoTrigger(123, job_id=last_job(emu).job_id)))
    assert event["status"] == "success"
    assert reads == 2


def test_a_connection_that_can_never_be_read_fails_by_its_name(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(connection_id: str) -> Any:
        raise OSError("Airflow is gone")

    monkeypatch.setattr(connections, "get_async_connection", never)
    monkeypatch.setattr(clients, "PATIENCE", 0.1)
    event = asyncio.run(first_event(HevoTrigger(123, job_id="abc")))
    assert event["status"] == "error"
    assert re.match("connection 'hevo_airflow_conn_id' cannot be read: .*is gone", event["message"])


def test_a_missing_connection_fails_at_once(emu: HevoEmulator) -> None:
    event = asyncio.run(asyncio.wait_for(first_event(HevoTrigger(123, "nowhere", "abc")), 5))
    assert event["status"] == "error"
    assert "nowhere" in event["message"]
    assert emu.requests == []


def test_a_connection_without_a_secret_fails_by_its_name(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION, connection_json(emu, password=""))
    event = asyncio.run(first_event(HevoTrigger(123, job_id="abc")))
    assert event["status"] == "error"
    assert "password (the API secret) missing" in event["message"]
