"""Requests and replies over HTTP: credentials, the call limit, the journal."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator import HevoEmulator, RecordedCall
from hevo_edge.emulator.call_window import CallWindow
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
            # A refused call does not count: the one at 59 s blocks none.
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

    async def test_after_retry_after_the_next_call_is_admitted(
        self, session: aiohttp.ClientSession
    ) -> None:
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
        window, now = CallWindow(), 0.0
        admitted: list[float] = []
        for gap in gaps:
            now += gap
            recent = [at for at in admitted if at > now - 60.0]
            assert window.admit(now, limit) == (len(recent) < limit)
            if len(recent) < limit:
                admitted.append(now)

    async def test_it_can_be_changed_while_running(self, ask: Ask, emulator: HevoEmulator) -> None:
        emulator.rate_limit = 1
        assert [(await ask("GET", PIPELINE)).status for _ in range(2)] == [200, 429]
        emulator.rate_limit = None
        assert (await ask("GET", PIPELINE)).status == 200


class TestJournal:
    async def test_what_it_records(self, ask: Ask, emulator: HevoEmulator) -> None:
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

    async def test_on_request_is_called_with_each_answer(
        self, session: aiohttp.ClientSession
    ) -> None:
        recorded: list[tuple[str, int | None, tuple[str, ...]]] = []

        def record(call: RecordedCall) -> None:
            recorded.append((call.endpoint, call.status, call.faults))

        async with HevoEmulator(on_request=record) as emulator:
            emulator.add_pipeline(123)
            ask = asker(session, emulator)
            await ask("GET", PIPELINE)
            emulator.faults.drop(on="sync_now")
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await ask("POST", SYNC)
        assert recorded == [("get_pipeline", 200, ()), ("sync_now", None, ("drop",))]

    def test_a_misspelt_endpoint_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no endpoint is named 'sync-now': .*sync_now"):
            HevoEmulator().requests.of("list_jobs", "sync-now")
