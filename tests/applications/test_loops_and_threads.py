"""One client, and several loops: one after another, at once, and in threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from tests.applications.support import client
from tests.pages.stage import fast_emulator

pytestmark = pytest.mark.real_time


def test_one_loop_after_another_counts_on() -> None:
    with fast_emulator() as emulator:
        hevo = client(emulator, rate_limit=RateLimit(5, 60.0))

        async def used() -> int:
            await hevo.get_pipeline(123)
            limiter = hevo._core.transport._limiter
            return limiter.free_slots(0)  # type: ignore[arg-type]

        assert [asyncio.run(used()) for _ in range(3)] == [4, 3, 2]


def test_the_second_of_two_at_once_is_refused_and_the_first_goes_on() -> None:
    with fast_emulator() as emulator:
        hevo = client(emulator)
        is_used, may_end = threading.Event(), threading.Event()
        ids = []

        async def use_and_stay() -> None:
            await hevo.get_pipeline(123)
            is_used.set()
            await asyncio.to_thread(may_end.wait)
            ids.append((await hevo.get_pipeline(123)).id)

        first = threading.Thread(target=lambda: asyncio.run(use_and_stay()))
        first.start()
        try:
            assert is_used.wait(10)
            for use in (
                hevo.get_pipeline(123),
                hevo.pipeline(123).trigger(),
                hevo.job("123:a").await_completion(),
            ):
                with pytest.raises(errors.HevoError, match="another event loop"):
                    asyncio.run(use)
        finally:
            may_end.set()
            first.join()
        assert ids == [123]


def test_a_job_is_passed_on_by_its_ref() -> None:
    with fast_emulator() as emulator:

        async def start() -> str:
            async with client(emulator) as hevo:
                return (await hevo.pipeline(123).trigger()).ref

        async def wait(ref: str) -> str:
            async with client(emulator) as hevo:
                return str((await hevo.job(ref).await_completion(poll_interval=0.1)).status)

        def thread() -> None:
            statuses.append(asyncio.run(wait(ref)))

        statuses: list[str] = []
        ref = asyncio.run(start())
        waiting = threading.Thread(target=thread)
        waiting.start()
        waiting.join(30)
        assert statuses == ["COMPLETED"]


def test_a_loop_of_ones_own_is_found_again() -> None:
    """A loop that stands still is not in the way of another, and goes on with its connections."""
    with fast_emulator() as emulator:
        hevo: HevoClient = client(emulator)
        one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
        try:
            for loop in (one, other, one):
                assert loop.run_until_complete(hevo.get_pipeline(123)).id == 123
        finally:
            for loop in (one, other):
                loop.run_until_complete(hevo.close())
                loop.close()
