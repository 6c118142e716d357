"""The HTTP side: credentials, the call limit, the journal, starting and stopping."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator import Dialect, HevoEmulator, RecordedCall
from tests.conftest import START
from tests.emulator.conftest import Ask, asker, basic

PIPELINE = "/pipelines/123"
SYNC = PIPELINE + "/actions/sync-now"


class TestCredentials:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
            {"Authorization": "Bearer emulator-key"},
            {"Authorization": "Basic übel"},
        ],
    )
    async def test_without_the_right_ones_401(
        self, ask: Ask, emulator: HevoEmulator, headers: dict[str, str]
    ) -> None:
        reply = await ask("POST", SYNC, headers=headers)
        assert (reply.status, reply.json["error"]) == (401, "AUTHENTICATION_FAILED")
        assert emulator.pipeline(123).running is None
        assert (await ask("GET", "/nowhere", headers=headers)).status == 401

    async def test_ones_of_your_own(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(api_key="clé", api_secret="a:b") as emulator:
            emulator.add_pipeline(123)
            assert (await asker(session, emulator)("GET", PIPELINE)).status == 200

    async def test_the_journal_holds_none(self, ask: Ask, emulator: HevoEmulator) -> None:
        await ask("POST", SYNC)
        await ask("GET", "/nowhere?x=1")
        written = repr(emulator.requests) + repr(vars(emulator.requests[0]))
        token = basic(emulator)["Authorization"].split()[1]
        for secret in (emulator.api_key, emulator.api_secret, token, "Authorization"):
            assert secret not in written


class TestCallLimit:
    async def test_the_101st_call_in_a_minute_is_refused(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        for _ in range(100):
            assert (await ask("GET", PIPELINE)).status == 200
        reply = await ask("POST", SYNC)
        assert (reply.status, reply.json["error"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert reply.json["message"] == "Request rate limit exceeded"
        assert emulator.pipeline(123).running is None

    async def test_the_window_slides(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(rate_limit=2) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)

            async def status_at(second: float) -> int:
                await asyncio.sleep(begin + second - loop.time())
                return (await ask("GET", PIPELINE)).status

            loop = asyncio.get_running_loop()
            begin = loop.time()
            moments = [0, 30, 59, 60.1, 61, 89.9, 90.1, 91]
            found = [await status_at(second) for second in moments]
            # A refused call does not count: the one at 59 s keeps nobody out.
            assert found == [200, 200, 429, 200, 429, 429, 200, 429]

    async def test_calls_without_credentials_do_not_count(
        self, session: aiohttp.ClientSession
    ) -> None:
        async with HevoEmulator(rate_limit=1) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            assert (await ask("GET", PIPELINE, headers={})).status == 401
            assert (await ask("GET", PIPELINE)).status == 200

    async def test_none_means_no_limit(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(rate_limit=None) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            assert {(await ask("GET", PIPELINE)).status for _ in range(150)} == {200}

    @pytest.mark.parametrize(("speed", "seconds"), [(1.0, 50), (10.0, 5), (1000.0, 1)])
    @pytest.mark.parametrize("form", ["seconds", "date", None])
    async def test_retry_after_in_its_three_forms(
        self, session: aiohttp.ClientSession, form: str | None, speed: float, seconds: int
    ) -> None:
        async with HevoEmulator(
            rate_limit=1, retry_after=form, speed=speed, start=START
        ) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            await ask("GET", PIPELINE)
            await asyncio.sleep(10 / speed)
            headers = (await ask("GET", PIPELINE)).headers
            if form == "seconds":
                assert headers["Retry-After"] == str(seconds)
            elif form == "date":
                then, now = (
                    parsedate_to_datetime(headers[name]) for name in ("Retry-After", "Date")
                )
                assert (then - now).total_seconds() == pytest.approx(seconds, abs=1)
            else:
                assert "Retry-After" not in headers

    async def test_whoever_waits_as_told_is_let_in(self, session: aiohttp.ClientSession) -> None:
        async with HevoEmulator(rate_limit=1) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            await ask("GET", PIPELINE)
            await asyncio.sleep(12.3)
            refused = await ask("GET", PIPELINE)
            await asyncio.sleep(float(refused.headers["Retry-After"]))
            assert (await ask("GET", PIPELINE)).status == 200

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(gaps=st.lists(st.floats(0.0, 40.0), max_size=40), limit=st.integers(1, 5))
    def test_never_more_than_the_limit_in_any_minute(self, gaps: list[float], limit: int) -> None:
        emulator = HevoEmulator(rate_limit=limit, start=0.0)
        admitted: list[float] = []
        for gap in gaps:
            emulator._epoch += gap
            recent = [at for at in admitted if at > emulator.now - 60.0]
            assert emulator._admits() == (len(recent) < limit)
            if len(recent) < limit:
                admitted.append(emulator.now)


class TestJournal:
    async def test_what_it_tells(self, ask: Ask, emulator: HevoEmulator) -> None:
        await ask("POST", PIPELINE + "/actions/resync", {"resync_mode": "DROP_AND_LOAD"})
        await ask("GET", PIPELINE + "/jobs?limit=5")
        await ask("GET", "/pipelines/²")
        resync, listing, odd = emulator.requests
        assert (resync.endpoint, resync.method) == ("resync_pipeline", "POST")
        assert resync.path == "/api/v1/pipelines/123/actions/resync"
        assert (resync.body, resync.pipeline_id) == ({"resync_mode": "DROP_AND_LOAD"}, 123)
        assert (resync.status, resync.took_effect, resync.faults) == (200, True, ())
        assert "aiohttp" in resync.user_agent
        assert START <= resync.at < START + 1
        assert (listing.query, listing.body) == ({"limit": "5"}, None)
        assert (odd.status, odd.pipeline_id, odd.took_effect) == (404, None, False)
        assert emulator.requests.of("list_jobs", "get_job") == [listing]

    async def test_a_body_that_is_no_json_is_kept_as_text(
        self, session: aiohttp.ClientSession, emulator: HevoEmulator
    ) -> None:
        url = emulator.base_url + "/api/v1/pipelines"
        async with session.post(url, data=b"{oops\xff", headers=basic(emulator)) as response:
            assert response.status == 400
        assert emulator.requests[-1].body == "{oops\ufffd"

    async def test_a_known_path_with_another_method_is_unknown(
        self, ask: Ask, emulator: HevoEmulator
    ) -> None:
        assert (await ask("PUT", PIPELINE)).status == 404
        assert emulator.requests[-1].endpoint == "unknown"

    async def test_on_request_hears_of_each_answer(self, session: aiohttp.ClientSession) -> None:
        heard: list[tuple[str, int | None, tuple[str, ...]]] = []

        def listen(call: RecordedCall) -> None:
            heard.append((call.endpoint, call.status, call.faults))

        async with HevoEmulator(on_request=listen) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            await ask("GET", PIPELINE)
            emulator.faults.drop(on="sync_now")
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await ask("POST", SYNC)
        assert heard == [("get_pipeline", 200, ()), ("sync_now", None, ("drop",))]


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
            ({"retry_after": "soon"}, "retry_after must be .*, not 'soon'"),
        ],
    )
    def test_wrong_ones_are_told(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            HevoEmulator(**options)

    def test_a_dialect_of_your_own(self) -> None:
        dialect = Dialect(action_reply="empty")
        assert HevoEmulator(dialect=dialect).add_pipeline(1).dialect is dialect

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

    async def test_a_taken_port_is_told_and_nothing_stays_open(
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

    def test_a_taken_port_is_told_and_leaves_no_thread(self) -> None:
        with HevoEmulator() as emulator:
            port = int(emulator.base_url.rpartition(":")[2])
            with pytest.raises(OSError, match="address already in use"):
                HevoEmulator(port=port).__enter__()
            assert len(threads()) == 1

    def test_leaving_what_was_never_entered_does_nothing(self) -> None:
        emulator = HevoEmulator()
        emulator.__exit__(None, None, None)
        assert emulator.requests == []
