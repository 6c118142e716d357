"""The wait for the next Job over months, and moments that are still to come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge._awaiting.next_job import JobFilter, NextJobTarget
from hevo_edge._awaiting.poll_target import Subscriber
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData, Page
from hevo_edge.schedules import fixed
from tests.awaiting.test_next_job import at
from tests.conftest import START
from tests.jobs.support import job


class FakeList:
    """A jobs list in pages, in either order; it counts the pages that are read."""

    def __init__(self, *, newest_first: bool = True) -> None:
        self.jobs: list[JobData] = []  # oldest first
        self.pages = 0
        self.newest_first = newest_first

    async def read_page(self, _: int, cursor: str | None = None, **__: Any) -> Page[JobData]:
        self.pages += 1
        rows = self.jobs[::-1] if self.newest_first else self.jobs
        start = int(cursor or 0)
        more = start + 100 < len(rows)
        return Page(
            data=rows[start : start + 100],
            has_more=more,
            next_cursor=str(start + 100) if more else None,
        )


class Heard(Subscriber):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(fixed(15))
        self.found: list[str] = []

    def on_update(self, news: JobData | Exception) -> None:
        assert isinstance(news, JobData)
        self.found.append(news.job_id)


def target_of(listed: FakeList, **wanted: Any) -> tuple[Any, Heard]:
    job_filter = JobFilter(
        **{"job_type": None, "accepts": lambda status: status == "COMPLETED", **wanted}
    )
    target, heard = NextJobTarget(1, job_filter, 0.0), Heard()
    target.add(heard)

    async def poll() -> int:
        before = listed.pages
        await target.poll(listed, final=False, on_slot=lambda: None)  # type: ignore[arg-type]
        return listed.pages - before

    return poll, heard


# -- one page a poll ------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("before", [0, 1, 150, 350])
async def test_a_poll_reads_one_page_for_months(before: int, newest_first: bool) -> None:
    listed = FakeList(newest_first=newest_first)
    listed.jobs = [job(number) for number in range(before)]
    poll, heard = target_of(listed, job_type="RESYNC")
    await poll()
    # A SKIPPED row and a Job of another type each hour, for 90 days.
    for number in range(before, before + 2 * 24 * 90, 2):
        listed.jobs += [job(number, "SKIPPED"), job(number + 1)]
        crosses_pages = not newest_first and len(listed.jobs) % 100 < 3
        assert await poll() <= 1 + crosses_pages
    assert heard.found == []
    listed.jobs.append(job(10**6).model_copy(update={"type": "RESYNC"}))
    await poll()
    assert heard.found == ["1000000"]


async def test_a_burst_of_rows_between_two_polls_is_read_to_its_end() -> None:
    listed = FakeList()
    listed.jobs = [job(number) for number in range(50)]
    poll, heard = target_of(listed, job_type="RESYNC")
    await poll()
    resync = job(50).model_copy(update={"type": "RESYNC"})
    listed.jobs += [resync, *(job(number) for number in range(51, 400))]
    assert await poll() == 4
    assert heard.found == ["50"]


async def test_a_row_that_is_complete_only_later_is_found() -> None:
    listed = FakeList()
    listed.jobs = [job(1)]
    poll, heard = target_of(listed, job_type="INCREMENTAL")
    await poll()
    listed.jobs.append(job(2).model_copy(update={"type": "UNKNOWN"}))
    await poll()
    assert heard.found == []
    listed.jobs[-1] = job(2)
    await poll()
    assert heard.found == ["2"]


async def test_an_old_row_that_moves_up_is_not_new() -> None:
    listed = FakeList()
    listed.jobs = [job(number) for number in range(300)]
    poll, heard = target_of(listed)
    await poll()
    del listed.jobs[250]  # a row less, so that one of the second page is on the first now
    await poll()
    await poll()
    assert heard.found == []


@pytest.mark.parametrize("whole", [True, False])
async def test_a_new_row_of_a_clock_that_is_behind_is_found(whole: bool) -> None:
    listed = FakeList()
    listed.jobs = [job(number) for number in range(100, 110 if whole else 400)]
    poll, heard = target_of(listed)
    await poll()
    listed.jobs.insert(-5, job(1000, "IN_PROGRESS", created=listed.jobs[-5].created_ts))
    await poll()
    assert heard.found == ["1000"]


async def test_its_memory_is_bounded() -> None:
    listed = FakeList()
    listed.jobs = [job(number, "SKIPPED") for number in range(5000)]
    job_filter = JobFilter("RESYNC", lambda _: True)
    target = NextJobTarget(1, job_filter, 0.0)
    await target.poll(listed, final=False, on_slot=lambda: None)  # type: ignore[arg-type]
    listed.jobs += [job(number, "SKIPPED") for number in range(5000, 9000)]
    await target.poll(listed, final=False, on_slot=lambda: None)  # type: ignore[arg-type]
    assert target._baseline is not None
    assert len(target._baseline) <= 200
    assert len(target._last) <= 200


async def test_many_scheduled_runs(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7, every_minutes=5)
    waiting = asyncio.create_task(
        hevo.pipeline(7).await_completion(job_type="RESYNC", poll_interval=300)
    )
    await asyncio.sleep(250 * 300)
    assert 240 < len(emulator.requests) <= 251
    waiting.cancel()
    await asyncio.wait({waiting})


# -- moments to come ------------------------------------------------------------------------------


@pytest.mark.parametrize("poll_interval", [5, 60])
async def test_started_since_leaves_out_what_starts_before(
    poll_interval: float, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    waiting = asyncio.create_task(
        hevo.pipeline(123).await_completion(started_since=at(3600), poll_interval=poll_interval)
    )
    await asyncio.sleep(600)
    pipeline.start_job(now=emulator.now)
    await asyncio.sleep(3100)
    assert not waiting.done()
    later = pipeline.start_job(now=emulator.now)
    assert (await waiting).id == later.job_id


@pytest.mark.parametrize("outcome", ["COMPLETED", "FAILED"])
@pytest.mark.parametrize("starts", [-10, 600])
async def test_ended_since_leaves_out_what_ends_before(
    starts: float, outcome: str, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(duration=100, outcome=outcome, appears_after=0)
    if starts < 0:
        pipeline.start_job(now=emulator.now)
    waiting = asyncio.create_task(hevo.pipeline(123).await_completion(ended_since=at(3600)))
    if starts > 0:
        await asyncio.sleep(starts)
        pipeline.start_job(now=emulator.now)
    await asyncio.sleep(3550 - emulator.now + START)
    assert not waiting.done()
    pipeline.plan(duration=100, appears_after=0)
    over_it = pipeline.start_job(now=emulator.now)
    assert (await waiting).id == over_it.job_id


async def test_a_deadline_holds_over_ends_that_do_not_count(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=50, appears_after=0)
    emulator.pipeline(123).start_job(now=emulator.now)
    with pytest.raises(errors.JobTimeout, match="started within 600 s") as caught:
        await hevo.pipeline(123).await_completion(ended_since=at(3600), timeout=600)
    assert caught.value.job is None
    assert emulator.now - START == pytest.approx(600, abs=6)
    assert len(emulator.requests) < 60


async def test_an_end_that_was_awaited_counts_though_the_clock_is_a_little_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=20, appears_after=0)
    running = emulator.pipeline(123).start_job(now=emulator.now)
    job = await hevo.pipeline(123).await_completion(ended_since=at(30), timeout=300)
    assert job.id == running.job_id
