"""Deadlines: each wait has its own, and a final poll before it ends."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient, Job, RateLimit, api, errors
from hevo_edge._http.ratelimit import Priority
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet, now, refused, started
from tests.conftest import client_of


async def test_the_final_poll_comes_at_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=39)
    start = now()
    # Polls at 0 and 30 find it running; the one at the deadline finds it done.
    await job.await_completion(poll_interval=30, timeout=40)
    assert now() - start == pytest.approx(40, abs=0.01)


async def test_a_deadline_that_passes(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    start = now()
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=40)
    assert now() - start == pytest.approx(40, abs=0.01)
    error = caught.value
    assert error.job is job
    assert job.status == "IN_PROGRESS"
    assert "still IN_PROGRESS after waiting 40 s" in str(error)
    assert "goes on in Hevo" in str(error)
    assert not emulator.requests.of("cancel_job")

    assert await job.await_completion(timeout=1, on_timeout="return") is job
    assert not job.is_terminal


async def test_a_deadline_that_passes_can_cancel_the_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    with pytest.raises(errors.JobTimeout, match="was asked to cancel it"):
        await job.await_completion(timeout=40, on_timeout="cancel")
    assert len(emulator.requests.of("cancel_job")) == 1
    with pytest.raises(errors.JobCancelled):
        await job.await_completion()

    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.status(403, on="cancel_job")
    with pytest.raises(errors.JobTimeout, match="Cancelling it failed: .*403") as caught:
        await job.await_completion(timeout=40, on_timeout="cancel")
    assert isinstance(caught.value.__cause__, errors.PermissionDenied)


async def test_a_deadline_in_an_outage_keeps_to_time_and_says_why(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(10_000, on="get_job", times=None)
    start = now()
    with pytest.raises(
        errors.JobTimeout,
        match=r"could not be read after waiting 40 s, so whether it runs is not known: ",
    ):
        await job.await_completion(timeout=40)
    assert now() - start < 40 + 6 + 0.1

    emulator.faults.clear()
    emulator.faults.status(500, on="get_job", times=None)
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=40)
    assert isinstance(caught.value.__cause__, errors.ServerError)


async def test_the_final_poll_waits_for_no_retry(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=55)
    emulator.faults.status(503, headers={"Retry-After": "40"}, on="get_job", skip=3)
    start = now()
    await job.await_completion(timeout=60)
    assert now() - start == pytest.approx(60, abs=0.1)


async def test_waits_with_one_deadline_share_the_final_poll(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waits = [hevo.job(job.ref).await_completion(timeout=10) for _ in range(5)]
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert len(emulator.requests) == 2


async def test_a_slow_callback_does_not_disable_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1800)

    async def slow(_: Job) -> None:
        await asyncio.sleep(20)

    start = now()
    with pytest.raises(errors.JobTimeout):
        await job.await_completion(timeout=60, on_update=slow)
    assert now() - start <= 60 + 2 * 20 + 0.1


async def test_cancelling_at_the_deadline_is_bounded(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    await job.refresh()
    emulator.faults.delay(10_000, times=None)
    start = now()
    with pytest.raises(errors.JobTimeout, match="Cancelling it failed: .*timed out"):
        await job.await_completion(timeout=60, on_timeout="cancel")
    assert now() - start <= 60 + 18 + 0.1


async def test_a_deadline_before_the_first_poll_of_a_job_just_read(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=5000)
    job = await hevo.pipeline(123).trigger()
    start = now()
    with pytest.raises(errors.JobTimeout):
        await job.await_completion(poll_interval=300, timeout=10)
    assert now() - start == pytest.approx(10, abs=0.1)
    other = asyncio.create_task(hevo.job(job.ref).await_completion(poll_interval=300))
    await asyncio.sleep(5)
    start = now()
    with pytest.raises(errors.JobTimeout):
        await hevo.job(job.ref).await_completion(poll_interval=300, timeout=10)
    assert now() - start == pytest.approx(10, abs=0.1)
    other.cancel()
    await asyncio.wait({other})


async def test_a_final_poll_that_could_not_be_made_is_the_cause(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(1, 60.0)) as hevo:
        _, job = started(emulator, hevo, duration=50_000)
        await job.refresh()

        async def more_urgent() -> None:
            while True:
                await hevo.send(api.get_pipeline(123), priority=Priority.CANCEL)

        urgent = [asyncio.create_task(more_urgent()) for _ in range(2)]
        start = now()
        with pytest.raises(errors.JobTimeout) as caught:
            await job.await_completion(timeout=60)
        assert "the final poll could not be made" in str(caught.value.__cause__)
        assert now() - start < 60 + 180
        for task in urgent:
            task.cancel()
        await asyncio.wait(urgent)


# -- many -----------------------------------------------------------------------------------------


async def test_each_of_many_deadlines_has_its_final_poll(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """They end seconds before the deadline they share; no budget can poll all at once."""
    _, jobs = fleet(emulator, hevo, 300, lambda n: 595 if n % 3 else 100_000)
    start = emulator.now
    results = await hevo.await_all(jobs, timeout=600, on_failure="return")
    for number, result in enumerate(results, 1):
        if number % 3:
            assert isinstance(result, Job)
        else:
            assert isinstance(result, errors.JobTimeout)
            polls = [c.at for c in emulator.requests.of("get_job") if jobs[number - 1].id in c.path]
            assert polls[-1] - start >= 600 - 0.01
    assert refused(emulator) == 0
    # As long as 300 calls take, and not much longer.
    assert emulator.now - start < 600 + 300 / 95 * 60.1 + 10


async def test_without_a_limit_many_final_polls_are_still_made(emulator: HevoEmulator) -> None:
    emulator.rate_limit = None
    emulator.faults.delay(1, on="get_job", times=None)
    async with client_of(emulator, rate_limit=None) as hevo:
        jobs = [started(emulator, hevo, 1000 + n, duration=595)[1] for n in range(400)]
        results = await hevo.await_all(jobs, poll_interval=400, timeout=600, on_failure="return")
    assert all(isinstance(result, Job) for result in results)


async def test_deadlines_in_an_outage_are_bounded(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 50, lambda _: 100_000)
    emulator.faults.status(429, headers={"Retry-After": "100"}, times=None)
    start = now()
    results = await hevo.await_all(jobs, timeout=60, on_failure="return")
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert now() - start < 60 + 300
    assert isinstance(results[0], errors.JobTimeout)


async def test_many_can_be_cancelled_at_their_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, jobs = fleet(emulator, hevo, 250, lambda _: 100_000)
    results = await hevo.await_all(jobs, timeout=300, on_timeout="cancel", on_failure="return")
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert all("was asked to cancel it" in str(result) for result in results)
    assert {job.status for job in emulated} <= {"CANCELLING", "CANCELLED"}


async def test_each_wait_has_its_own_deadline(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, jobs = fleet(emulator, hevo, 20, lambda _: 100_000)
    start = now()

    async def wait(number: int) -> float:
        with pytest.raises(errors.JobTimeout):
            await jobs[number].await_completion(poll_interval=1000, timeout=10 + number)
        return now() - start

    ends = await asyncio.gather(*map(wait, range(20)))
    assert ends == pytest.approx([10 + number for number in range(20)], abs=0.1)
