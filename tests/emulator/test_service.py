"""The 26 endpoints, over HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from hevo_edge.emulator import DIALECTS, HevoEmulator
from hevo_edge.emulator.routes import ROUTES
from hevo_edge.emulator.service import Answer, Call, Service
from tests.conftest import START
from tests.emulator.conftest import Ask, asker

PIPELINE = "/pipelines/123"
JOBS = PIPELINE + "/jobs"
SYNC = PIPELINE + "/actions/sync-now"
RESYNC = PIPELINE + "/actions/resync"


@pytest.fixture(params=sorted(DIALECTS))
async def any_dialect(request: pytest.FixtureRequest) -> AsyncIterator[HevoEmulator]:
    async with HevoEmulator(dialect=request.param, start=START) as emulator:
        emulator.add_pipeline(123, history=2)
        yield emulator


class TestAllEndpoints:
    async def test_an_object_is_found_by_id_and_by_name(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        object_id = list(emulator.pipeline(123).objects)[1]
        for named in (object_id, "orders"):
            found = (await ask("GET", f"{PIPELINE}/objects/{named}")).json
            assert (found["object_id"], found["object_name"]) == (object_id, "orders")
        assert (await ask("GET", f"{PIPELINE}/objects/nothing")).status == 404

    async def test_there_are_26_and_all_answer(
        self, any_dialect: HevoEmulator, session: aiohttp.ClientSession
    ) -> None:
        emulator = any_dialect
        ask = asker(session, emulator)
        pipeline = emulator.pipeline(123)
        ids = {
            "pipeline_id": 123,
            "destination_id": 1,
            "object_id": next(iter(pipeline.objects)),
            "job_id": pipeline.jobs[0].job_id,
        }
        form = emulator.dialect.resync_body
        resync = {"drop_and_load": False} if form == "drop_and_load" else {}
        bodies: dict[str, Any] = {
            "resync_pipeline": resync or {"resync_mode": "EVOLVE_AND_MERGE"},
            "resync_objects": {"object_ids": [ids["object_id"]]},
        }
        # Deletions come last; what starts a Job wants the Pipeline at rest.
        for endpoint, method, path in sorted(ROUTES, key=lambda route: route[1] == "DELETE"):
            if endpoint in {"sync_now", "resync_objects", "cancel_job"}:
                pipeline.enable()
                await asyncio.sleep(200)
            if endpoint == "cancel_job":
                pipeline.plan(appears_after=0, duration=None)
                ids["job_id"] = pipeline.start_job(now=emulator.now).job_id
            body = bodies.get(endpoint, {} if method in {"POST", "PATCH"} else None)
            reply = await ask(method, path.removeprefix("/api/v1").format(**ids), body)
            assert reply.status in {200, 201, 204}, (endpoint, reply)
            assert (reply.text == "") == (reply.status == 204)
        assert {call.endpoint for call in emulator.requests} == {name for name, _, _ in ROUTES}
        assert len(ROUTES) == 26
        assert all(call.took_effect for call in emulator.requests)

    @pytest.mark.parametrize(
        "path",
        [
            "/pipelines/124",
            "/pipelines/abc",
            "/pipelines/²",
            "/pipelines/-1",
            "/destinations/9",
            "/destinations/²",
            "/destinations/x",
            JOBS + "/no-such-job",
            PIPELINE + "/objects/no-such-object",
            "/no/such/path",
        ],
    )
    async def test_what_does_not_exist_is_404(self, ask: Ask, path: str) -> None:
        reply = await ask("GET", path)
        assert reply.status == 404
        assert set(reply.json) == {"error", "message"}

    async def test_zero_is_an_id_but_a_word_is_not(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.add_pipeline(0)
        assert (await ask("GET", "/pipelines/0")).status == 200
        assert (await ask("GET", "/pipelines/none")).status == 404

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/pipelines", ["a list"]),
            ("PATCH", PIPELINE, "text"),
            ("POST", RESYNC, [1]),
            ("POST", PIPELINE + "/objects/actions/resync", {"objects": []}),
            ("POST", PIPELINE + "/objects/actions/resync", None),
            ("POST", PIPELINE + "/objects/actions/resync", {"objects": "users"}),
            ("PATCH", PIPELINE + "/objects", {"objects": "users"}),
            ("PATCH", PIPELINE + "/objects", {"objects": ["users"]}),
            ("PATCH", PIPELINE + "/objects", {"objects": [{"object_id": "users"}]}),
            ("GET", JOBS + "?limit=0", None),
            ("GET", JOBS + "?limit=-1", None),
            ("GET", JOBS + "?limit=ten", None),
            ("GET", JOBS + "?cursor=!", None),
            ("GET", JOBS + "?cursor=bm8gc3VjaCBqb2I=", None),
        ],
    )
    async def test_what_makes_no_sense_is_400(
        self, ask: Ask, emulator: HevoEmulator, method: str, path: str, body: Any
    ) -> None:
        reply = await ask(method, path, body)
        assert (reply.status, reply.json["error"]) == (400, "BAD_REQUEST")
        assert not emulator.requests[-1].took_effect


class TestDestinations:
    async def test_their_life(self, ask: Ask) -> None:
        made = await ask("POST", "/destinations", {"name": "lake", "id": 77})
        assert (made.status, made.json) == (201, {"id": 2, "name": "lake", "status": "ACTIVE"})
        changed = await ask("PATCH", "/destinations/2", {"name": "sea", "id": 9})
        assert changed.json == {"id": 2, "name": "sea", "status": "ACTIVE"}
        assert (await ask("GET", "/destinations/2")).json == changed.json
        listed = await ask("GET", "/destinations")
        assert [row["id"] for row in listed.json["data"]] == [1, 2]
        assert (await ask("DELETE", "/destinations/2")).status == 204
        assert (await ask("DELETE", "/destinations/2")).status == 404

    async def test_connectors(self, ask: Ask) -> None:
        sources = await ask("GET", "/metadata/sources/connectors")
        targets = await ask("GET", "/metadata/destinations/connectors")
        assert [row["type"] for row in sources.json["data"]] == ["MYSQL", "POSTGRESQL", "ORACLE"]
        assert {row["category"] for row in targets.json["data"]} == {"DATA_WAREHOUSE"}


class TestPipelines:
    async def test_their_life(self, ask: Ask, emulator: HevoEmulator) -> None:
        made = await ask("POST", "/pipelines", {"name": "orders"})
        assert (made.status, made.json["id"], made.json["name"]) == (201, 124, "orders")
        unnamed = await ask("POST", "/pipelines", {})
        assert unnamed.json["name"] == "Pipeline 125"
        listed = await ask("GET", "/pipelines")
        assert [row["id"] for row in listed.json["data"]] == [123, 124, 125]
        assert (await ask("DELETE", "/pipelines/124")).status == 204
        assert (await ask("GET", "/pipelines/124")).status == 404

    async def test_an_update_changes_what_it_names_only(self, ask: Ask) -> None:
        before = (await ask("GET", PIPELINE)).json
        fields = {"name": "new", "load_mode": "APPEND", "id": 5, "status": "DELETED"}
        reply = await ask("PATCH", PIPELINE, fields)
        assert reply.json == {**before, "name": "new", "load_mode": "APPEND"}
        assert (await ask("GET", PIPELINE)).json == reply.json

    async def test_an_update_of_the_source(self, ask: Ask) -> None:
        reply = await ask("PATCH", PIPELINE + "/sources", {"config": {"host": "db"}})
        assert reply.json["source"]["config"] == {"host": "db"}
        assert reply.json["source"]["source_type"] == "POSTGRESQL"

    async def test_disable_and_enable(self, ask: Ask) -> None:
        await ask("POST", SYNC)
        await ask("POST", PIPELINE + "/actions/disable", {"cancel_active_jobs": True})
        assert (await ask("GET", PIPELINE)).json["status"] == "DISABLING"
        await asyncio.sleep(2)
        assert (await ask("GET", "/pipelines")).json["data"][0]["status"] == "DISABLED"
        refused = await ask("POST", SYNC)
        assert (refused.status, refused.json["error"]) == (400, "PIPELINE_NOT_ACTIVE")
        assert "DISABLED" in refused.json["message"]
        await ask("POST", PIPELINE + "/actions/enable")
        assert (await ask("POST", SYNC)).status == 200

    async def test_disable_without_a_body_lets_the_job_complete(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        await ask("POST", SYNC)
        assert (await ask("POST", PIPELINE + "/actions/disable")).status == 200
        await asyncio.sleep(60)
        assert emulator.pipeline(123).jobs[-1].status == "COMPLETED"


class TestObjects:
    async def test_both_forms(self, ask: Ask) -> None:
        rows = (await ask("GET", PIPELINE + "/objects")).json["data"]
        assert [row["source_namespace"]["k0"] for row in rows] == ["users", "orders", "items"]
        whole = (await ask("GET", PIPELINE + "/objects/" + rows[1]["object_id"])).json
        assert (whole["object_name"], whole["fields"][0]["primary_key"]) == ("orders", True)

    async def test_included_objects_make_the_next_sync_historical(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        emulator.pipeline(123).objects.add("invoices", status="INACTIVE")
        assert await self.of_next_job(ask) == ("INCREMENTAL", ["users", "orders", "items"])
        rows = (await ask("GET", PIPELINE + "/objects")).json["data"]
        ids = {row["source_namespace"]["k0"]: row["object_id"] for row in rows}
        change = [
            {"object_id": ids["users"], "status": "INACTIVE"},
            {"object_id": ids["invoices"], "status": "active"},
        ]
        reply = await ask("PATCH", PIPELINE + "/objects", {"objects": change})
        assert reply.json == {"status": "success"}
        rows = (await ask("GET", PIPELINE + "/objects")).json["data"]
        assert [row["status"] for row in rows] == ["INACTIVE", "ACTIVE", "ACTIVE", "ACTIVE"]
        assert await self.of_next_job(ask) == ("HISTORICAL", ["orders", "items", "invoices"])
        await ask("PATCH", PIPELINE + "/objects", {"objects": change})  # which changes nothing
        assert (await self.of_next_job(ask))[0] == "INCREMENTAL"

    async def of_next_job(self, ask: Ask) -> tuple[str, list[str]]:
        """Return the type of the next sync's Job, and the names of its objects."""
        await ask("POST", SYNC)
        await asyncio.sleep(70)
        job = (await ask("GET", JOBS)).json["data"][0]
        rows = (await ask("GET", f"{JOBS}/{job['job_id']}/objects")).json["data"]
        return job["type"], [row["object_name"] for row in rows]

    @pytest.mark.parametrize(
        "named", ["no-such-object", "invoices"], ids=["not there", "not active"]
    )
    async def test_what_cannot_be_resynced(
        self, ask: Ask, emulator: HevoEmulator, named: str
    ) -> None:
        emulator.pipeline(123).objects.add("invoices", status="INACTIVE")
        reply = await ask(
            "POST", PIPELINE + "/objects/actions/resync", {"object_ids": ["users", named]}
        )
        expected = (404, "OBJECT_NOT_FOUND") if named != "invoices" else (400, "OBJECT_NOT_ACTIVE")
        assert (reply.status, reply.json["error"]) == expected
        assert emulator.pipeline(123).running is None

    @pytest.mark.parametrize(
        ("policy", "status", "job_type"),
        [("ALLOW_ALL", "ACTIVE", "HISTORICAL"), ("BLOCK_ALL", "BLOCKED", "INCREMENTAL")],
    )
    async def test_a_new_table_is_seen_when_the_schema_is_read(
        self, ask: Ask, emulator: HevoEmulator, policy: str, status: str, job_type: str
    ) -> None:
        await ask("PATCH", PIPELINE, {"schema_evolution": policy})
        emulator.pipeline(123).objects.create_table("invoices", schema="billing")
        assert len((await ask("GET", PIPELINE + "/objects")).json["data"]) == 3
        before = (await ask("GET", PIPELINE)).json["source_schema_status"]["refreshed_ts"]
        await asyncio.sleep(10)
        await ask("POST", PIPELINE + "/objects/actions/refresh-schema")
        new = (await ask("GET", PIPELINE + "/objects")).json["data"][3]
        assert new["source_namespace"] == {"k0": "invoices", "k1": "billing", "k2": "app"}
        assert new["status"] == status
        after = (await ask("GET", PIPELINE)).json["source_schema_status"]["refreshed_ts"]
        assert after - before >= 10_000
        assert (await self.of_next_job(ask))[0] == job_type

    @pytest.mark.parametrize("key", ["object_ids", "objects"])
    async def test_their_resync_names_its_job(
        self, ask: Ask, emulator: HevoEmulator, key: str
    ) -> None:
        reply = await ask("POST", PIPELINE + "/objects/actions/resync", {key: ["users"]})
        job = emulator.pipeline(123).running
        assert job is not None
        assert job.objects == ("users",)
        assert reply.json == {"status": "success", "job_id": job.job_id}
        assert emulator.requests[-1].job_id == job.job_id

    async def test_refresh_schema(self, ask: Ask) -> None:
        reply = await ask("POST", PIPELINE + "/objects/actions/refresh-schema")
        assert reply.json == {"status": "success"}


