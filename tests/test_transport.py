"""The one request loop, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
import warnings
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from hevo_edge import HevoClient, RateLimit, api, errors
from hevo_edge._common.clock import Clock
from hevo_edge._http.config import MAX_REPLY_BYTES, Config
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.transport import Transport
from hevo_edge.emulator import HevoEmulator

from .conftest import REFUSALS, client_of

GET, POST = api.get_pipeline(123), api.sync_now(123)


def now() -> float:
    return asyncio.get_running_loop().time()


def everything_in(error: BaseException) -> str:
    """Return all that a traceback tool could show of an error, the frames' variables included."""
    shown = [repr(error), str(error), *traceback.format_exception(error)]
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None:
            continue
        shown += [repr(link), repr(link.__dict__)]
        step = link.__traceback__
        while step is not None:
            if "hevo_edge" in step.tb_frame.f_code.co_filename or "aiohttp" in str(step.tb_frame):
                shown += [repr(value) for value in step.tb_frame.f_locals.values()]
            step = step.tb_next
        chain += [link.__cause__, link.__context__]
    return "\n".join(shown)


# -- what comes back ------------------------------------------------------------------------------


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


async def test_who_asks_is_said(emulator: HevoEmulator, hevo: HevoClient) -> None:
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


PASSING: list[tuple[str, dict[str, Any], type[errors.RequestError]]] = [
    ("status", {"status": 429}, errors.RateLimited),
    ("status", {"status": 500}, errors.ServerError),
    ("status", {"status": 502, "body": "<html><title>Bad Gateway</title>"}, errors.ServerError),
    ("status", {"status": 503}, errors.ServerError),
    ("status", {"status": 504}, errors.ServerError),
    ("drop", {}, errors.RequestOutcomeUnknown),
    ("drop", {"effect": "after"}, errors.RequestOutcomeUnknown),
    ("delay", {"seconds": 40}, errors.RequestOutcomeUnknown),
    ("endless", {}, errors.RequestOutcomeUnknown),
    ("truncate", {}, errors.UnexpectedResponse),
    ("html", {}, errors.UnexpectedResponse),
    ("body", {"body": b"\xff\xfe\xfa"}, errors.UnexpectedResponse),
    ("body", {"body": b'{"id": 12'}, errors.UnexpectedResponse),
]


@pytest.mark.parametrize(("fault", "options", "kind"), PASSING)
async def test_a_read_is_repeated_while_the_trouble_may_pass(
    emulator: HevoEmulator,
    hevo: HevoClient,
    fault: str,
    options: dict[str, Any],
    kind: type[errors.RequestError],
) -> None:
    getattr(emulator.faults, fault)(times=3, **options)
    assert (await hevo.send(GET)).id == 123
    assert len(emulator.requests) == 4

    getattr(emulator.faults, fault)(times=None, **options)
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(GET)
    assert type(caught.value) is kind
    assert caught.value.attempts == 4
    assert len(emulator.requests) == 8


@pytest.mark.parametrize(("fault", "options", "kind"), PASSING)
async def test_a_post_is_never_repeated_when_it_may_have_arrived(
    emulator: HevoEmulator,
    hevo: HevoClient,
    fault: str,
    options: dict[str, Any],
    kind: type[errors.RequestError],
) -> None:
    getattr(emulator.faults, fault)(times=None, **options)
    with pytest.raises(errors.RequestError) as caught:
        await hevo.send(POST)
    assert type(caught.value) is kind
    assert caught.value.attempts == 1
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("body", [[], None, {}, {"data": None}, {"rows": []}, 5])
async def test_json_of_another_shape_is_said_at_once(
    emulator: HevoEmulator, hevo: HevoClient, body: Any
) -> None:
    emulator.faults.body(body, times=None)
    with pytest.raises(errors.UnexpectedResponse) as caught:
        await hevo.send(api.list_jobs(123))
    assert caught.value.status == 200
    if body is not None:
        assert len(emulator.requests) == 1
        assert "another shape" in str(caught.value)


async def test_a_post_that_was_surely_not_sent_is_repeated(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    await emulator.stop()
    start = now()
    posting = asyncio.create_task(hevo.send(POST))
    await asyncio.sleep(0.01)
    await emulator.start()
    await posting
    assert now() > start
    assert len(emulator.requests.of("sync_now")) == 1

    await emulator.stop()
    await asyncio.sleep(0.01)
    with pytest.raises(errors.RequestNotSent, match="Connect call failed") as caught:
        await hevo.send(POST)
    assert caught.value.attempts == 4
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)


