"""Every fault, from the client's end of the connection."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator import Fault, Faults, HevoEmulator
from hevo_edge.emulator.edits import edit_fields
from tests.emulator.conftest import Ask, basic

PIPELINE = "/pipelines/123"
JOBS = PIPELINE + "/jobs"
SYNC = PIPELINE + "/actions/sync-now"


def hits(fault: Fault, *endpoints: str) -> list[bool]:
    rng = random.Random(0)
    return [fault.hits(endpoint, rng) for endpoint in endpoints]


class TestRules:
    def test_once_unless_told_otherwise(self) -> None:
        assert hits(Fault("drop"), "a", "b") == [True, False]
        assert hits(Fault("drop", times=2), "a", "b", "c") == [True, True, False]
        assert hits(Fault("drop", times=None), *"abcd") == [True] * 4
        assert hits(Fault("drop", times=0), "a") == [False]

    def test_where_the_name_matches(self) -> None:
        assert hits(Fault("drop", on="sync_now"), "get_job", "sync_now") == [False, True]
        fault = Fault("drop", on="*_job", times=None)
        assert hits(fault, "get_job", "list_jobs", "cancel_job") == [True, False, True]

    def test_after_so_many_matching_ones(self) -> None:
        fault = Fault("drop", on="get_job", skip=2)
        names = ["get_job", "list_jobs", "get_job", "get_job", "get_job"]
        assert hits(fault, *names) == [False, False, False, True, False]

    @pytest.mark.parametrize(
        ("probability", "least", "most"), [(0.0, 0, 0), (0.3, 200, 400), (1.0, 1000, 1000)]
    )
    def test_with_its_probability(self, probability: float, least: int, most: int) -> None:
        fault = Fault("drop", times=None, probability=probability)
        assert least <= sum(hits(fault, *["x"] * 1000)) <= most

    @settings(derandomize=True, deadline=None)
    @given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 20))
    def test_skip_and_times_add_up(self, skip: int, times: int, calls: int) -> None:
        found = hits(Fault("drop", skip=skip, times=times), *["x"] * calls)
        assert found == [skip <= number < skip + times for number in range(calls)]

    def test_an_unknown_effect_is_refused(self) -> None:
        with pytest.raises(ValueError, match="effect must be 'before' or 'after', not 'later'"):
            Faults(random.Random(0)).drop(effect="later")

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ({"times": -1}, "times must be at least 0, or None for all, not -1"),
            ({"skip": -1}, "skip must be at least 0, not -1"),
            ({"probability": 1.5}, "probability must be from 0 to 1, not 1.5"),
            ({"probability": float("nan")}, "probability must be from 0 to 1, not nan"),
        ],
    )
    def test_an_impossible_rule_is_refused(self, rule: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Faults(random.Random(0)).drop(**rule)

    def test_a_delay_is_not_negative(self) -> None:
        with pytest.raises(ValueError, match="seconds must be at least 0, not -3"):
            Faults(random.Random(0)).delay(-3)

    @pytest.mark.parametrize("status", [0, 100, 600])
    def test_a_status_that_ends_no_request_is_refused(self, status: int) -> None:
        with pytest.raises(ValueError, match=f"status must be from 200 to 599, not {status}"):
            Faults(random.Random(0)).status(status)

    @pytest.mark.parametrize("kind", ["truncate", "endless", "html"])
    def test_a_fault_of_the_reply_takes_no_effect(self, kind: str) -> None:
        with pytest.raises(TypeError, match="takes no effect: it changes the reply"):
            getattr(Faults(random.Random(0)), kind)(effect="before")

    async def test_clear_drops_all(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.status(500, times=None)
        assert (await ask("GET", PIPELINE)).status == 500
        emulator.faults.clear()
        assert (await ask("GET", PIPELINE)).status == 200


class TestDelayAndDrop:
    @pytest.mark.parametrize(("effect", "created"), [("before", 30), ("after", 0)])
    async def test_delay(
        self, ask: Ask, emulator: HevoEmulator, effect: str, created: float
    ) -> None:
        emulator.faults.delay(30, effect=effect)
        begin = emulator.now
        assert (await ask("POST", SYNC)).status == 200
        assert emulator.now - begin == pytest.approx(30, abs=0.5)
        job = emulator.pipeline(123).jobs[-1]
        assert job.created - begin == pytest.approx(created, abs=0.5)

    async def test_delays_run_at_the_emulators_speed(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(speed=10) as emulator:
            emulator.faults.delay(30)
            loop = asyncio.get_running_loop()
            begin = loop.time()
            url = emulator.base_url + "/api/v1/pipelines"
            async with session.get(url, headers=basic(emulator)) as response:
                assert response.status == 200
            assert loop.time() - begin == pytest.approx(3, abs=0.5)

    @pytest.mark.parametrize(("effect", "took_effect"), [("before", False), ("after", True)])
    async def test_drop(
        self, ask: Ask, emulator: HevoEmulator, effect: str, took_effect: bool
    ) -> None:
        emulator.faults.drop(on="sync_now", effect=effect)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await ask("POST", SYNC)
        (call,) = emulator.requests
        assert (call.status, call.took_effect, call.faults) == (None, took_effect, ("drop",))
        running = emulator.pipeline(123).running
        assert (running.job_id if running else None) == call.job_id
        assert (call.job_id is not None) is took_effect

    async def test_a_drop_keeps_the_effect_away_though_the_client_has_disconnected(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        emulator.faults.delay(60)
        emulator.faults.drop()
        with pytest.raises(asyncio.TimeoutError):
            await ask("POST", SYNC, timeout=aiohttp.ClientTimeout(1))
        await asyncio.sleep(120)
        (call,) = emulator.requests
        assert (call.took_effect, call.status) == (False, None)

    async def test_an_effect_goes_on_though_the_client_has_disconnected(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        emulator.faults.delay(60)
        with pytest.raises(asyncio.TimeoutError):
            await ask("POST", SYNC, timeout=aiohttp.ClientTimeout(1))
        await asyncio.sleep(120)
        (call,) = emulator.requests
        assert (call.took_effect, call.status) == (True, None)


class TestStatus:
    @pytest.mark.parametrize(("effect", "took_effect"), [("before", False), ("after", True)])
    async def test_before_and_after(
        self, ask: Ask, emulator: HevoEmulator, effect: str, took_effect: bool
    ) -> None:
        emulator.faults.status(502, "<html>bad gateway</html>", effect=effect)
        reply = await ask("POST", SYNC)
        assert (reply.status, reply.text) == (502, "<html>bad gateway</html>")
        assert reply.headers["Content-Type"].startswith("text/html")
        assert emulator.requests[0].took_effect is took_effect
        assert emulator.requests[0].status == 502

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            ({"error": "x"}, "application/json"),
            (b"{}", "application/json"),
            ("oops", "text/plain; charset=utf-8"),
        ],
    )
    async def test_bodies_of_all_kinds(
        self, ask: Ask, emulator: HevoEmulator, body: Any, content_type: str
    ) -> None:
        emulator.faults.status(403, body)
        reply = await ask("GET", PIPELINE)
        assert (reply.status, reply.headers["Content-Type"]) == (403, content_type)
        assert reply.text in {'{"error": "x"}', "{}", "oops"}

    async def test_headers_win_however_they_are_written(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        headers = {"retry-after": "7", "content-type": "application/problem+json"}
        emulator.faults.status(429, "{}", headers=headers)
        reply = await ask("GET", PIPELINE)
        assert reply.headers.getall("Retry-After") == ["7"]
        assert reply.headers.getall("Content-Type") == ["application/problem+json"]

    async def test_a_429_has_no_headers_of_its_own(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.status(429)
        assert "Retry-After" not in (await ask("GET", PIPELINE)).headers

    async def test_an_endpoint_that_does_not_exist(self, emulator: HevoEmulator) -> None:
        with pytest.raises(ValueError, match="no endpoint is named 'sync-now': .*sync_now"):
            emulator.faults.drop(on="sync-now")
        assert emulator.faults.drop(on="*_now").on == "*_now"
        assert emulator.faults.drop(on="unknown").on == "unknown"


class TestBodies:
    async def test_truncate(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.truncate()
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask("POST", SYNC)
        (call,) = emulator.requests
        assert (call.status, call.took_effect) == (None, True)

    async def test_a_truncated_reply_is_announced_as_json(
        self, session: aiohttp.ClientSession, emulator: HevoEmulator
    ) -> None:
        emulator.faults.truncate()
        url = emulator.base_url + "/api/v1/pipelines"
        async with session.get(url, headers=basic(emulator)) as response:
            assert response.content_type == "application/json"

    async def test_endless(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.endless()
        begin = emulator.now
        with pytest.raises(asyncio.TimeoutError):
            await ask("GET", PIPELINE, timeout=aiohttp.ClientTimeout(100))
        assert emulator.now - begin == pytest.approx(100, abs=1)
        await asyncio.sleep(10)
        assert emulator.requests[0].status is None

    async def test_body_keeps_the_status(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.body("{broken", content_type="text/json")
        reply = await ask("POST", "/destinations", {})
        assert (reply.status, reply.text) == (201, "{broken")
        assert reply.headers["Content-Type"] == "text/json"
        emulator.faults.body([1, 2])
        assert (await ask("GET", PIPELINE)).json == [1, 2]

    async def test_html(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.html()
        reply = await ask("GET", PIPELINE)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html")
        assert "Please wait" in reply.text

    async def test_unknown_value(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.unknown_value("status", times=2)
        assert (await ask("GET", PIPELINE)).json["status"] == "NEVER_SEEN_BEFORE"
        rows = (await ask("GET", JOBS)).json["data"]
        assert [row["status"] for row in rows] == ["NEVER_SEEN_BEFORE"]

    async def test_missing_field(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.missing_field("type", on="list_jobs")
        assert "type" not in (await ask("GET", JOBS)).json["data"][0]
        assert "type" in (await ask("GET", JOBS)).json["data"][0]

    async def test_several_at_once(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.delay(5)
        emulator.faults.missing_field("name")
        emulator.faults.unknown_value("status", "ODD")
        reply = (await ask("GET", PIPELINE)).json
        assert (reply["status"], "name" in reply) == ("ODD", False)
        assert emulator.requests[0].faults == ("delay", "missing_field", "unknown_value")

    def test_edit_changes_nothing_without_such_a_field(self) -> None:
        fault = Fault("unknown_value", options={"name": "status", "value": "X"})
        assert edit_fields("text", fault) == "text"
        assert edit_fields([{"a": 1}, {"status": 2}], fault) == [{"a": 1}, {"status": "X"}]
        body = {"data": [{"status": 1}], "inner": {"status": 1}}
        assert edit_fields(body, fault) == {"data": [{"status": "X"}], "inner": {"status": 1}}
        assert body["data"] == [{"status": 1}]
