"""``poll_interval="eager"``: polls out of what is free of the call budget, and nothing beyond."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import HevoClient, Job, RateLimit, errors, schedules
from hevo_edge._awaiting.poll_target import PollTarget, Subscriber
from hevo_edge._awaiting.spare_polls import SparePolls
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import BudgetEvent, Observer
from tests.awaiting.support import fleet, now, refused
from tests.conftest import client_of
from tests.http.support import use

WINDOW = 60.1


def polls_of(emulator: HevoEmulator, *jobs: Job) -> list[float]:
    ends = tuple(f"/jobs/{job.id}" for job in jobs)
    return [call.at for call in emulator.requests if call.path.endswith(ends)]


def most_in_a_window(emulator: HevoEmulator) -> int:
    """Return the most calls of a window, without those that the beginning and the deadline make."""
    times = [call.at for call in emulator.requests]
    times = [at for at in times if times[0] + WINDOW < at < times[-1] - 1]
    return max(sum(at <= other < at + WINDOW for other in times) for at in times)


async def waiting_for(
    hevo: HevoClient, jobs: list[Job], seconds: float, poll_interval: Any = "eager"
) -> None:
    with pytest.raises(errors.JobTimeout):
        await hevo.await_all(jobs, poll_interval=poll_interval, timeout=seconds)


async def test_one_job_is_heard_of_within_a_poll_of_half_the_budget(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ((emulated,), (job,)) = fleet(emulator, hevo, 1, lambda _: 600.5)
    await job.await_completion(poll_interval="eager")
    assert emulated.ended is not None
    assert 0 <= emulator.now - emulated.ended < 2.5
    assert 45 < most_in_a_window(emulator) <= 52
    assert refused(emulator) == 0


async def test_ten_jobs_share_what_one_would_have(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 10, lambda _: 5000)
    await waiting_for(hevo, jobs, 600)
    assert 45 < most_in_a_window(emulator) <= 52
    for job in jobs:
        at = [each for each in polls_of(emulator, job) if each > emulator.requests[0].at + 60]
        assert max(later - earlier for earlier, later in pairwise(at)) < 40


@pytest.mark.parametrize("share", [0.2, 1.0])
async def test_the_share_is_the_users(
    share: float, emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 3, lambda _: 5000)
    await waiting_for(hevo, jobs, 400, schedules.eager(share=share))
    most = most_in_a_window(emulator)
    # What is kept back for triggers and cancels stays free. The polls on schedule come on top.
    assert min(90, 100 * share) * 0.9 < most <= min(90, 100 * share + 12)
    assert refused(emulator) == 0


@pytest.mark.parametrize("limit", [None, RateLimit(10_000, 60.0)])
async def test_no_job_is_polled_twice_in_a_second(
    limit: RateLimit | None, emulator: HevoEmulator
) -> None:
    emulator.rate_limit = None
    async with client_of(emulator, rate_limit=limit) as hevo:
        _, jobs = fleet(emulator, hevo, 5, lambda _: 5000)
        await waiting_for(hevo, jobs, 60)
    for job in jobs:
        at = polls_of(emulator, job)[:-1]  # the last is the one at the deadline
        assert len(at) > 40
        assert min(later - earlier for earlier, later in pairwise(at)) >= 0.999


async def test_jobs_of_one_pipeline_are_polled_by_one_call(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = []
    for _ in range(3):
        emulator.pipeline(123).plan(appears_after=0, duration=5000)
        jobs.append(hevo.job(123, emulator.pipeline(123).start_job(now=emulator.now).job_id))
    await waiting_for(hevo, jobs, 300)
    lists = [call for call in emulator.requests if call.path.endswith("/123/jobs")]
    assert len(lists) > 100
    assert most_in_a_window(emulator) <= 52


# -- it steps back --------------------------------------------------------------------------------


async def test_where_others_need_the_budget_eager_waits_have_what_all_have(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 61, lambda _: 50_000)
    others = asyncio.create_task(hevo.await_all(jobs[1:]))
    await asyncio.sleep(130)  # from here on, others use all that polls may
    began = emulator.now
    await waiting_for(hevo, jobs[:1], 600)
    eager = [at for at in polls_of(emulator, jobs[0]) if at > began + 61]
    plain = [at for at in polls_of(emulator, jobs[1]) if at > began + 61]
    assert len(eager) <= len(plain) + 5
    assert refused(emulator) == 0
    others.cancel()
    await asyncio.wait({others})


async def test_it_has_the_free_calls_again_when_the_others_have_ended(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, jobs = fleet(emulator, hevo, 61, lambda n: 5000 if n == 1 else 300)
    others = asyncio.create_task(hevo.await_all(jobs[1:]))
    await asyncio.sleep(10)
    eager = asyncio.create_task(waiting_for(hevo, jobs[:1], 1000))
    await others
    began = emulator.now + 61
    await eager
    assert len([at for at in polls_of(emulator, jobs[0]) if began < at < began + WINDOW]) > 45


async def test_triggers_and_cancels_find_their_calls_as_if_nothing_ran(
    emulator: HevoEmulator,
) -> None:
    class Waits(Observer):
        def on_budget(self, event: BudgetEvent, /) -> None:
            waits.append(event)

    waits: list[BudgetEvent] = []
    async with client_of(emulator, observer=Waits()) as hevo:
        _, jobs = fleet(emulator, hevo, 10, lambda _: 50_000)
        waiting = asyncio.create_task(hevo.await_all(jobs, poll_interval="eager"))
        await asyncio.sleep(200)
        emulator.pipeline(123).appears_after = 0
        start = now()
        await jobs[3].cancel()
        triggered = await hevo.pipeline(123).trigger()
        assert now() - start < 5
        await asyncio.gather(*(job.cancel() for job in [triggered, *jobs[4:9]]))
        assert waits == []
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_other_processes_that_share_the_budget_count(
    emulator: HevoEmulator, tmp_path: Path
) -> None:
    limit = RateLimit(100, 60.0, shared=str(tmp_path / "window"))
    async with (
        client_of(emulator, rate_limit=limit) as hevo,
        client_of(emulator, rate_limit=limit) as other,
    ):
        _, jobs = fleet(emulator, hevo, 1, lambda _: 5000)

        async def spend() -> None:
            while True:
                await use(other._core.transport._limiter, Priority.TRIGGER)
                await asyncio.sleep(1)

        spending = asyncio.create_task(spend())
        await asyncio.sleep(61)
        await waiting_for(hevo, jobs, 300)
        spending.cancel()
        await asyncio.wait({spending})
    # Sixty are the other's, and forty are left.
    assert 15 < most_in_a_window(emulator) <= 26


async def test_what_cannot_be_read_is_polled_no_more_often(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, (job,) = fleet(emulator, hevo, 1, lambda _: 5000)
    emulator.faults.status(503, on="get_job", times=None)
    emulator.faults.status(503, on="list_jobs", times=None)
    await waiting_for(hevo, [job], 300)
    calls = len(emulator.requests)
    await waiting_for(hevo, [job], 300, "auto")
    assert calls == len(emulator.requests) - calls


# -- which is next, and when ----------------------------------------------------------------------


class Budget:
    """A JobReader that is asked for its budget only."""

    window = 60.0

    def __init__(self) -> None:
        self.others = 0.0

    def spare_calls(self, share: float, own: int) -> float:
        return share * (100 - self.others)


def target(share: float, polled_at: float = 0.0) -> PollTarget:
    made = PollTarget(0.0)
    made.polled_at = polled_at
    made.add(Subscriber(schedules.eager(share=share)))
    return made


@given(
    st.floats(0.01, 1.0),
    st.integers(1, 30),
    st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 100)), max_size=200),
)
def test_never_more_than_the_share_of_what_is_free(
    share: float, targets: int, steps: list[tuple[float, int]]
) -> None:
    budget: Any = Budget()
    spare, now = SparePolls(budget, random.Random(1)), 0.0
    for each in range(targets):
        spare.set(target(share if each == 0 else share / 2), now)
    made: list[float] = []
    for pause, budget.others in steps:
        now += pause
        while (chosen := spare.pop(now)) is not None:
            made.append(now)
            assert chosen.polled_at is not None
            assert now - chosen.polled_at >= 1.0
            window = [at for at in made if at > now - 60.0]
            assert len(window) <= share * (100 - budget.others) + 1
            chosen.polled_at = now
            spare.set(chosen, now)
        upcoming = spare.next_at(now)
        assert upcoming is not None
        assert upcoming > now


def test_what_nobody_wants_to_be_eager_about_has_none() -> None:
    budget: Any = Budget()
    spare = SparePolls(budget, random.Random(1))
    plain, eager = PollTarget(0.0), target(0.5)
    subscriber = Subscriber(schedules.auto())
    plain.add(subscriber)
    spare.set(plain, 0.0)
    assert spare.next_at(0.0) is None
    spare.set(eager, 0.0)
    assert spare.pop(0.5) is None
    assert spare.pop(1.0) is eager
    assert spare.next_at(1.0) is None
    eager.failure = OSError()
    spare.set(eager, 1.0)
    assert spare.next_at(1.0) is None


def test_the_largest_share_that_is_asked_for_counts() -> None:
    made = target(0.2)
    made.add(Subscriber(schedules.eager(share=0.7)))
    made.add(Subscriber(schedules.fixed(1)))
    assert made.spare_share == 0.7


# -- as an option ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, -1, 1.1, float("nan"), True, "half", None])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="share must be above 0, and 1 at most"):
        schedules.eager(share=share)


def test_the_word_stands_for_half() -> None:
    assert schedules.eager() == schedules.Eager(15.0, 0.5)
    assert schedules._basic.as_schedule("eager") == schedules.eager()
    assert isinstance(schedules.eager(), schedules.Auto)
    assert schedules.eager() != schedules.auto()
    with pytest.raises(errors.ConfigurationError, match='"auto", "eager" or a schedule'):
        schedules._basic.as_schedule("keen")
