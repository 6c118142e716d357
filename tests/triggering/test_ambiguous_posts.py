"""A POST that may have arrived is never repeated without proof that it has not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    TriggerTicket,
    errors,
)
from hevo_edge.emulator import HevoEmulator
from tests.conftest import REFUSALS, START, client_of
from tests.triggering.support import now, posts, run_as_scheduled, runs

AMBIGUOUS: list[tuple[str, dict[str, Any]]] = [
    ("drop", {}),
    ("delay", {"seconds": 45}),
    ("status", {"status": 500}),
    ("status", {"status": 502, "body": "<html>Bad Gateway</html>"}),
    ("status", {"status": 503, "headers": {"Retry-After": "5"}}),
    ("status", {"status": 504}),
    # What gateways send in place of a 504.
    *(("status", {"status": status}) for status in (408, 425, 444, 460, 499, 598, 599)),
    # Pages of a gateway, which may hide Hevo's reply.
    *(("status", {"status": status, "body": "<html>"}) for status in (302, 401, 403, 404, 409)),
]


@pytest.mark.parametrize(("fault", "options"), AMBIGUOUS)
async def test_a_post_that_took_effect_unseen_is_found_and_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, fault: str, options: dict[str, Any]
) -> None:
    getattr(emulator.faults, fault)(on="sync_now", effect="after", **options)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1
    # A scheduled run could have begun in the same seconds.
    assert job.adopted


@pytest.mark.parametrize("fault", ["html", "truncate"])
async def test_after_a_success_that_cannot_be_read_it_polls(
    emulator: HevoEmulator, hevo: HevoClient, fault: str
) -> None:
    getattr(emulator.faults, fault)(on="sync_now")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


@pytest.mark.parametrize(("fault", "options"), AMBIGUOUS)
async def test_a_post_that_was_lost_is_unknown_and_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, fault: str, options: dict[str, Any]
) -> None:
    getattr(emulator.faults, fault)(on="sync_now", effect="before", **options)
    if fault == "delay":
        # Held back, it arrives all the same; cut it off for good.
        emulator.faults.drop(on="sync_now")
    start = now()
    with pytest.raises(errors.TriggerOutcomeUnknown, match="may or may not") as caught:
        await hevo.pipeline(123).trigger()
    assert 150 <= now() - start <= 185
    assert not runs(emulator)
    assert posts(emulator) == 1
    assert await hevo.reconcile(caught.value.ticket) is None


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
async def test_a_refusal_starts_nothing_and_is_raised_at_once(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: type[errors.RequestError]
) -> None:
    emulator.faults.status(status, on="sync_now")
    start = now()
    with pytest.raises(kind):
        await hevo.pipeline(123).trigger()
    assert now() == pytest.approx(start, abs=0.01)
    assert not runs(emulator)


@pytest.mark.parametrize("duration", [2, 30, 600])
@pytest.mark.parametrize("listed_after", [3, 15, 45])
@pytest.mark.parametrize("dialect", ["newest", "oldest"])
async def test_a_job_in_progress_is_evidence_that_an_earlier_post_has_landed(
    dialect: str, listed_after: float, duration: float
) -> None:
    """The other process died, and its POST took effect just before our search for its Job ended."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=1)
        async with client_of(emulator) as first:
            text = (await first.pipeline(123).prepare_trigger(discovery_timeout=20)).dumps()
        async with client_of(emulator) as second:
            pipeline.plan(appears_after=listed_after, duration=duration)
            firing = asyncio.create_task(second.fire(TriggerTicket.loads(text)))
            await asyncio.sleep(19)
            late = emulator.pipeline(123).sync_now(emulator.now)
            if listed_after == 45:
                with pytest.raises(errors.TriggerOutcomeUnknown, match="may or may not"):
                    await firing
                await asyncio.sleep(60)
                firing = asyncio.create_task(second.fire(TriggerTicket.loads(text)))
            job = await firing
            assert (job.id, job.certainty) == (late.job_id, Certainty.POSSIBLE)
            assert await second.fire(TriggerTicket.loads(text)) == job
            assert await second.reconcile(TriggerTicket.loads(text)) == job
        assert runs(emulator) == [late.job_id]


async def test_what_came_of_an_earlier_post_meanwhile_is_seen_before_the_next(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.delay(70, on="sync_now", effect="before")
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    await asyncio.sleep(90)  # it has taken effect after all, and its Job is over
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


async def test_a_job_in_progress_that_is_older_than_the_ticket_is_no_evidence(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    async with client_of(emulator) as other:
        run_as_scheduled(emulator, duration=600, type="RESYNC")
        with pytest.raises(errors.JobInProgress, match="RESYNC"):
            await other.fire(ticket)
    assert posts(emulator) == 0
