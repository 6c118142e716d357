"""Credentials show in no error, no traceback and no log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator

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
