"""``hevo.budget()``: what is used and free, and who uses it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hevo_edge import Budget, BudgetHolder, HevoClient, Priority, RateLimit
from hevo_edge._common.processes import owner_name
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.http.redis_servers import RedisServer
from tests.http.support import use


async def spend(hevo: HevoClient, priority: Priority, calls: int) -> None:
    for _ in range(calls):
        await use(hevo._core.limiter, priority)


async def test_a_new_client_has_it_all(hevo: HevoClient, emulator: HevoEmulator) -> None:
    budget = await hevo.budget()
    assert (budget.calls, budget.period, budget.used) == (100, 60.0, 0)
    assert budget.free == {"cancel": 100, "trigger": 98, "discovery": 95, "poll": 90, "list": 90}
    assert (budget.next_free, budget.paused_until, budget.share) == (None, None, 1.0)
    assert (budget.holders, budget.waiting) == ((), {})
    assert (budget.shared_through, budget.is_alone) == (None, False)
    assert not emulator.requests, "it costs no call"


async def test_what_was_sent_counts_by_priority(hevo: HevoClient) -> None:
    await hevo.get_pipeline(123)
    await hevo.pipeline(123).enable()
    await asyncio.sleep(20)
    budget = await hevo.budget()
    assert budget.used == 2
    assert budget.free["cancel"] == 98
    assert budget.holders == (BudgetHolder(owner=owner_name(), used={"trigger": 1, "list": 1}),)
    assert budget.next_free is not None
    assert 39 < budget.next_free < 41
    await asyncio.sleep(budget.next_free + 1)
    assert (await hevo.budget()).used == 0


async def test_a_429_shows(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(429, headers={"Retry-After": "30"}, times=1)
    waiting = asyncio.create_task(hevo.get_pipeline(123))
    await asyncio.sleep(1)
    budget = await hevo.budget()
    assert set(budget.free.values()) == {0}
    assert budget.paused_until is not None
    left = budget.paused_until - hevo._core.clock.wall()
    assert 25 < left <= 31
    assert "paused after a 429 until " in str(budget)
    await waiting
    budget = await hevo.budget()
    assert budget.paused_until is None
    assert 0.5 <= budget.share < 0.55
    assert budget.free["poll"] < budget.free["trigger"] / 2 + 2
    assert "polls and reads may use 50% of the limit" in str(budget)


async def test_who_waits_is_counted(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(4, 60.0)) as hevo:
        await spend(hevo, Priority.CANCEL, 4)
        waiting = [
            asyncio.create_task(hevo.get_pipeline(123)),
            asyncio.create_task(hevo.get_pipeline(123)),
            asyncio.create_task(hevo.pipeline(123).enable()),
        ]
        await asyncio.sleep(1)
        assert (await hevo.budget()).waiting == {"trigger": 1, "list": 2}
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert (await hevo.budget()).waiting == {}


async def test_without_a_limit_there_is_nothing_to_count(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=None) as hevo:
        await hevo.get_pipeline(123)
        budget = await hevo.budget()
    assert (budget.calls, budget.used, budget.free, budget.holders) == (None, 0, {}, ())
    assert str(budget) == "no limit"


async def test_through_a_file_all_processes_count(emulator: HevoEmulator, tmp_path: Path) -> None:
    limit = RateLimit(100, 60.0, shared=str(tmp_path / "window"))
    async with (
        client_of(emulator, rate_limit=limit) as hevo,
        client_of(emulator, rate_limit=limit) as other,
    ):
        await spend(other, Priority.TRIGGER, 3)
        await spend(hevo, Priority.POLL, 2)
        budget = await hevo.budget()
    assert budget.used == 5
    # Their file does not tell what the calls of others are for.
    assert [each.used for each in budget.holders] == [{"poll": 2, "unknown": 3}]
    assert budget.shared_through == str(tmp_path / "window")
    assert str(budget).endswith(f"shared through {tmp_path / 'window'}")


@pytest.mark.real_time
async def test_through_a_redis_all_machines_count(redis_server: RedisServer) -> None:
    limit = RateLimit(100, 60.0, shared=f"{redis_server.url}/0", shared_name=redis_server.name())
    one, other = (HevoClient("key", "secret", region="us", rate_limit=limit) for _ in range(2))
    async with one, other:
        await spend(one, Priority.CANCEL, 1)
        await spend(one, Priority.LIST, 2)
        await spend(other, Priority.LIST, 4)
        budget = await other.budget()
    assert budget.used == 7
    # Both are of one process.
    expected = BudgetHolder(owner=owner_name(), used={"cancel": 1, "list": 6})
    assert budget.holders == (expected,)
    assert (budget.shared_through, budget.is_alone) == (f"{redis_server.url}/0", False)


@pytest.mark.real_time
async def test_it_says_so_where_the_others_cannot_be_reached() -> None:
    limit = RateLimit(100, 60.0, shared="redis://:secret@127.0.0.1:1")
    async with HevoClient("key", "secret", region="us", rate_limit=limit) as hevo:
        budget = await hevo.budget()
    assert budget.is_alone
    assert "NOT shared now through redis://127.0.0.1:1" in str(budget)
    assert "secret" not in repr(budget)


@pytest.mark.real_time
async def test_while_alone_its_own_calls_count_and_its_own_part_is_free() -> None:
    limit = RateLimit(100, 60.0, shared="redis://127.0.0.1:1", fallback_share=0.5)
    async with HevoClient("key", "secret", region="us", rate_limit=limit) as hevo:
        await spend(hevo, Priority.LIST, 10)
        budget = await hevo.budget()
        assert (budget.used, sum(each.used["list"] for each in budget.holders)) == (10, 10)
        assert (budget.free["cancel"], budget.free["list"]) == (50 - 10, 45 - 10)
        await spend(hevo, Priority.LIST, 35)
        assert (await hevo.budget()).free["list"] == 0


def test_a_notebook_shows_it_as_a_table() -> None:
    shown = a_budget()._repr_mimebundle_()
    assert "<b>x" not in shown["text/html"]
    assert "one/&lt;b&gt;x" in shown["text/html"]
    assert "7 of 100 calls in 60 s are used" in shown["text/html"]
    assert asdict(a_budget())["holders"][0]["used"] == {"cancel": 1, "list": 6}


def a_budget() -> Budget:
    known: dict[str, Any] = {
        "calls": 100,
        "period": 60.0,
        "used": 7,
        "free": {"cancel": 93},
        "next_free": 3.0,
        "paused_until": None,
        "share": 1.0,
        "waiting": {},
        "holders": (BudgetHolder(owner="one/<b>x", used={"cancel": 1, "list": 6}),),
        "shared_through": None,
        "is_alone": False,
    }
    return Budget(**known)