async def test_a_post_on_a_connection_that_dies_may_have_arrived(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    await hevo.send(GET)
    await emulator.stop()
    # The kept connection is dead, but that is seen only in writing to it.
    with pytest.raises(errors.RequestOutcomeUnknown):
        await hevo.send(POST)
    with pytest.raises(errors.RequestNotSent):
        await hevo.send(POST)


async def test_a_connection_that_is_not_made_in_time_was_not_sent(emulator: HevoEmulator) -> None:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        client_of(emulator, session=session, max_retries=0) as hevo,
    ):
        emulator.faults.delay(25)
        slow = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(0.1)
        start = now()
        # The only connection is taken; half of the time is for getting one.
        with pytest.raises(errors.RequestNotSent):
            await hevo.send(POST)
        assert now() - start == pytest.approx(15, abs=1.5)
        await slow
        assert not emulator.requests.of("sync_now")


async def test_a_redirect_is_not_followed(emulator: HevoEmulator, hevo: HevoClient) -> None:
    location = {"Location": "http://127.0.0.1:1/elsewhere"}
    emulator.faults.status(302, headers=location, times=None)
    with pytest.raises(errors.ApiError, match="302: a redirect that is not followed"):
        await hevo.send(GET)
    assert len(emulator.requests) == 1


async def test_a_huge_reply_is_refused(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.body(b" " * (MAX_REPLY_BYTES + 1), times=None)
    with pytest.raises(errors.UnexpectedResponse, match="larger than 16 MiB") as caught:
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


# -- waiting --------------------------------------------------------------------------------------


async def test_retry_after_is_honoured_up_to_a_cap(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, headers={"Retry-After": "40"})
    start = now()
    await hevo.send(GET)
    assert 40 <= now() - start <= 41

    emulator.faults.status(503, headers={"Retry-After": "Thu, 01 Jan 2026 00:01:30 GMT"})
    start = now()
    await hevo.send(GET)
    assert emulator.now >= 1_767_225_690
    assert now() > start

    emulator.faults.status(429, headers={"Retry-After": "121"})
    start = now()
    with pytest.raises(errors.RateLimited) as caught:
        await hevo.send(GET)
    assert caught.value.retry_after == 121
    assert now() == start


async def test_a_429_holds_back_everybody(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(429, headers={"Retry-After": "30"}, on="sync_now")
    with pytest.raises(errors.RateLimited):
        await hevo.send(POST)
    start = now()
    await hevo.send(GET)
    assert now() - start == pytest.approx(30)


async def test_a_429_that_says_nothing_holds_back_longer_each_time(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, times=3)
    start = now()
    await hevo.send(GET)
    assert now() - start >= 10 + 20 + 40
    emulator.faults.status(429, times=1)
    start = now()
    await hevo.send(GET)
    assert 10 <= now() - start < 20


async def test_no_server_can_hold_us_back_for_ever(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(429, headers={"Retry-After": "1000000000"})
    with pytest.raises(errors.RateLimited):
        await hevo.send(GET)
    start = now()
    await hevo.send(GET)
    assert now() - start == pytest.approx(120, abs=1)


async def test_retries_wait_with_full_jitter(emulator: HevoEmulator) -> None:
    waits = []
    for seed in range(20):
        async with client_of(emulator, clock=Clock(seed), rate_limit=None) as hevo:
            emulator.rate_limit = None
            emulator.faults.status(500, times=1)
            start = now()
            await hevo.send(GET)
            waits.append(now() - start)
    assert all(0 <= wait <= 0.5 for wait in waits)
    assert max(waits) - min(waits) > 0.2


async def test_max_retries(emulator: HevoEmulator) -> None:
    emulator.faults.status(500, times=None)
    for retries in (0, 1, 5):
        async with client_of(emulator, max_retries=retries) as hevo:
            with pytest.raises(errors.ServerError) as caught:
                await hevo.send(GET)
            assert caught.value.attempts == retries + 1


async def test_a_deadline_ends_everything(emulator: HevoEmulator) -> None:
    clock = Clock(1)
    config = Config(emulator.api_key, emulator.api_secret, base_url=emulator.base_url)
    sender = Transport(config, RateLimiter(RateLimit(2, 60.0), clock), clock)

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
    async with client_of(emulator, rate_limit=RateLimit(2, 60.0)) as hevo:
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


# -- sessions -------------------------------------------------------------------------------------


async def test_one_connection_serves_requests_one_after_another(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    made: list[object] = []
    loop = asyncio.get_running_loop()
    create_connection = loop.create_connection

    async def counted(*args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return await create_connection(*args, **kwargs)

    loop.create_connection = counted  # type: ignore[method-assign]
    for _ in range(20):
        await hevo.send(GET)
    assert len(made) <= 1


async def test_a_given_session_is_used_and_not_closed(emulator: HevoEmulator) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with client_of(emulator, session=session) as hevo:
            assert (await hevo.send(GET)).id == 123
            emulator.faults.status(404)
            with pytest.raises(errors.NotFound):
                await hevo.send(GET)
        assert not session.closed
    async with client_of(emulator, session=session) as hevo:
        with pytest.raises(errors.HevoError, match="session .* is closed"):
            await hevo.send(GET)


async def test_a_session_with_credentials_of_its_own(emulator: HevoEmulator) -> None:
    session = aiohttp.ClientSession(headers={"Authorization": "Basic bWluZQ=="})
    async with session, client_of(emulator, session=session) as hevo:
        assert (await hevo.send(GET)).id == 123
    with pytest.warns(DeprecationWarning, match="auth"):
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "mine"))
    async with session, client_of(emulator, session=session) as hevo:
        with pytest.raises(errors.ConfigurationError, match="cannot make the request"):
            await hevo.send(GET)


async def test_a_body_that_is_no_json(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="not JSON"):
        await hevo.pipeline(123).update(name=object())
    assert not emulator.requests


async def test_a_closed_client_says_so(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await hevo.send(GET)
    await hevo.close()
    await hevo.close()
    with pytest.raises(errors.HevoError, match="HevoClient is closed"):
        await hevo.send(GET)
    with pytest.raises(errors.HevoError, match="HevoClient is closed"):
        await hevo.pipeline(123).trigger()


def test_several_loops_one_after_another_and_no_close_at_all() -> None:
    """A client that is never closed leaves no session behind, whatever happens to its loops."""

    async def use(hevo: list[HevoClient]) -> None:
        async with HevoEmulator() as emulator:
            emulator.add_pipeline(123)
            if not hevo:
                hevo.append(client_of(emulator))
            # The emulator of each loop listens elsewhere; what counts is the session.
            with pytest.MonkeyPatch.context() as patch:
                config = hevo[0].transport._config
                patch.setattr(config, "base_url", emulator.base_url)
                assert (await hevo[0].send(GET)).id == 123

    kept: list[HevoClient] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(use(kept))
        kept.clear()
        gc.collect()


async def test_closing_while_a_call_waits_for_its_slot(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(1, 60.0)) as hevo:
        await hevo.send(GET)
        waiting = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(1)
        await asyncio.gather(hevo.close(), hevo.close())
        with pytest.raises(errors.HevoError, match="HevoClient is closed"):
            await waiting


@pytest.mark.real_time
async def test_two_loops_at_once_are_refused(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await hevo.send(GET)

    def elsewhere() -> None:
        asyncio.run(hevo.get_pipeline(123))

    with pytest.raises(errors.HevoError, match="another event loop that is still running"):
        await asyncio.to_thread(elsewhere)
    await hevo.send(GET)


@pytest.mark.real_time
async def test_a_client_that_is_forgotten_closes_its_session(emulator: HevoEmulator) -> None:
    hevo = client_of(emulator)
    await hevo.send(GET)
    session = hevo.transport._sessions._opened.get().session
    assert session is not None
    del hevo
    gc.collect()
    for _ in range(3):
        await asyncio.sleep(0)
    assert session.closed


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "options", "kind"), PASSING)
async def test_no_secret_in_any_error_or_log(
    emulator: HevoEmulator,
    hevo: HevoClient,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    options: dict[str, Any],
    kind: type[errors.RequestError],
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    getattr(emulator.faults, fault)(times=None, **options)
    with pytest.raises(kind) as caught:
        await hevo.send(GET)
    shown = everything_in(caught.value) + caplog.text
    assert "emulator-secret" not in shown
    assert "ZW11bGF0b3I" not in shown  # the start of the Basic token


async def test_credentials_that_a_server_echoes_are_struck_out(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    token = hevo.transport._config.headers["Authorization"]
    echo = f"you sent {token} emulator-secret"
    for fault in ("status", "body"):
        if fault == "status":
            emulator.faults.status(400, echo)
        else:
            emulator.faults.body(echo, times=4)
        with pytest.raises(errors.RequestError) as caught:
            await hevo.send(GET)
        shown = everything_in(caught.value)
        assert "***" in shown
        assert token.removeprefix("Basic ") not in shown
        assert "emulator-secret" not in shown


@pytest.mark.real_time
async def test_a_header_that_cannot_be_parsed_may_hold_our_own() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        token = next(line for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
        writer.write(b"HTTP/1.1 200 OK\r\nX-Echo\0" + token + b": x\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, HevoClient("k", "echoed", base_url=f"http://127.0.0.1:{port}") as hevo:
        with pytest.raises(errors.RequestOutcomeUnknown) as caught:
            await hevo.send(POST)
    shown = everything_in(caught.value)
    assert "***" in shown
    assert "azplY2hvZWQ=" not in shown
    assert caught.value.__cause__ is None


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
