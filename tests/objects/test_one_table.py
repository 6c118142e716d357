"""One table of a Pipeline: resync it, include it, exclude it, by its name."""

from __future__ import annotations

import logging

import pytest

from hevo_edge import HevoClient, Pipeline, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.objects import ObjectRef
from tests.conftest import client_of

CHANGES = ("resync_objects", "resync_pipeline", "update_objects", "sync_now")


def sent(emulator: HevoEmulator) -> list[object]:
    return [call.body for call in emulator.requests.of(*CHANGES)]


@pytest.fixture
def ids(emulator: HevoEmulator) -> dict[str, str]:
    """The emulator's objects: also one schema more, one that is excluded, and one that is odd."""
    objects = emulator.pipeline(123).objects
    objects.add("users", schema="sales")
    for status in ("INACTIVE", "DELETED", "DISABLED", "INACCESSIBLE", "BLOCKED"):
        objects.add(status.lower(), status=status)
    objects.add('or"der.items/2026')
    return {f"{each.schema}.{each.name}": key for key, each in objects.items()}


@pytest.fixture
async def pipeline(hevo: HevoClient, ids: dict[str, str]) -> Pipeline:
    return hevo.pipeline(123)


class TestResync:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (["orders"], ["orders"]),
            ("orders", ["orders"]),
            ((name for name in ("items", "public.orders")), ["items", "orders"]),
            (["app.public.orders", "orders"], ["orders"]),
            (['or"der.items/2026'], ['or"der.items/2026']),
            (["blocked"], ["blocked"]),
        ],
    )
    async def test_by_name(
        self,
        emulator: HevoEmulator,
        pipeline: Pipeline,
        ids: dict[str, str],
        given: list[str],
        expected: list[str],
    ) -> None:
        job = await pipeline.resync_objects(given)
        assert job.type == "HISTORICAL"
        await job.await_completion()
        assert [row.object_name async for row in job.list_objects()] == expected
        body = {"object_ids": [ids[f"public.{name}"] for name in expected], "drop_and_load": False}
        assert sent(emulator) == [body]

    async def test_of_one_schema_of_two(
        self, emulator: HevoEmulator, pipeline: Pipeline, ids: dict[str, str]
    ) -> None:
        await pipeline.resync_objects(["sales.users"], drop_and_load=True)
        assert sent(emulator) == [{"object_ids": [ids["sales.users"]], "drop_and_load": True}]

    async def test_by_id_reads_no_objects(
        self, emulator: HevoEmulator, pipeline: Pipeline, ids: dict[str, str]
    ) -> None:
        wanted = ids["public.orders"]
        await pipeline.resync_objects([wanted, wanted])
        assert emulator.requests.of("list_objects") == []
        assert sent(emulator) == [{"object_ids": [wanted], "drop_and_load": False}]

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["users"], "several objects are called users: app.public.users"),
            (["ordres"], "there is no object ordres; did you mean app.public.orders"),
            (["orders", "USERS"], "there is no object USERS; did you mean app."),
            (["inactive"], "app.public.inactive is INACTIVE: cannot be resynced (include_objects"),
            (["orders", "deleted"], "app.public.deleted is DELETED: cannot be resynced"),
            (
                ["disabled", "inaccessible"],
                "disabled is DISABLED, app.public.inaccessible is INACC",
            ),
            ([], "objects must name at least one object"),
            ([""], "an object is named by its name or id, not ''"),
            (None, "objects must be names or ids, not None"),
            (7, "objects must be names or ids, not 7"),
        ],
    )
    async def test_what_is_unclear_starts_nothing(
        self, emulator: HevoEmulator, pipeline: Pipeline, given: list[str], words: str
    ) -> None:
        with pytest.raises(errors.ConfigurationError) as caught:
            await pipeline.resync_objects(given)
        assert words in str(caught.value)
        assert sent(emulator) == []

    async def test_wrong_options_come_before_any_request(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        with pytest.raises(errors.ConfigurationError, match="if_running"):
            await pipeline.resync_objects(["orders"], if_running="never")  # type: ignore[arg-type]
        assert len(emulator.requests) == 0

    async def test_hundreds_by_name(self, emulator: HevoEmulator, pipeline: Pipeline) -> None:
        objects = emulator.pipeline(123).objects
        wanted = [objects.add(f"table_{n}") for n in range(450)]
        await pipeline.resync_objects(f"table_{n}" for n in range(450))
        assert sent(emulator) == [{"object_ids": wanted, "drop_and_load": False}]
        assert len(emulator.requests.of("list_objects")) == 5

    async def test_names_are_sent_in_the_generation_that_takes_names(
        self, emulator: HevoEmulator, ids: dict[str, str]
    ) -> None:
        async with client_of(emulator, dialect="drop_and_load") as hevo:
            pipeline = hevo.pipeline(123)
            found = await pipeline.objects()
            with pytest.raises(errors.ConfigurationError, match="no object nope"):
                await pipeline.resync_objects(["nope"])
            given: list[ObjectRef] = ["orders", found.find("items"), ids["public.orders"]]
            await pipeline.resync_objects(given)
        names = ["orders", "items", ids["public.orders"]]
        assert sent(emulator) == [{"objects": names, "drop_and_load": False}]

    async def test_its_time_limit_holds_for_reading_the_objects_too(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        emulator.faults.delay(20, on="list_objects")
        with pytest.raises(errors.TriggerTimeout):
            await pipeline.resync_objects(["orders"], timeout=15)
        assert sent(emulator) == []


class TestWhatFailed:
    async def test_the_rows_of_a_job_name_what_to_resync(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        """The one failed table of a Job, found and loaded again."""
        emulated = emulator.add_pipeline(7)
        emulated.plan(outcome="COMPLETED_WITH_FAILURES")
        pipeline = pipeline_of(pipeline, 7)
        job = await pipeline.sync_now()
        with pytest.raises(errors.JobCompletedWithFailures):
            await job.await_completion()
        failed = [row async for row in job.list_objects() if row.has_failed]
        objects = await pipeline.objects()
        assert [objects.find(row).name for row in failed] == ["items"]
        again = await pipeline.resync_objects(failed)
        await again.await_completion()
        assert [row.object_name async for row in again.list_objects()] == ["items"]

    async def test_a_row_that_fits_two_is_refused(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        job = await pipeline.sync_now()
        await job.await_completion()
        rows = [row async for row in job.list_objects()]
        with pytest.raises(errors.ConfigurationError, match="several objects are called users"):
            await pipeline.resync_objects(rows)
        assert emulator.requests.of("resync_objects") == []


def pipeline_of(other: Pipeline, number: int) -> Pipeline:
    return Pipeline(other._core, number, None)


class TestIncluding:
    async def test_an_included_object_is_loaded_by_a_historical_job(
        self, emulator: HevoEmulator, pipeline: Pipeline, ids: dict[str, str]
    ) -> None:
        (now,) = await pipeline.include_objects("inactive")
        assert (now.name, now.is_active) == ("inactive", True)
        change = {"object_id": ids["public.inactive"], "status": "ACTIVE"}
        assert sent(emulator) == [{"objects": [change]}]
        assert (await pipeline.sync_now()).type == "HISTORICAL"

    async def test_the_whole_road_of_a_new_table(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        await pipeline.update(schema_evolution="BLOCK_ALL")
        emulator.pipeline(123).objects.create_table("invoices")
        with pytest.raises(errors.ConfigurationError, match="no object invoices"):
            await pipeline.include_objects(["invoices"])
        await pipeline.refresh_schema()
        await pipeline.include_objects(["invoices"])
        job = await pipeline.sync_now()
        await job.await_completion()
        assert job.type == "HISTORICAL"
        assert "invoices" in [row.object_name async for row in job.list_objects()]

    async def test_what_is_included_already_is_left_alone(
        self, emulator: HevoEmulator, pipeline: Pipeline
    ) -> None:
        now = await pipeline.include_objects(["orders", "items"])
        assert [row.name for row in now] == ["orders", "items"]
        assert sent(emulator) == []

    @pytest.mark.parametrize("name", ["deleted", "inaccessible"])
    async def test_what_is_not_in_the_source(
        self, emulator: HevoEmulator, pipeline: Pipeline, name: str
    ) -> None:
        with pytest.raises(errors.ConfigurationError, match=f"is {name.upper()}: cannot be incl"):
            await pipeline.include_objects(["inactive", name])
        assert sent(emulator) == []

    async def test_excluding(
        self, emulator: HevoEmulator, pipeline: Pipeline, ids: dict[str, str]
    ) -> None:
        now = await pipeline.exclude_objects(["orders", "inactive", "orders"])
        assert [(row.name, row.status) for row in now] == [
            ("orders", "INACTIVE"),
            ("inactive", "INACTIVE"),
        ]
        change = {"object_id": ids["public.orders"], "status": "INACTIVE"}
        assert sent(emulator) == [{"objects": [change]}]
        job = await pipeline.sync_now()
        await job.await_completion()
        assert "orders" not in [row.object_name async for row in job.list_objects()]
        await pipeline.exclude_objects("orders")
        assert len(emulator.requests.of("update_objects")) == 1

    @pytest.mark.parametrize("verb", ["include_objects", "exclude_objects"])
    @pytest.mark.parametrize("wrong", [[], ["nope"], ["users"], None, [3]])
    async def test_what_is_unclear_changes_nothing(
        self, emulator: HevoEmulator, pipeline: Pipeline, verb: str, wrong: object
    ) -> None:
        with pytest.raises(errors.ConfigurationError):
            await getattr(pipeline, verb)(wrong)
        assert sent(emulator) == []

    async def test_a_body_that_hevo_accepts_and_does_not_understand_is_logged(
        self, emulator: HevoEmulator, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        emulator.faults.status(200, body={}, on="update_objects")
        with caplog.at_level(logging.WARNING):
            (now,) = await pipeline.include_objects(["inactive"])
        assert not now.is_active
        (record,) = caplog.records
        assert record.name == "hevo_edge.objects"
        assert "become ACTIVE, but lists 1 otherwise: app.public.inactive (INACTIVE)" in caplog.text
