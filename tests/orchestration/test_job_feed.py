"""JobFeed: many Pipelines of one account polled for whoever subscribes; nothing ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import FeedPool, FeedUpdate, JobFeed, JobSubscriber, job_feed
from tests.conftest import client_of
from tests.orchestration.support import end_last_job, running_job


def feed_of(hevo: HevoClient) -> JobFeed:
    @asynccontextmanager
    async def lease() -> AsyncIterator[HevoClient]:
        yield hevo

    return JobFeed(lease, "account")


class Told:
    """What a feed has yielded, and what its subscribers have taken of it."""

    def __init__(self) -> None:
        self.updates: list[FeedUpdate] = []
        self._ids: dict[JobSubscriber, list[str]] = {}

    def take(self, update: FeedUpdate) -> None:
        self.updates.append(update)
        for subscriber in update.steps:
            found = subscriber.take(update)
            new = [job.id for job in found.jobs] if found else []
            self._ids.setdefault(subscriber, []).extend(new)

    def __len__(self) -> int:
        return len(self.updates)

    def of(self, subscriber: JobSubscriber) -> list[str]:
        return self._ids.get(subscriber, [])


@asynccontextmanager
async def fed(feed: JobFeed) -> AsyncIterator[Told]:
    """Take what a feed yields."""
    seen = Told()

    async def collect() -> None:
        async for update in feed.updates():
            seen.take(update)

    task = asyncio.create_task(collect())
    try:
        yield seen
        assert not task.done(), "nothing ends a feed"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_subscriber_is_told_of_each_job_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed, one = feed_of(hevo), JobSubscriber(123, 60)
    feed.subscribe(one)
    async with fed(feed) as seen:
        await asyncio.sleep(5)
        assert seen.of(one) == []
        assert one.cursor is not None, "the first poll says what is known"
        running_job(emulator)
        await asyncio.sleep(600)
        job_id = end_last_job(emulator)
        await asyncio.sleep(600)
    assert seen.of(one) == [job_id]


async def test_quiet_polls_yield_nothing(emulator: HevoEmulator, hevo: HevoClient) -> None:
    feed = feed_of(hevo)
    feed.subscribe(JobSubscriber(123, 60))
    async with fed(feed) as seen:
        await asyncio.sleep(605)
    assert len(seen) == 1
    assert len(emulator.requests) == 11


async def test_subscribers_of_one_pipeline_share_its_polls(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed, many = feed_of(hevo), [JobSubscriber(123, 60) for _ in range(50)]
    for each in many:
        feed.subscribe(each)
    async with fed(feed) as seen:
        await asyncio.sleep(5)
        running_job(emulator)
        job_id = end_last_job(emulator)
        await asyncio.sleep(120)
    assert [seen.of(each) for each in many] == [[job_id]] * 50
    assert len(emulator.requests) == 3


async def test_fifty_pipelines_take_a_list_each_an_interval(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed = feed_of(hevo)
    for pipeline_id in range(201, 251):
        emulator.add_pipeline(pipeline_id)
        feed.subscribe(JobSubscriber(pipeline_id, 120))
    async with fed(feed) as seen:
        await asyncio.sleep(610)
    assert len(seen) == 50
    assert len(emulator.requests) == len(emulator.requests.of("list_jobs")) == 50 * 6
    assert all(call.status == 200 for call in emulator.requests)


async def test_a_subscriber_that_comes_later_is_polled_for_at_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed, early, late = feed_of(hevo), JobSubscriber(123, 3600), JobSubscriber(123, 3600)
    feed.subscribe(early)
    async with fed(feed) as seen:
        await asyncio.sleep(60)
        running_job(emulator)
        job_id = end_last_job(emulator)
        feed.subscribe(late)
        await asyncio.sleep(5)
        assert (seen.of(early), seen.of(late)) == ([job_id], [])
        assert late.cursor is not None


async def test_each_goes_on_from_its_own_cursor(emulator: HevoEmulator, hevo: HevoClient) -> None:
    feed, early = feed_of(hevo), JobSubscriber(123, 60)
    feed.subscribe(early)
    async with fed(feed) as seen:
        await asyncio.sleep(5)
        cursor = early.cursor
        ids = []
        for _ in range(3):
            running_job(emulator)
            ids.append(end_last_job(emulator))
            await asyncio.sleep(120)
        back = JobSubscriber(123, 60, cursor)
        feed.subscribe(back)
        await asyncio.sleep(5)
    assert seen.of(early) == seen.of(back) == ids


async def test_who_has_left_is_polled_for_no_more(emulator: HevoEmulator, hevo: HevoClient) -> None:
    feed, one = feed_of(hevo), JobSubscriber(123, 60)
    feed.subscribe(one)
    async with fed(feed):
        await asyncio.sleep(5)
        feed.unsubscribe(one)
        calls = len(emulator.requests)
        await asyncio.sleep(600)
        assert len(emulator.requests) == calls


@pytest.mark.parametrize("how", ["drop", "429", "500", "503", "html"])
async def test_trouble_ends_nothing_and_loses_nothing(
    emulator: HevoEmulator, hevo: HevoClient, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hevo_edge.orchestration")
    feed, one = feed_of(hevo), JobSubscriber(123, 60)
    feed.subscribe(one)
    async with fed(feed) as seen:
        await asyncio.sleep(5)
        faults = emulator.faults
        if how.isdigit():
            fault = faults.status(int(how), {}, times=None)
        else:
            fault = {"drop": faults.drop, "html": faults.html}[how](times=None)
        running_job(emulator)
        job_id = end_last_job(emulator)
        await asyncio.sleep(1800)
        assert seen.of(one) == []
        emulator.faults.clear()
        await asyncio.sleep(600)
    assert seen.of(one) == [job_id]
    assert fault.hit > 3
    said = [record.message for record in caplog.records if "Pipeline 123" in record.message]
    assert len(said) == 2, "one line when it begins, one when it is over"
    assert "cannot be read, which is tried again" in said[0]
    assert "can be read again" in said[1]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_no_time_mends_is_tried_again_ever_later(
    emulator: HevoEmulator, hevo: HevoClient, status: int
) -> None:
    feed, one = feed_of(hevo), JobSubscriber(123, 10)
    feed.subscribe(one)
    async with fed(feed) as seen:
        await asyncio.sleep(5)
        calls = len(emulator.requests)
        emulator.faults.status(status, {}, times=None)
        await asyncio.sleep(3600)
        # After 10, 20, 40, 80, 160 s, and every five minutes; one call each.
        assert 10 <= len(emulator.requests) - calls <= 18
        emulator.faults.clear()
        running_job(emulator)
        job_id = end_last_job(emulator)
        await asyncio.sleep(301)
    assert seen.of(one) == [job_id]


async def test_a_pipeline_that_does_not_answer_does_not_hold_up_the_others(
    emulator: HevoEmulator,
) -> None:
    emulator.add_pipeline(7)
    async with client_of(emulator, timeout=30) as hevo, client_of(emulator) as other:

        @asynccontextmanager
        async def lease() -> AsyncIterator[HevoClient]:
            yield hevo

        feed = JobFeed(lease, "account")
        slow = [JobSubscriber(900 + n, 60) for n in range(job_feed.MAX_POLLS - 1)]
        one = JobSubscriber(123, 60)
        gate = asyncio.Event()
        real: Any = vars(job_feed)["ended_jobs_for"]

        async def held(pipeline: Any, starts: Any) -> Any:
            if pipeline.id >= 900:
                await gate.wait()
            return await real(other.pipeline(pipeline.id), starts)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(job_feed, "ended_jobs_for", held)
            for each in [*slow, one]:
                feed.subscribe(each)
            async with fed(feed) as seen:
                await asyncio.sleep(5)
                running_job(emulator)
                job_id = end_last_job(emulator)
                await asyncio.sleep(120)
                assert seen.of(one) == [job_id]


async def test_an_account_that_cannot_be_read_ends_nothing(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    is_gone = True

    @asynccontextmanager
    async def lease() -> AsyncIterator[HevoClient]:
        if is_gone:
            raise ConfigurationError("the password is missing")
        yield hevo

    feed, one = JobFeed(lease, "connection 'hevo'"), JobSubscriber(123, 60)
    feed.subscribe(one)
    async with fed(feed) as seen:
        await asyncio.sleep(3600)
        assert "connection 'hevo': the Jobs of Pipeline 123 cannot be read" in caplog.text
        assert "the password is missing" in caplog.text
        is_gone = False
        await asyncio.sleep(301)
        assert len(seen) == 1


async def test_a_feed_that_is_cancelled_leaves_no_poll(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.delay(20, on="list_jobs", times=None)
    feed = feed_of(hevo)
    feed.subscribe(JobSubscriber(123, 60))
    before = asyncio.all_tasks()
    async with fed(feed):
        await asyncio.sleep(5)
        assert polls(before) == 1
    assert polls(before) == 0


def polls(before: set[asyncio.Task[Any]]) -> int:
    return sum("JobFeed._poll" in repr(task) for task in asyncio.all_tasks() - before)


async def test_an_update_that_nobody_takes_is_found_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed, one = feed_of(hevo), JobSubscriber(123, 60)
    feed.subscribe(one)
    async with fed(feed):
        await asyncio.sleep(5)
    running_job(emulator)
    job_id = end_last_job(emulator)
    updates = feed.updates()
    lost = await anext_of(updates)
    repeated = await anext_of(updates)
    found = one.take(repeated)
    assert found is not None
    assert [job.id for job in found.jobs] == [job_id]
    assert one.take(lost) is one.take(repeated) is None
    await updates.aclose()


async def anext_of(updates: AsyncGenerator[FeedUpdate, None]) -> FeedUpdate:
    return await updates.__anext__()


async def test_what_is_of_another_subscriber_is_not_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    feed, one, other = feed_of(hevo), JobSubscriber(123, 60), JobSubscriber(123, 60)
    feed.subscribe(one)
    updates = feed.updates()
    assert other.take(await anext_of(updates)) is None
    await updates.aclose()


async def test_a_pool_has_one_feed_an_account_and_loop(hevo: HevoClient) -> None:
    pool = FeedPool(lambda _: feed_of(hevo))
    assert pool.get("a") is pool.get("a")
    assert pool.get("a") is not pool.get("b")

    async def get() -> JobFeed:
        return pool.get("a")

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, get()).result(10) is not pool.get("a")
