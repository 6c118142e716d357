"""``Job.watch``: every snapshot, to every reader at its own pace."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from hevo_edge import HevoClient, Job
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import now, started


async def test_watch_yields_a_snapshot_a_change_to_every_reader(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=50)

    async def statuses(slowness: float) -> list[tuple[str, int | None]]:
        seen: list[tuple[str, int | None]] = []
        async for snapshot in hevo.job(job.ref).watch(poll_interval=20):
            await asyncio.sleep(slowness)
            seen.append((str(snapshot.status), snapshot.events_loaded))
        return seen

    start = now()
    quick = asyncio.create_task(statuses(0))
    slow = asyncio.create_task(statuses(100))
    expected = [("IN_PROGRESS", n) for n in (0, 400, 800)] + [("COMPLETED", 1000)]
    assert await quick == expected
    assert now() - start == pytest.approx(60, abs=0.1)
    assert await slow == expected
    assert len(emulator.requests.of("get_job")) == 4


async def test_a_reader_that_never_reads_costs_no_more_than_so_much(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hevo_edge._awaiting.snapshots.MAX_BUFFERED", 5)
    _, job = started(emulator, hevo, duration=500)
    async with aclosing(job.watch(poll_interval=10)) as snapshots:
        first = await anext(snapshots)
        await asyncio.sleep(600)
        rest = [snapshot async for snapshot in snapshots]
    assert (first.status, rest[-1].status, len(rest)) == ("IN_PROGRESS", "COMPLETED", 5)


async def test_readers_of_one_job_object_do_not_mislead_each_other(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=60)

    async def read_slowly() -> None:
        async for _ in job.watch(poll_interval=5):
            await asyncio.sleep(7)

    async def wait_slowly(_: Job) -> None:
        await asyncio.sleep(4)

    watching = asyncio.create_task(read_slowly())
    start = now()
    await job.await_completion(poll_interval=5, on_update=wait_slowly)
    assert now() - start <= 75
    assert job.status == "COMPLETED"
    await watching
    assert job.status == "COMPLETED"


async def test_a_new_reader_gets_the_last_snapshot(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion(poll_interval=100))
    await asyncio.sleep(10)
    async with aclosing(hevo.job(job.ref).watch(poll_interval=100)) as snapshots:
        first = await snapshots.__anext__()
    assert first.events_loaded == 0
    assert len(emulator.requests) == 1
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_leaving_a_watch_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    async with aclosing(job.watch()) as snapshots:
        async for _ in snapshots:
            break
    polls = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == polls
