"""Pipelines, Jobs and the client beyond the two verbs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, Pipeline, PipelineStatus, api, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import START, client_of


class TestPipeline:
    async def test_a_handle_costs_nothing(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = hevo.pipeline("123")
        assert (pipeline.id, pipeline.data, pipeline.name, pipeline.status) == (123,) + (None,) * 3
        assert repr(pipeline) == "Pipeline(123)"
        assert not emulator.requests

    async def test_reading_one(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = await hevo.get_pipeline(123)
        assert isinstance(pipeline.status, PipelineStatus)
        assert repr(pipeline) == "Pipeline(123, name='Pipeline 123', status='INITIALIZED')"
        emulator.pipeline(123).status = "DISABLED"
        assert await pipeline.refresh() is pipeline
        assert pipeline.status == "DISABLED"
        with pytest.raises(errors.NotFound, match="Pipeline with ID 5 does not exist"):
            await hevo.get_pipeline(5)

    async def test_listing_all_pages(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        for number in range(1000, 1250):
            emulator.add_pipeline(number)
        found = [pipeline async for pipeline in hevo.list_pipelines()]
        assert [pipeline.id for pipeline in found] == [123, *range(1000, 1250)]
        assert found[7].name == "Pipeline 1006"
        assert len(emulator.requests) == 3

    async def test_equality_is_by_id(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        assert hevo.pipeline(1) == hevo.pipeline("1")
        assert len({hevo.pipeline(1), hevo.pipeline(1), hevo.pipeline(2)}) == 2
        assert hevo.pipeline(1) != 1

    async def test_enabling_and_disabling(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = hevo.pipeline(123)
        await pipeline.disable()
        assert emulator.requests[-1].body == {"cancel_active_jobs": False}
        assert (await pipeline.refresh()).status == "DISABLED"
        await pipeline.enable()
        assert (await pipeline.refresh()).status == "INITIALIZED"
        job = await pipeline.trigger()
        await pipeline.disable(cancel_active_jobs=True)
        with pytest.raises(errors.JobCancelled):
            await job.await_completion()

    async def test_updating(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = hevo.pipeline(123)
        assert await pipeline.update(name="Orders") is pipeline
        assert pipeline.name == "Orders"
        emulator.faults.body(b"", on="update_pipeline")
        await pipeline.update(name="Refunds")
        assert pipeline.name == "Refunds"

    async def test_objects(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = hevo.pipeline(123)
        objects = [row async for row in pipeline.list_objects()]
        namespaces = [row.source_namespace for row in objects]
        assert [space.k0 for space in namespaces if space] == ["users", "orders", "items"]
        assert (await pipeline.get_object(objects[0].object_id)).object_name == "users"
        with pytest.raises(errors.NotFound):
            await pipeline.get_object("nope")
        for odd in ("users", "order items/2026?#%2F ü&a=b;c", "a\\b", "..x", "%2e%2e"):
            emulator.pipeline(123).include_object(odd)
            assert (await pipeline.get_object(odd)).object_name == odd
        for bad in ("", "  ", ".", "..", "a\nb", "a\x1bb", None, 7):
            with pytest.raises(errors.ConfigurationError, match="object_id must"):
                await pipeline.get_object(bad)  # type: ignore[arg-type]
        await pipeline.refresh_schema()
        assert emulator.requests[-1].endpoint == "refresh_schema"


class TestJobs:
    async def test_listing_with_filters(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        emulated = emulator.add_pipeline(1, history=120)
        emulated.add_history(created=START - 100, status="FAILED", job_type="HISTORICAL")
        emulated.add_history(created=START - 50, status="SKIPPED", duration=0)
        pipeline = hevo.pipeline(1)

        async def listed(**options: Any) -> list[Job]:
            return [job async for job in pipeline.list_jobs(**options)]

        everything = await listed()
        assert len(everything) == 122
        stamps = [job.data.created_ts or 0 for job in everything if job.data]
        assert stamps == sorted(stamps, reverse=True)
        assert [job.status for job in await listed(limit=2)] == ["SKIPPED", "FAILED"]
        assert emulator.requests[-1].query["limit"] == "2"
        assert [job.type for job in await listed(status="failed")] == ["HISTORICAL"]
        assert len(await listed(job_type="INCREMENTAL")) == 121
        assert len(await listed(job_type="INCREMENTAL", status="COMPLETED", limit=110)) == 110

    async def test_the_active_job(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        pipeline = hevo.pipeline(123)
        assert await pipeline.active_job() is None
        job = await pipeline.trigger()
        assert await pipeline.active_job() == job
        assert await pipeline.active_job("incremental") == job
        assert await pipeline.active_job("RESYNC") is None

    async def test_the_active_job_under_pages_of_skipped_rows(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        pipeline = emulator.add_pipeline(1, every_minutes=5)
        pipeline.plan(duration=None, appears_after=0)
        running = pipeline.start_job(now=emulator.now)
        await asyncio.sleep(5 * 60 * 250)
        active = await hevo.pipeline(1).active_job()
        assert active is not None
        assert active.id == running.job_id
        assert len(emulator.requests) == 3

    async def test_refs_handles_and_equality(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        job = await hevo.pipeline(123).trigger()
        async with client_of(emulator) as elsewhere:
            same = elsewhere.job(job.ref)
            assert same == job
            assert len({same, job}) == 1
            assert same != job.ref
            assert repr(same) == f"Job({job.ref!r}, type=None, status=None)"
            assert (same.status, same.type, same.data, same.is_terminal) == (None,) * 3 + (False,)
            assert await same.refresh() is same
            assert repr(same) == f"Job({job.ref!r}, type='INCREMENTAL', status='IN_PROGRESS')"

    async def test_what_a_job_did_with_each_object(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        emulator.pipeline(123).plan(outcome="COMPLETED_WITH_FAILURES")
        job = await hevo.pipeline(123).trigger()
        await job.await_completion(accept_completed_with_failures=True)
        rows = [row async for row in job.list_objects()]
        assert [row.status for row in rows] == ["COMPLETED", "COMPLETED", "COMPLETED_WITH_FAILURES"]
        assert rows[-1].rows_failed == 33

    async def test_cancelling(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        job = await hevo.pipeline(123).trigger()
        assert await job.cancel() is job
        assert (await job.refresh()).status == "CANCELLING"
        await job.cancel(wait=True)
        assert job.status == "CANCELLED"
        calls = len(emulator.requests)
        await job.cancel()
        assert len(emulator.requests) == calls

    async def test_cancelling_a_job_that_has_ended_unseen(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        job = await hevo.pipeline(123).trigger()
        await asyncio.sleep(100)
        await job.cancel(wait=True)
        assert job.status == "COMPLETED"

    async def test_a_cancel_whose_answer_is_lost(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        job = await hevo.pipeline(123).trigger()
        emulator.faults.drop(on="cancel_job", effect="after")
        await job.cancel()
        assert job.status == "CANCELLING"
        emulator.faults.status(409, "job already cancelling", on="cancel_job")
        await hevo.job(job.ref).cancel()
        job = await hevo.pipeline(123).trigger(if_running="wait")
        emulator.faults.drop(on="cancel_job", times=None)
        with pytest.raises(errors.RequestOutcomeUnknown):
            await job.cancel()

    async def test_a_job_put_aside_can_be_cancelled(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        emulator.pipeline(123).plan(outcome="DEFERRED", duration=0)
        job = await hevo.pipeline(123).trigger()
        assert job.is_terminal
        await job.cancel()
        assert len(emulator.requests.of("cancel_job")) == 1

    async def test_a_ref_is_as_good_as_an_id(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        assert hevo.pipeline(2).job("2:abc") == hevo.job("2:abc")
        with pytest.raises(errors.ConfigurationError, match="another Pipeline"):
            hevo.pipeline(2).job("3:abc")

    async def test_a_cancel_that_is_refused(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        job = await hevo.pipeline(123).trigger()
        for status, kind in ((403, errors.PermissionDenied), (400, errors.ApiError)):
            emulator.faults.status(status, on="cancel_job")
            with pytest.raises(kind):
                await job.cancel()


class TestClient:
    async def test_things_of_a_wrong_kind(self, hevo: HevoClient) -> None:
        wrong: Any
        pipeline = hevo.pipeline(123)
        forgotten = pipeline.trigger()
        for wrong, says in (([pipeline], "Jobs or their refs"), ([forgotten], "await it first")):
            with pytest.raises(errors.ConfigurationError, match=says):
                await hevo.await_all(wrong)
        forgotten.close()
        ticket: Any = (await pipeline.prepare_trigger()).dumps()
        with pytest.raises(errors.ConfigurationError, match=r"TriggerTicket.loads\(text\)"):
            await hevo.fire(ticket)
        with pytest.raises(errors.ConfigurationError, match="takes a TriggerTicket, not str"):
            await hevo.reconcile(ticket)
        wrong = "GET /x"
        with pytest.raises(errors.ConfigurationError, match="a request of hevo_edge.api"):
            await hevo.send(wrong)
        wrong = object()
        with pytest.raises(errors.ConfigurationError, match="must be an aiohttp.ClientSession"):
            HevoClient("key", "secret", region="us", session=wrong)
        wrong = {"pol_interval": 3}
        with pytest.raises(TypeError, match="'pol_interval' is not a keyword of a wait; those are"):
            await pipeline.await_completion(**wrong)

    async def test_any_endpoint_can_be_sent(self, emulator: HevoEmulator, hevo: HevoClient) -> None:
        page = await hevo.send(api.list_destinations())
        assert page.data[0].destination_type == "SNOWFLAKE"
        made = await hevo.send(api.create_pipeline({"name": "New"}))
        assert made["name"] == "New"
        await hevo.send(api.delete_pipeline(made["id"]))
        with pytest.raises(errors.NotFound):
            await hevo.get_pipeline(made["id"])

    async def test_wrong_credentials(self, emulator: HevoEmulator) -> None:
        async with HevoClient("key", "wrong", base_url=emulator.base_url) as hevo:
            with pytest.raises(errors.AuthenticationError, match="belong to this region"):
                await hevo.get_pipeline(123)

    async def test_leaving_an_iteration_early(
        self, emulator: HevoEmulator, hevo: HevoClient
    ) -> None:
        async with aclosing(hevo.list_pipelines()) as pipelines:
            async for pipeline in pipelines:
                assert isinstance(pipeline, Pipeline)
                break
