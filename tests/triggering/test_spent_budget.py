"""Triggers whose client has used up its call budget: what it waits for that tells nothing of a Job."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import Certainty, Priority, RateLimit, api, errors
from hevo_edge.emulator import HevoEmulator, RecordedCall
from tests.awaiting.support import now
from tests.conftest import client_of


async def test_many_triggers_in_a_small_budget_all_find_their_jobs(emulator: HevoEmulator) -> None:
    """Ninety calls before the first search, at twenty a minute: longer than a search may take."""
    for number in range(1, 31):
        emulator.add_pipeline(number).plan(duration=36_000)
    async with client_of(emulator, rate_limit=RateLimit(20, 60.0)) as hevo:
        began = now()
        jobs = await asyncio.gather(*(hevo.pipeline(number).trigger() for number in range(1, 31)))
        assert now() - began > 240
    assert {job.certainty for job in jobs} == {Certainty.CERTAIN}
    assert len(emulator.requests.of("sync_now")) == 30


async def test_a_budget_that_others_use_up_during_the_search(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(appears_after=20, duration=36_000)
    async with client_of(emulator, rate_limit=RateLimit(10, 600.0)) as hevo:
        posted = asyncio.Event()

        def on_request(call: RecordedCall) -> None:
            if call.endpoint == "sync_now":
                posted.set()

        emulator.on_request = on_request

        async def use_up() -> None:
            await posted.wait()
            for _ in range(10):
                await hevo.send(api.get_pipeline(123), priority=Priority.CANCEL)

        using = asyncio.create_task(use_up())
        began = now()
        job = await hevo.pipeline(123).trigger(discovery_timeout=60)
        assert job.certainty is Certainty.CERTAIN
        assert now() - began > 500
        await using


async def test_the_callers_time_out_still_limits_it(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(appears_after=20, duration=36_000)
    async with client_of(emulator, rate_limit=RateLimit(4, 3600.0)) as hevo:
        began = now()
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.pipeline(123).trigger(timeout=100)
        assert now() - began < 110


async def test_a_budget_that_never_comes_back_ends_the_search(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(appears_after=20, duration=36_000)
    async with client_of(emulator, rate_limit=RateLimit(4, 36_000.0)) as hevo:
        began = now()
        with pytest.raises(errors.TriggerOutcomeUnknown, match="call budget"):
            await hevo.pipeline(123).trigger()
        assert 1800 < now() - began < 2200
