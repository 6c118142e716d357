"""Faults in which the reply is well-formed and wrong: old, of another, doubled, or unasked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from hevo_edge.emulator import DIALECTS, Dialect, Faults, HevoEmulator
from tests.emulator.conftest import Ask
from tests.emulator.pipelines import pipeline

PIPELINE = "/pipelines/123"
JOBS = PIPELINE + "/jobs"
SYNC = PIPELINE + "/actions/sync-now"
RESYNC = PIPELINE + "/actions/resync"


def job_path(emulator: HevoEmulator, at: int = -1) -> str:
    return f"{JOBS}/{emulator.pipeline(123).jobs[at].job_id}"


class TestFields:
    async def test_shift(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.shift("updated_ts", 3_600_000, times=2)
        path = job_path(emulator)
        ahead = [(await ask("GET", JOBS)).json["data"][0], (await ask("GET", path)).json]
        right = (await ask("GET", path)).json
        assert [row["updated_ts"] - right["updated_ts"] for row in ahead] == [3_600_000] * 2
        assert ahead[1]["created_ts"] == right["created_ts"]

    async def test_in_seconds(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.in_seconds("created_ts")
        path = job_path(emulator)
        shown, right = (await ask("GET", path)).json, (await ask("GET", path)).json
        assert shown["created_ts"] == right["created_ts"] // 1000

    async def test_what_is_no_number_stays(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.shift("name", 1)
        assert (await ask("GET", PIPELINE)).json["name"] == "Pipeline 123"

    @pytest.mark.parametrize("status", [None, "UNKNOWN"])
    async def test_a_status_that_says_nothing(
        self, ask: Ask, emulator: HevoEmulator, status: Any
    ) -> None:
        emulator.faults.unknown_value("status", status)
        assert (await ask("GET", job_path(emulator))).json["status"] == status


class TestStale:
    async def test_jobs_are_as_they_were(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.pipeline(123).plan(appears_after=0, duration=100)
        await ask("POST", SYNC)
        path, begin = job_path(emulator), emulator.now
        await asyncio.sleep(120)
        emulator.faults.stale(60, times=2)
        old, row = (await ask("GET", path)).json, (await ask("GET", JOBS)).json["data"][0]
        assert old["status"] == row["status"] == "IN_PROGRESS"
        assert old["updated_ts"] / 1000 == pytest.approx(begin + 60, abs=1)
        assert (await ask("GET", path)).json["status"] == "COMPLETED"
        emulator.faults.stale(130, times=2)
        assert (await ask("GET", path)).status == 404
        assert len((await ask("GET", JOBS)).json["data"]) == 1

    async def test_a_cancelled_job(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.pipeline(123).cancel_duration = 30
        emulator.pipeline(123).plan(appears_after=0, duration=None)
        await ask("POST", SYNC)
        path = job_path(emulator)
        await asyncio.sleep(10)
        await ask("POST", path + "/actions/cancel")
        await asyncio.sleep(40)
        for age, status in [(45, "IN_PROGRESS"), (20, "CANCELLING"), (0, "CANCELLED")]:
            emulator.faults.stale(age)
            assert (await ask("GET", path)).json["status"] == status
            emulator.faults.stale(age)
            assert {
                row["status"] for row in (await ask("GET", path + "/objects")).json["data"]
            } == {"COMPLETED" if age == 0 else "IN_PROGRESS"}

    async def test_the_pipelines_status(self, ask: Ask, emulator: HevoEmulator) -> None:
        await ask("POST", RESYNC, {"resync_mode": "EVOLVE_AND_MERGE"})
        await asyncio.sleep(20)
        for age, status in [(25, "INITIALIZED"), (15, "RESTARTING"), (0, "INITIALIZED")]:
            emulator.faults.stale(age)
            assert (await ask("GET", PIPELINE)).json["status"] == status

    async def test_a_post_is_never_stale(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.stale(3600, times=None)
        begin = emulator.now
        assert (await ask("POST", SYNC)).status == 200
        assert emulator.pipeline(123).jobs[-1].created == pytest.approx(begin, abs=0.1)

    def test_seconds_are_not_negative(self) -> None:
        with pytest.raises(ValueError, match="seconds must be at least 0, not -1"):
            HevoEmulator().faults.stale(-1)


class TestOtherId:
    async def test_the_reply_is_about_another(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.add_pipeline(7)
        emulator.faults.other_id(on="get_pipeline", pipeline_id=7)
        assert [(await ask("GET", PIPELINE)).json["id"] for _ in range(2)] == [7, 123]
        other = emulator.pipeline(123).add_history(created=emulator.now - 7200)
        emulator.faults.other_id(on="get_job", job_id=other.job_id, times=2, skip=1)
        path = job_path(emulator, 0)
        ids = [(await ask("GET", path)).json["job_id"] for _ in range(3)]
        assert ids == [path.rsplit("/", 1)[1], other.job_id, other.job_id]


class TestEndlessList:
    @pytest.mark.parametrize(
        ("cycle", "cursors"),
        [(None, ["0", "1", "2", "3"]), (1, ["0"] * 4), (2, ["0", "1", "0", "1"])],
    )
    async def test_cursors(
        self, ask: Ask, emulator: HevoEmulator, cycle: int | None, cursors: list[str]
    ) -> None:
        emulator.faults.endless_list(on="list_jobs", cycle=cycle, times=4)
        query, seen, ids = "", [], set()
        for _ in range(4):
            page = (await ask("GET", JOBS + query)).json
            assert page["has_more"]
            ids.add(page["data"][0]["job_id"])
            seen.append(page["next_cursor"].removeprefix("again-"))
            query = "?cursor=" + page["next_cursor"]
        assert (seen, len(ids)) == (cursors, 1)
        # When the fault is over, such a cursor still leads to the first page.
        assert not (await ask("GET", JOBS + query)).json["has_more"]

    def test_a_cycle_has_a_cursor(self) -> None:
        with pytest.raises(ValueError, match="cycle must be at least 1, not 0"):
            HevoEmulator().faults.endless_list(cycle=0)


async def raw(emulator: HevoEmulator, requests: int, pause: float) -> bytes:
    """Send requests over one connection, and return all that comes, also unasked for."""
    host, port = emulator.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    got = b""
    for _ in range(requests):
        writer.write(b"GET /api/v1/pipelines HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(pause)
        got += await reader.read(1 << 16)
    writer.close()
    await writer.wait_closed()
    return got


class TestDesync:
    async def test_a_reply_that_nobody_asked_for(self, emulator: HevoEmulator) -> None:
        emulator.faults.stray(429, {"error": "x"}, headers={"retry-after": "9"}, after=2)
        got = await raw(emulator, 1, pause=1)
        assert got.startswith(b"HTTP/1.1 401")
        assert got.count(b"HTTP/1.1 ") == 1
        emulator.faults.stray(429, {"error": "x"}, headers={"retry-after": "9"}, after=2)
        got = await raw(emulator, 1, pause=3)
        stray = b"HTTP/1.1 " + got.split(b"HTTP/1.1 ")[2]
        assert stray.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"\r\nRetry-After: 9\r\n" in stray
        assert stray.endswith(b'Content-Length: 14\r\n\r\n{"error": "x"}')

    async def test_a_reply_comes_twice(self, emulator: HevoEmulator) -> None:
        emulator.faults.double()
        replies = (await raw(emulator, 2, pause=1)).split(b"HTTP/1.1 ")[1:]
        assert len(replies) == 3
        assert [reply[:3] for reply in replies] == [b"401"] * 3
        assert len({reply.partition(b"\r\n\r\n")[2] for reply in replies}) == 1

    async def test_nothing_is_written_to_a_connection_that_is_gone(
        self, emulator: HevoEmulator
    ) -> None:
        emulator.faults.double(after=5)
        await raw(emulator, 1, pause=1)
        await asyncio.sleep(10)

    def test_a_stray_status_is_a_status(self) -> None:
        with pytest.raises(ValueError, match="status must be from 200 to 599, not 99"):
            HevoEmulator().faults.stray(99)


class TestAfterTheEffect:
    async def test_a_reset(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.drop(effect="after", reset=True)
        with pytest.raises(aiohttp.ClientOSError, match="reset"):
            await ask("POST", SYNC)
        assert emulator.requests[0].took_effect

    @pytest.mark.parametrize("status", [408, 425, 499])
    async def test_a_gateway_gives_up(self, ask: Ask, emulator: HevoEmulator, status: int) -> None:
        emulator.faults.status(status, "<html>", effect="after")
        assert (await ask("POST", SYNC)).status == status
        assert emulator.requests[0].took_effect
        assert emulator.pipeline(123).running


class TestClocks:
    async def test_a_nodes_clock(self, ask: Ask, emulator: HevoEmulator) -> None:
        p = emulator.pipeline(123)
        p.add_history(created=emulator.now - 60, duration=1, skew=3600)
        p.plan(appears_after=0, skew=-30)
        await ask("POST", SYNC)
        mine, ahead = (await ask("GET", JOBS)).json["data"][:2]
        assert ahead["created_ts"] / 1000 == pytest.approx(emulator.now + 3540, abs=1)
        assert mine["created_ts"] / 1000 == pytest.approx(emulator.now - 30, abs=1)
        assert mine["updated_ts"] >= mine["created_ts"]

    def test_faults_take_no_effect_of_their_own(self, emulator: HevoEmulator) -> None:
        assert isinstance(emulator.faults, Faults)
        with pytest.raises(TypeError, match="stale takes no effect"):
            emulator.faults.stale(1, effect="before")


class TestDialects:
    async def test_a_list_by_the_last_change(self, ask: Ask, emulator: HevoEmulator) -> None:
        dialect = {"list_order": "last_updated_first", "times": "s", "cursor": "offset"}
        p = pipeline(dialect=_dialect(**dialect), now=emulator.now)
        long = p.add_history(created=emulator.now - 3600, duration=3000)
        p.add_history(created=emulator.now - 1800, duration=60)
        emulator.service.pipelines[123] = p
        emulator.service.dialect = p.dialect
        page = (await ask("GET", JOBS + "?limit=1")).json
        assert page["data"][0]["job_id"] == long.job_id
        assert page["data"][0]["created_ts"] == round(emulator.now - 3600)
        assert (await ask("GET", JOBS + "?limit=1&cursor=" + page["next_cursor"])).json["data"]

    @pytest.mark.parametrize("choice", [{"cursor": "page"}, {"times": "us"}])
    def test_a_choice_that_is_none(self, choice: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="must be one of"):
            _dialect(**choice)


def _dialect(**choice: str) -> Dialect:
    return replace(DIALECTS["newest"], **choice)  # type: ignore[arg-type]