class TestSync:
    async def test_the_job_appears_late(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.pipeline(123).plan(appears_after=10.0)
        before = (await ask("GET", JOBS)).json["data"]
        reply = await ask("POST", SYNC)
        assert reply.json == {"message": "Sync triggered successfully", "pipeline_id": 123}
        job_id = emulator.requests[-1].job_id
        await asyncio.sleep(9.9)
        assert (await ask("GET", JOBS)).json["data"] == before
        assert (await ask("GET", f"{JOBS}/{job_id}")).status == 404
        assert (await ask("POST", f"{JOBS}/{job_id}/actions/cancel")).status == 404
        await asyncio.sleep(0.2)
        assert (await ask("GET", JOBS)).json["data"][0]["job_id"] == job_id
        assert (await ask("GET", f"{JOBS}/{job_id}")).json["status"] == "IN_PROGRESS"

    async def test_a_second_one_is_refused_while_the_first_is_still_hidden(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        await ask("POST", SYNC)
        reply = await ask("POST", SYNC)
        assert (reply.status, reply.json["error"]) == (409, "Conflict")
        assert "already in progress" in reply.json["message"]
        first, second = emulator.requests.of("sync_now")
        assert (first.took_effect, second.took_effect, second.job_id) == (True, False, None)

    async def test_the_oldest_generation_says_it_with_500_in_plain_text(
        self, session: aiohttp.ClientSession
    ) -> None:
        async with HevoEmulator(dialect="oldest") as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            first = await ask("POST", SYNC)
            assert (first.status, first.text) == (204, "")
            reply = await ask("POST", SYNC)
            assert reply.status == 500
            assert reply.text.startswith("A job is in progress. To sync now you need to cancel")
            assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"

    async def test_the_empty_reply(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(dialect="drop_and_load") as emulator:
            emulator.add_pipeline(123)
            reply = await asker(session, emulator)("POST", SYNC)
            assert (reply.status, reply.json) == (200, {})


class TestResync:
    @pytest.mark.parametrize(
        ("dialect", "body", "job_type"),
        [
            ("newest", {"resync_mode": "EVOLVE_AND_MERGE"}, "RESYNC"),
            ("newest", {"resync_mode": "DROP_AND_LOAD"}, "RESYNC_WITH_DROP_AND_LOAD"),
            ("newest", {"resync_mode": "EVERYTHING"}, None),
            ("newest", {"resync_mode": ["DROP_AND_LOAD"]}, None),
            ("newest", {"drop_and_load": True}, None),
            ("newest", None, None),
            ("evolve", {"resync_mode": "EVOLVE_AND_MERGE"}, "RESYNC_WITH_EVOLVE"),
            ("drop_and_load", {"drop_and_load": True}, "RESYNC_WITH_DROP_AND_LOAD"),
            ("drop_and_load", {"drop_and_load": False}, "RESYNC_WITH_EVOLVE"),
            ("drop_and_load", {}, "RESYNC_WITH_EVOLVE"),
            ("drop_and_load", {"drop_and_load": "yes"}, None),
            ("drop_and_load", {"resync_mode": "DROP_AND_LOAD"}, None),
            ("oldest", None, "TRUNCATE_AND_LOAD"),
            ("oldest", {"drop_and_load": True}, "TRUNCATE_AND_LOAD"),
            ("oldest", {"resync_mode": "DROP_AND_LOAD"}, "TRUNCATE_AND_LOAD"),
        ],
    )
    async def test_each_generation_takes_its_own_body(
        self, session: aiohttp.ClientSession, dialect: str, body: Any, job_type: str | None
    ) -> None:
        async with HevoEmulator(dialect=dialect) as emulator:
            emulator.add_pipeline(123, restart_duration=10)
            reply = await asker(session, emulator)("POST", RESYNC, body)
            if job_type is None:
                assert reply.status == 400
                assert emulator.pipeline(123).status == "INITIALIZED"
                return
            assert reply.status in {200, 204}
            assert emulator.pipeline(123).status == emulator.dialect.restarting_status
            await asyncio.sleep(10)
            assert [job.type for job in emulator.pipeline(123).jobs] == [job_type]

    async def test_it_is_refused_while_restarting(self, ask: Ask) -> None:
        body = {"resync_mode": "DROP_AND_LOAD"}
        await ask("POST", RESYNC, body)
        reply = await ask("POST", RESYNC, body)
        assert (reply.status, reply.json["error"]) == (400, "PIPELINE_NOT_ACTIVE")
        assert "RESTARTING" in reply.json["message"]


class TestJobs:
    async def test_cancel_through_cancelling(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.pipeline(123).plan(appears_after=0)
        await ask("POST", SYNC)
        job = f"{JOBS}/{emulator.requests[-1].job_id}"
        assert (await ask("POST", job + "/actions/cancel")).status == 200
        assert (await ask("GET", job)).json["status"] == "CANCELLING"
        await asyncio.sleep(2)
        assert (await ask("GET", job)).json["status"] == "CANCELLED"
        again = await ask("POST", job + "/actions/cancel")
        assert (again.status, again.json["error"]) == (400, "JOB_NOT_ACTIVE")

    async def test_objects_of_a_job(self, ask: Ask, emulator: HevoEmulator) -> None:
        job_id = emulator.pipeline(123).jobs[0].job_id
        rows = (await ask("GET", f"{JOBS}/{job_id}/objects?limit=2")).json
        assert [row["object_name"] for row in rows["data"]] == ["users", "orders"]
        assert rows["has_more"] is True

    @pytest.mark.parametrize(
        ("order", "ages"), [("newest_first", [1, 2, 3]), ("oldest_first", [3, 2, 1])]
    )
    async def test_both_orders(
        self, session: aiohttp.ClientSession, order: str, ages: list[int]
    ) -> None:
        dialect = type(DIALECTS["newest"])(list_order=order)
        async with HevoEmulator(dialect=dialect, start=START) as emulator:
            emulator.add_pipeline(123, history=3)
            rows = (await asker(session, emulator)("GET", JOBS)).json["data"]
            assert [(START - row["created_ts"] / 1000) / 3600 for row in rows] == ages

    async def test_jobs_of_one_moment_are_turned_around_too(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        pipeline = emulator.add_pipeline(124, appears_after=0)
        ids = [pipeline.start_job(now=START).job_id for _ in range(3)]
        rows = (await ask("GET", "/pipelines/124/jobs")).json["data"]
        assert [row["job_id"] for row in rows] == ids[::-1]


class TestPages:
    async def test_limits(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.add_pipeline(124, history=150)

        async def length(query: str) -> int:
            return len((await ask("GET", "/pipelines/124/jobs" + query)).json["data"])

        assert await length("") == 10
        assert await length("?limit=1") == 1
        assert await length("?limit=100") == 100
        assert await length("?limit=101") == 100

    async def test_new_rows_on_top_shift_nothing(self, ask: Ask, emulator: HevoEmulator) -> None:
        pipeline = emulator.add_pipeline(124, history=5, appears_after=0)
        wanted = [job.job_id for job in reversed(pipeline.jobs)]
        first = (await ask("GET", "/pipelines/124/jobs?limit=3")).json
        pipeline.start_job(now=emulator.now)
        cursor = {"limit": "3", "cursor": first["next_cursor"]}
        second = (await ask("GET", "/pipelines/124/jobs", params=cursor)).json
        assert [row["job_id"] for row in first["data"] + second["data"]] == wanted
        assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)

    def test_a_cursor_that_is_no_text_is_refused(self) -> None:
        cursor = base64.urlsafe_b64encode(b"\xff").decode()
        call = Call({}, {"cursor": cursor}, None, 0.0)
        answer = Service(DIALECTS["newest"]).answer("list_destinations", call)
        assert isinstance(answer, Answer)
        assert answer.status == 400
