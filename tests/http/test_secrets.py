"""Credentials show in no error, no traceback and no log."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
import pytest

from hevo_edge import HevoClient, api, errors
from hevo_edge._http.secrets import secrets_of
from hevo_edge._text.printable import printable
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of

from .servers import Server, replies, reply
from .support import GET, PASSING, POST, everything_in


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


async def test_credentials_that_a_server_echoes_are_redacted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    token = hevo._core.transport._config.headers["Authorization"]
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


# -- every form, at every place of a reply -----------------------------------------------------------

KEY, SECRET, HEADER, PASSWORD = (
    "k3y+of/the=user",
    "s3cr3t/of+the=user",
    "t0ken-of-gateway",
    "pr0xy/pass",
)
TOKEN = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
PROXY_TOKEN = base64.b64encode(f"hevo-proxy:{PASSWORD}".encode()).decode()
ALL = [KEY, SECRET, TOKEN, HEADER, PASSWORD, PROXY_TOKEN]

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/").replace("=", "\\u003d"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of the whole header": lambda text: base64.b64encode(f"X: {text}".encode()).decode(),
}
PLACES: dict[str, Callable[[str], bytes]] = {
    "message": lambda text: reply(f'{{"message": "no {text}"}}'.encode(), "400 Bad Request"),
    "code": lambda text: reply(f'{{"code": "{text}"}}'.encode(), "400 Bad Request"),
    "body": lambda text: reply(text.encode(), "500 Oh"),
    "body, late": lambda text: reply(b"x" * 3990 + text.encode(), "403 No"),
    "title": lambda text: reply(f"<html><title>{text}</title>".encode(), "502 Bad Gateway"),
    "no JSON": lambda text: reply(f"got {text}".encode()),
    "another shape": lambda text: reply(json.dumps([text]).encode()),
    "reason phrase": lambda text: reply(b"", f"404 {text}"),
    "location": lambda text: reply(b"", "302 Found", Location=f"https://x/?a={text}"),
    "a header's name": lambda text: reply(b"", "200 OK\r\nX\0" + text + ": 1"),
    "a header without end": lambda text: reply(b"", f"200 OK\r\nX: {text * 500}"),
    "status line": lambda text: f"{text} HTTP/1.1\r\n\r\n".encode(),
    "chunk": lambda text: reply(text.encode(), Transfer_Encoding="chunked", Content_Length=""),
    "cut off": lambda text: reply(text.encode(), Content_Length=5000),
    "encoding": lambda text: reply(b"x", Content_Encoding=text.strip()),
}


def shown_by(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    return everything_in(error) + caplog.text + repr(pickle.dumps(error))


def assert_hidden(shown: str, secret: str) -> None:
    as_printed = shown.replace("\\\\", "\\")
    for name, form in FORMS.items():
        assert form(secret) not in shown, name
        assert form(secret) not in as_printed, name
    assert secret not in unquote(as_printed)


@pytest.mark.real_time
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_no_form_of_a_secret_at_any_place_is_shown(
    caplog: pytest.LogCaptureFixture, form: Callable[[str], str], place: Callable[[str], bytes]
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    for secret in ALL[:4]:
        async with (
            Server(replies(place(form(secret)))) as server,
            HevoClient(
                KEY,
                SECRET,
                base_url=f"http://127.0.0.1:{server.port}",
                headers={"X-Gateway": HEADER},
                max_retries=0,
            ) as hevo,
        ):
            try:
                await hevo.send(POST)
            except errors.HevoError as error:
                assert_hidden(shown_by(error, caplog), secret)


PROXY_PLACES: dict[str, Callable[[str], bytes]] = {
    "407": lambda text: reply(text.encode(), f"407 {text}", X=text),
    "502": lambda text: reply(text.encode(), f"502 {text}"),
    "garbled CONNECT": lambda text: f"EHLO {text}\r\n\r\n".encode(),
    "closed": lambda text: b"",
    "a tunnel without TLS": lambda text: b"HTTP/1.1 200 OK\r\n\r\n" + text.encode(),
}


@pytest.mark.real_time
@pytest.mark.parametrize("place", PROXY_PLACES.values(), ids=PROXY_PLACES)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])
async def test_the_password_of_a_proxy_is_shown_nowhere(
    caplog: pytest.LogCaptureFixture,
    form: Callable[[str], str],
    place: Callable[[str], bytes],
    given: bool,
) -> None:
    caplog.set_level(logging.DEBUG, logger="hevo_edge")
    for secret in (PASSWORD, PROXY_TOKEN):
        async with Server(replies(place(form(secret)))) as proxy:
            url = f"http://hevo-proxy:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy.port}"
            session = aiohttp.ClientSession(proxy=url) if given else None
            options: dict[str, Any] = {"session": session} if given else {"proxy": url}
            async with HevoClient(KEY, SECRET, region="us", max_retries=0, **options) as hevo:
                with pytest.raises(errors.RequestError) as caught:
                    await hevo.send(POST)
            if session is not None:
                await session.close()
        shown = shown_by(caught.value, caplog)
        assert_hidden(shown, secret)
        assert f"hevo-proxy:{PASSWORD}" not in unquote(shown)


async def test_a_ticket_that_is_stored_holds_no_secret_of_a_reply(emulator: HevoEmulator) -> None:
    stored: list[str] = []
    headers = {"X-Gateway": HEADER}
    async with client_of(emulator, headers=headers) as hevo:
        token = hevo._core.transport._config.headers["Authorization"].removeprefix("Basic ")
        for form in FORMS.values():
            told = f"<p>{form(HEADER)} {form(token)} \x1b[1m"
            emulator.faults.status(502, told, on="sync_now", effect="after")
            await hevo.pipeline(123).trigger(
                if_running="replace", on_ticket=lambda ticket: stored.append(ticket.dumps())
            )
    assert sum("***" in text for text in stored) >= len(FORMS)
    for secret in (HEADER, token):
        assert_hidden("".join(stored), secret)


async def test_a_cursor_that_holds_a_secret_is_not_shown_in_a_path(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(500, times=9)
    with pytest.raises(errors.ServerError) as caught:
        await hevo.send(api.list_jobs(123, cursor=f"a/{emulator.api_secret}{'x' * 5000}"))
    error = caught.value
    shown = [*traceback.format_exception(error), repr(vars(error)), repr(pickle.dumps(error))]
    assert "emulator-secret" not in unquote("".join(shown))
    assert len(str(caught.value)) < 2000
    assert caught.value.path.startswith("/api/v1/pipelines/123/jobs?limit=100&cursor=a%2F***")


def test_what_is_taken_for_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://from-env:env-password@proxy:3128")

    session = SimpleNamespace(
        headers={"X-Token": "session-token", "User-Agent": "some-program"},
        auth=SimpleNamespace(login="login-name", password="auth-password"),
        trust_env=True,
    )
    found = set(
        secrets_of(
            "key",
            "secret",
            {"Authorization": "Bearer long-bearer", "Cookie": "id=long-cookie", "X-Env": "prod"},
            "http://user:pass%2Fword@host",
            session,
        )
    )
    assert {"key", "secret", "key:secret", "long-bearer", "long-cookie"} <= found
    assert {"session-token", "auth-password", "env-password", "pass/word", "pass%2Fword"} <= found
    assert not {"some-program", "prod", "user"} & found


async def test_a_session_that_is_none_is_still_refused(emulator: HevoEmulator) -> None:
    with pytest.raises(errors.ConfigurationError, match="session must be"):
        client_of(emulator, session=object())


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Token": "sp\ud83d"}},
        {"proxy": "http://user:sp\ud83d@proxy"},
        {"region": None, "base_url": "https://host/sp\ud83d"},
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_quoted(options: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        HevoClient("key", "secret", **{"region": "us", **options})
    str(caught.value).encode()
    for pair in (("k\ud83d", "secret"), ("key", "s\udc80")):
        with pytest.raises(errors.ConfigurationError, match="cannot be sent") as caught:
            HevoClient(*pair, region="us")
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_no_secret_is_left_when_the_client_is_gone() -> None:
    hevo = HevoClient("a-passing-key", "a-passing-secret", region="us")
    assert printable("a-passing-secret") == "***"
    del hevo
    gc.collect()
    assert printable("a-passing-secret") == "a-passing-secret"
