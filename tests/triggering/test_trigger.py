"""Triggering: exactly one run, and its Job, for every action and API generation."""

from __future__ import annotations

import pytest

from hevo_edge import (
    HevoClient,
    JobType,
    errors,
)
from hevo_edge.emulator import DIALECTS, HevoEmulator
from tests.conftest import START, client_of
from tests.triggering.support import runs


async def test_newly_included_objects_make_it_historical(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).include_object("refunds")
    job = await hevo.pipeline(123).trigger()
    assert job.type == "HISTORICAL"
    assert [job.id] == runs(emulator)


async def test_only_a_job_of_an_explicit_job_type_is_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job = await hevo.pipeline(123).trigger(job_type="incremental")
    assert job.type == "INCREMENTAL"
    await job.await_completion()
    emulator.pipeline(123).include_object("refunds")
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="no new INCREMENTAL Job") as caught:
        await hevo.pipeline(123).trigger(job_type=JobType.INCREMENTAL, discovery_timeout=30)
    assert caught.value.ticket.pipeline_id == 123
    assert "HISTORICAL Job" in str(caught.value)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("drop_and_load", [False, True])
async def test_a_resync_in_every_generation(dialect: str, drop_and_load: bool) -> None:
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        emulator.add_pipeline(123, history=2)
        form = "drop_and_load" if dialect == "drop_and_load" else "resync_mode"
        async with client_of(emulator, dialect=form) as hevo:
            job = await hevo.pipeline(123).resync(drop_and_load=drop_and_load)
            wanted = JobType.RESYNC_WITH_DROP_AND_LOAD if drop_and_load else JobType.RESYNC
            found = await hevo.pipeline(123).trigger(
                "RESYNC", job_type=wanted, if_running="join", drop_and_load=drop_and_load
            )
            assert [job.id] == [found.id] == runs(emulator)
            await job.await_completion()


async def test_a_body_of_the_wrong_generation_is_refused_and_starts_nothing() -> None:
    async with HevoEmulator(start=START, dialect="drop_and_load") as emulator:
        emulator.add_pipeline(123)
        async with client_of(emulator) as hevo:
            with pytest.raises(errors.ApiError, match="must hold drop_and_load.*another dialect"):
                await hevo.pipeline(123).resync()
        assert not runs(emulator)


async def test_a_job_of_an_unknown_type_is_a_candidate(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(type="RESYNC_BRAND_NEW")
    job = await hevo.pipeline(123).resync()
    assert job.type == "RESYNC_BRAND_NEW"


async def test_resyncing_some_objects(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipeline = hevo.pipeline(123)
    objects = [row.object_id async for row in pipeline.list_objects()]
    job = await pipeline.resync_objects(objects[:2])
    assert [job.id] == runs(emulator)
    assert emulator.requests.of("resync_objects")[0].body == {
        "object_ids": objects[:2],
        "drop_and_load": False,
    }
