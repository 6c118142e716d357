"""One attempt of the request loop, over real sockets: what it sends, what it returns, its limits."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from hevo_edge import HevoClient, RateLimit, api, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.config import Config
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import MAX_REPLY_BYTES, Transport
from hevo_edge.emulator import HevoEmulator
from tests.conftest import REFUSALS, client_of

from .support import GET, now


async def test_a_read_and_the_servers_clock(emulator: HevoEmulator, hevo: HevoClient) -> None:
    assert (await hevo.send(GET)).id == 123
    sender = Transport(
        Config("emulator-key", "emulator-secret", base_url=emulator.base_url),
        RateLimiter(None, Clock()),
        Clock(),
    )
    reply = await sender.exchange(GET, Priority.LIST)
    assert reply.server_time == int(emulator.now)
    await sender.close()


async def test_the_user_agent(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await hevo.send(GET)
    assert emulator.requests[0].user_agent.startswith("hevo-edge/")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *REFUSALS,
        (409, errors.ApiError),
        (418, errors.ApiError),
    ],
)
async def test_a_refusal_is_typed_and_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: type[errors.ApiError]
) -> None:
    emulator.faults.status(status, {"error": "SOME_CODE", "message": "the reason"})
    with pytest.raises(errors.ApiError) as caught:
        await hevo.send(GET)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.attempts) == (status, "SOME_CODE", 1)
    assert (error.method, error.path) == ("GET", "/api/v1/pipelines/123")
    assert "the reason" in str(error)
    assert "the reason" in error.body
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("body", [[], None, {"data": {}}, {"rows": []}, 5])
async def test_json_of_another_shape_is_raised_at_once(
    emulator: HevoEmulator, hevo: HevoClient, body: Any
) -> None:
    emulator.faults.body(body, times=None)
    with pytest.raises(errors.UnexpectedResponse) as caught:
        await hevo.send(api.list_jobs(123))
    assert caught.value.status == 200
    if body is not None:
        assert len(emulator.requests) == 1
        assert "another shape" in str(caught.value)


async def test_a_redirect_is_not_followed(emulator: HevoEmulator, hevo: HevoClient) -> None:
    location = {"Location": "http://127.0.0.1:1/elsewhere"}
    emulator.faults.status(302, headers=location, times=None)
    with pytest.raises(errors.ServerError, match="not Hevo: a redirect to http.*is not followed"):
        await hevo.send(GET)
    assert len(emulator.requests) == 4


async def test_a_request_body_that_is_no_json(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="not JSON"):
        await hevo.pipeline(123).update(name=object())
    assert not emulator.requests


# -- long replies ----------------------------------------------------------------------------------


async def test_a_huge_reply_is_refused(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.body(b" " * (MAX_REPLY_BYTES + 1), times=None)
    with pytest.raises(errors.UnexpectedResponse, match="larger than 4 MiB") as caught:
        await hevo.send(GET)
    assert caught.value.attempts == 1
    emulator.faults.clear()
    assert (await hevo.send(GET)).id == 123


async def test_a_long_reply_in_many_parts_is_read_whole(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    padding = "x" * 3_000_000
    emulator.faults.body({"id": 123, "padding": padding})
    data = await hevo.send(GET)
    assert data.model_extra == {"padding": padding}


async def test_an_error_whose_body_never_ends_is_still_that_error(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(404, times=None)
    emulator.faults.endless(times=None)
    with pytest.raises(errors.NotFound):
        await hevo.send(GET)


# -- deadlines and limits --------------------------------------------------------------------------


async def test_a_deadline_ends_everything(emulator: HevoEmulator) -> None:
    clock = Clock(1)
    config = Config(emulator.api_key, emulator.api_secret, base_url=emulator.base_url)
    sender = Transport(config, RateLimiter(RateLimit(3, 60.0), clock), clock)

    emulator.faults.delay(100, times=1)
    start = now()
    with pytest.raises(errors.RequestOutcomeUnknown, match="timed out"):
        await sender.exchange(GET, Priority.POLL, deadline=start + 3)
    assert now() - start == pytest.approx(3)

    emulator.faults.status(500, headers={"Retry-After": "50"}, times=None)
    start = now()
    with pytest.raises(errors.ServerError):
        await sender.exchange(GET, Priority.POLL, deadline=start + 3)
    assert now() - start == pytest.approx(3, abs=0.1)

    start = now()
    with pytest.raises(errors.RequestNotSent, match="call budget"):
        await sender.exchange(GET, Priority.POLL, deadline=start + 3)
    assert now() - start == pytest.approx(3)
    await sender.close()


async def test_the_limit_holds_over_real_requests(emulator: HevoEmulator, hevo: HevoClient) -> None:
    start = now()
    await asyncio.gather(*(hevo.send(GET) for _ in range(250)))
    assert {call.status for call in emulator.requests} == {200}
    assert 120 < now() - start < 122


async def test_cancelling_a_request_frees_its_connection_and_is_counted(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(3, 60.0)) as hevo:
        emulator.faults.delay(20)
        slow = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(1)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        start = now()
        await hevo.send(GET)
        assert now() == start
        await hevo.send(GET)
        assert now() - start == pytest.approx(60.1, abs=1.1)


# -- stubs in users' tests -------------------------------------------------------------------------


def test_a_plain_stub_is_enough_for_a_users_unit_test(shimmed_aioresponses: None) -> None:
    async def main() -> None:
        with aioresponses() as stub:
            url = "https://us.hevodata.com/api/v1/pipelines/123"
            stub.get(url, payload={"id": 123, "name": "Orders", "status": "INITIALIZED"})
            async with HevoClient("key", "secret", region="us") as hevo:
                pipeline = await hevo.get_pipeline(123)
            assert pipeline.name == "Orders"

    asyncio.run(main())


@pytest.fixture
def shimmed_aioresponses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aioresponses 0.7.9 make aiohttp 3.14's responses, which want a stream writer."""

    class StreamWriter:
        output_size = 0

    class Response(aiohttp.ClientResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.setdefault("stream_writer", StreamWriter())
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("aioresponses.core.ClientResponse", Response)
