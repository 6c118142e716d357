"""The emulator's clock and options, starting and stopping."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from hevo_edge.emulator import Dialect, HevoEmulator
from tests.conftest import START
from tests.emulator.conftest import Ask, asker, basic

PIPELINE = "/pipelines/123"
SYNC = PIPELINE + "/actions/sync-now"


class TestClock:
    async def test_the_date_header_is_the_emulators_time(self, ask: Ask) -> None:
        await asyncio.sleep(3600)
        date = parsedate_to_datetime((await ask("GET", PIPELINE)).headers["Date"])
        assert date.timestamp() == pytest.approx(START + 3600, abs=1)

    async def test_a_gateway_with_a_clock_of_its_own(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(start=START, date_skew=-2.0) as emulator:
            emulator.add_pipeline(123)
            headers = (await asker(session, emulator)("GET", PIPELINE)).headers
            assert parsedate_to_datetime(headers["Date"]).timestamp() == START - 2

    async def test_a_gateway_that_sends_no_date(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(start=START, date_skew=None) as emulator:
            emulator.add_pipeline(123)
            emulator.faults.truncate(on="sync_now")
            assert "Date" not in (await asker(session, emulator)("GET", PIPELINE)).headers
            url = f"{emulator.base_url}/api/v1{SYNC}"
            async with session.post(url, headers=basic(emulator)) as broken_off:
                assert "Date" not in broken_off.headers

    async def test_speed(self) -> None:
        async with HevoEmulator(speed=60.0, start=START) as emulator:
            job = emulator.add_pipeline(123, duration=3600).start_job(now=emulator.now)
            await asyncio.sleep(59)
            assert emulator.pipeline(123).running is job
            await asyncio.sleep(2)
            assert emulator.pipeline(123).running is None
            assert emulator.now == pytest.approx(START + 61 * 60, abs=1)

    async def test_it_stands_at_the_start_until_started(self) -> None:
        emulator = HevoEmulator(start=START)
        await asyncio.sleep(100)
        assert emulator.now == START
        async with emulator:
            await asyncio.sleep(100)
            assert emulator.now == pytest.approx(START + 100, abs=1)

    def test_without_a_start_it_is_now(self) -> None:
        assert abs(HevoEmulator().now - time.time()) < 60

    async def test_the_same_seed_the_same_story(self, session: aiohttp.ClientSession) -> None:
        async def story(seed: int) -> list[str | None]:
            async with HevoEmulator(seed=seed, start=START) as emulator:
                emulator.add_pipeline(123, duration=(1.0, 9.0), every_minutes=1)
                emulator.faults.status(503, probability=0.5, times=None)
                ask = asker(session, emulator)
                for _ in range(20):
                    await ask("POST", SYNC)
                    await asyncio.sleep(10)
                return [f"{call.status} {call.job_id}" for call in emulator.requests]

        assert await story(5) == await story(5)
        assert await story(5) != await story(6)


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"speed": 0}, "speed must be positive, not 0"),
            ({"speed": float("nan")}, "speed must be positive"),
            ({"dialect": "klingon"}, "dialect must be one of .*'newest'.*, not 'klingon'"),
            (
                {"rate_limit": (100, 60)},
                r"rate_limit must be a positive integer or None, not \(100",
            ),
            ({"rate_limit": 0}, "rate_limit must be"),
            ({"retry_after": "soon"}, "retry_after must be .*, not 'soon'"),
        ],
    )
    def test_wrong_ones_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            HevoEmulator(**options)

    def test_a_dialect_of_your_own(self) -> None:
        dialect = Dialect(action_reply="empty")
        assert HevoEmulator(dialect=dialect).add_pipeline(1).dialect is dialect

    @pytest.mark.parametrize(
        "choice", ["resync_body", "in_progress", "action_reply", "list_order", "empty_list"]
    )
    def test_a_dialect_of_unknown_choices_is_refused(self, choice: str) -> None:
        options: dict[str, Any] = {choice: "sideways"}
        with pytest.raises(ValueError, match=f"{choice} must be one of .*, not 'sideways'"):
            Dialect(**options)

    def test_a_pipeline_is_added_once(self) -> None:
        emulator = HevoEmulator()
        assert emulator.add_pipeline(7) is emulator.pipeline(7)
        with pytest.raises(ValueError, match="there is a Pipeline 7 already"):
            emulator.add_pipeline(7)

    def test_an_ipv6_address_is_bracketed(self) -> None:
        assert HevoEmulator(host="::1", port=80).base_url == "http://[::1]:80"


class TestStopAndStart:
    async def test_on_the_same_port_with_the_same_account(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        await ask("POST", SYNC)
        url = emulator.base_url
        await emulator.stop()
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask("GET", PIPELINE)
        await asyncio.sleep(60)
        await emulator.start()
        assert emulator.base_url == url
        rows = (await ask("GET", PIPELINE + "/jobs")).json["data"]
        assert [row["status"] for row in rows] == ["COMPLETED", "COMPLETED"]

    async def test_starting_twice_is_refused(self, ask: Ask, emulator: HevoEmulator) -> None:
        with pytest.raises(RuntimeError, match=f"already listens at {emulator.base_url}"):
            await emulator.start()
        assert (await ask("GET", PIPELINE)).status == 200

    async def test_stopping_twice_is_harmless(self) -> None:
        async with HevoEmulator() as emulator:
            await emulator.stop()
            await emulator.stop()

    async def test_stop_cuts_a_request_in_flight(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.faults.delay(1000)
        request = asyncio.ensure_future(ask("POST", SYNC))
        await asyncio.sleep(1)
        await emulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await request
        assert emulator.pipeline(123).running is None

    async def test_a_taken_port_is_an_error_and_nothing_stays_open(
        self, emulator: HevoEmulator
    ) -> None:
        port = int(emulator.base_url.rpartition(":")[2])
        second = HevoEmulator(port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        await emulator.stop()
        async with second:
            assert second.base_url == emulator.base_url


def get(emulator: HevoEmulator, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(
        f"{emulator.base_url}/api/v1{path}", method=method, headers=basic(emulator)
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hevo-edge-emulator"]


class TestThread:
    """Plain ``with``, in real time: every wait here is one over loopback."""

    def test_serves_synchronous_code_and_leaves_nothing(self) -> None:
        with HevoEmulator(start=START) as emulator:
            emulator.add_pipeline(123, history=1)
            assert len(threads()) == 1
            get(emulator, SYNC, "POST")
            assert emulator.pipeline(123).running is not None
            assert get(emulator, PIPELINE)["status"] == "INITIALIZED"
            assert emulator.requests.of("sync_now")[0].took_effect
        assert threads() == []
        with pytest.raises(urllib.error.URLError, match="refused"):
            get(emulator, PIPELINE)

    def test_can_be_entered_again(self) -> None:
        emulator = HevoEmulator(start=START, speed=1000.0)
        emulator.add_pipeline(123)
        with emulator:
            url, before = emulator.base_url, get(emulator, PIPELINE)
        left = emulator.now
        with emulator:
            assert emulator.base_url == url
            assert get(emulator, PIPELINE) == before
            assert left <= emulator.now < left + 10_000

    def test_leaving_cuts_a_request_in_flight(self) -> None:
        with HevoEmulator() as emulator:
            emulator.add_pipeline(123)
            emulator.faults.delay(1000)
            port = int(emulator.base_url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET /api/v1/pipelines HTTP/1.1\r\nHost: x\r\n\r\n")
                while not emulator.requests:
                    time.sleep(0.001)
                emulator.__exit__(None, None, None)
                assert connection.recv(100) == b""
        assert threads() == []

    def test_a_taken_port_is_an_error_and_leaves_no_thread(self) -> None:
        with HevoEmulator() as emulator:
            port = int(emulator.base_url.rpartition(":")[2])
            with pytest.raises(OSError, match="address already in use"):
                HevoEmulator(port=port).__enter__()
            assert len(threads()) == 1

    async def test_it_is_refused_in_virtual_time(self) -> None:
        emulator = HevoEmulator()
        with pytest.raises(RuntimeError, match="use `async with HevoEmulator"):
            emulator.__enter__()
        assert threads() == []

    def test_leaving_what_was_never_entered_does_nothing(self) -> None:
        emulator = HevoEmulator()
        emulator.__exit__(None, None, None)
        assert emulator.requests == []
