"""``trigger(timeout=)``: over all phases, punctual, and never a guess about what was sent."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from hevo_edge import HevoClient, RateLimit, TriggerTicket, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs


async def test_a_running_job_is_not_waited_for_beyond_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    start = now()
    with pytest.raises(
        errors.TriggerTimeout, match="was not started within 40 s.*to end"
    ) as caught:
        await hevo.pipeline(123).trigger(if_running="wait", timeout=40)
    assert now() - start == pytest.approx(40, abs=0.1)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.pipeline_id == 123
    assert posts(emulator) == 0
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.pipeline_id) == (str(caught.value), 123)


async def test_preparing_keeps_to_it(emulator: HevoEmulator, hevo: HevoClient) -> None:
    run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.TriggerTimeout):
        await hevo.pipeline(123).prepare_trigger(if_running="wait", timeout=10)


@pytest.mark.parametrize("verb", ["sync_now", "resync"])
async def test_a_restart_is_not_waited_for_beyond_it(
    emulator: HevoEmulator, hevo: HevoClient, verb: str
) -> None:
    emulator.pipeline(123).restart_duration = 300
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    start = now()
    with pytest.raises(errors.TriggerTimeout, match="waiting for its restart"):
        await getattr(hevo.pipeline(123), verb)(timeout=30)
    assert now() - start == pytest.approx(30, abs=0.1)
    assert posts(emulator) == 0


async def test_another_trigger_of_the_pipeline_is_not_waited_for_beyond_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=100, duration=1)
    first = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(5)
    with pytest.raises(errors.TriggerTimeout, match="another trigger"):
        await hevo.pipeline(123).trigger(timeout=20, if_running="wait")
    job = await first
    # The lock is free again.
    other = await hevo.pipeline(123).trigger(timeout=200)
    assert [job.id, other.id] == runs(emulator)


async def test_the_call_budget_is_not_waited_for_beyond_it(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(3, 60.0)) as hevo:
        start = now()
        with pytest.raises(errors.TriggerTimeout, match="call budget"):
            await hevo.pipeline(123).trigger(timeout=30)
        assert now() - start == pytest.approx(30, abs=0.1)
    assert posts(emulator) == 0


async def test_an_unlisted_running_job_is_not_waited_for_beyond_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, appears_after=500, duration=600)
    start = now()
    with pytest.raises(errors.TriggerTimeout, match="to be listed"):
        await hevo.pipeline(123).trigger(if_running="wait", timeout=20)
    assert now() - start == pytest.approx(20, abs=0.1)
    assert not runs(emulator)


async def test_what_was_posted_is_polled_for_once_more(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=60, duration=300)
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger) as caught:
        await hevo.pipeline(123).trigger(timeout=20)
    assert 20 <= now() - start <= 26
    await asyncio.sleep(60)
    job = await hevo.reconcile(caught.value.ticket)
    assert job is not None
    assert [job.id] == runs(emulator)


async def test_a_search_cut_short_is_no_proof_that_nothing_was_started(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """A ticket that another process may have fired is not posted after a search that was cut short."""
    emulator.pipeline(123).plan(appears_after=60, duration=300)
    stored: list[TriggerTicket] = []

    def store_and_die(ticket: TriggerTicket) -> None:
        stored.append(ticket)
        if len(stored) == 2:
            raise KeyError("died")

    with pytest.raises(KeyError):
        await hevo.pipeline(123).trigger(on_ticket=store_and_die)
    in_flight = stored[0].dumps()
    async with client_of(emulator) as other:
        ticket = TriggerTicket.loads(in_flight)
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await other._core.triggers.fire(ticket, now() + 10)
        assert posts(emulator) == 1
        job = await other.fire(ticket)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


async def test_a_late_answer_is_better_than_an_unknown_one(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=0, duration=300)
    emulator.faults.delay(4, on="sync_now")
    job = await hevo.pipeline(123).trigger(timeout=2)
    assert [job.id] == runs(emulator)


async def test_what_waits_for_a_slot_is_answered_in_time_all_the_same(
    emulator: HevoEmulator,
) -> None:
    emulator.pipeline(123).plan(appears_after=0, duration=300)
    emulator.faults.delay(28, on="sync_now")
    async with client_of(emulator, rate_limit=RateLimit(3, 60.0)) as hevo:
        await hevo.get_pipeline(123)  # two slots are left, so the POST waits for the third
        start = now()
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.pipeline(123).trigger(timeout=62)
        assert 62 <= now() - start <= 62 + 10


async def test_a_slow_hevo_delays_it_by_ten_seconds_at_most(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=500, duration=300)
    emulator.faults.delay(4, on="sync_now")
    for endpoint in ("list_jobs", "get_pipeline"):
        emulator.faults.delay(20, on=endpoint, skip=1, times=None)
    start = now()
    with pytest.raises(errors.TriggerError):
        await hevo.pipeline(123).trigger(timeout=10)
    assert 10 <= now() - start <= 10 + 10


async def test_it_may_be_left_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="timeout"):
        await hevo.pipeline(123).trigger(timeout=0)
    job = await hevo.pipeline(123).trigger(timeout=None)
    assert [job.id] == runs(emulator)
    assert emulator.requests[0].at >= 0


# -- a POST that got 429 --------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "7"}])
@pytest.mark.parametrize("limit", [RateLimit(100, 60.0), None])
async def test_a_post_that_got_429_is_repeated(
    emulator: HevoEmulator, headers: dict[str, str], limit: RateLimit | None
) -> None:
    emulator.faults.status(429, on="sync_now", times=2, headers=headers)
    async with client_of(emulator, rate_limit=limit) as hevo:
        start = now()
        job = await hevo.pipeline(123).trigger()
        assert now() - start >= 14 if headers else now() - start >= 2
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 3


@pytest.mark.parametrize("timeout", [None, 20])
async def test_a_post_is_not_repeated_for_ever(
    emulator: HevoEmulator, hevo: HevoClient, timeout: float | None
) -> None:
    emulator.faults.status(429, on="sync_now", times=None)
    start = now()
    with pytest.raises((errors.RateLimited, errors.TriggerTimeout)):
        await hevo.pipeline(123).trigger(timeout=timeout)
    assert now() - start <= (timeout or 230) + 0.1
    assert not runs(emulator)


async def test_a_retry_after_beyond_the_time_is_raised_at_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, on="sync_now", headers={"Retry-After": "100"})
    start = now()
    with pytest.raises(errors.RateLimited) as caught:
        await hevo.pipeline(123).trigger(timeout=50)
    assert now() - start < 1
    assert caught.value.retry_after == 100


# -- nothing is late by more than ten seconds -----------------------------------------------------


async def test_a_ticket_whose_job_is_known_keeps_to_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    stored: list[TriggerTicket] = []
    await hevo.pipeline(123).trigger(on_ticket=stored.append)
    emulator.faults.delay(29, on="get_job", times=None)
    start = now()
    await hevo.fire(stored[-1], timeout=5)
    assert now() - start <= 5 + 10


async def test_a_resync_keeps_to_it(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(appears_after=400)
    start = now()
    task = asyncio.create_task(hevo.pipeline(123).trigger("RESYNC", timeout=5))
    for endpoint in ("get_pipeline", "resync_pipeline"):
        emulator.faults.delay(4.9, on=endpoint)
    await asyncio.sleep(4.95)
    emulator.faults.delay(4, on="list_jobs", times=None)
    emulator.faults.delay(60, on="get_pipeline", times=None)
    with pytest.raises(errors.HevoError):
        await task
    assert now() - start <= 5 + 10.5
