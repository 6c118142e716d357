"""Answers on the wire, and the faults that garble them or break them off."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from aiohttp import web

from hevo_edge.emulator.faults import Fault, edit
from hevo_edge.emulator.service import Answer

_ENDLESS_LENGTH = 1 << 40
_MISSING_BYTES = 1000


async def send(
    answer: Answer, faults: list[Fault], request: web.Request, *, date: float
) -> web.StreamResponse:
    """Return the response to a request; one that is to break off is sent before this returns.

    Args:
        answer: What to send.
        faults: Those that hit the request; the ones that change the body apply here.
        request: What it responds to.
        date: The time of the ``Date`` header, in seconds since 1970.
    """
    headers = {"Date": formatdate(date, usegmt=True), **answer.headers}
    content_type, body = _content_type(answer.body), answer.body
    for fault in faults:
        if fault.kind == "body":
            body, content_type = fault.options["body"], fault.options["content_type"]
        elif fault.kind in {"unknown_value", "missing_field"}:
            body = edit(body, fault)
    payload = _encode(body)
    headers.setdefault("Content-Type", content_type)
    kinds = {fault.kind for fault in faults}
    if kinds & {"truncate", "endless"}:
        response = web.StreamResponse(status=answer.status, headers=headers)
        return await _break_off(response, payload, request, endless="endless" in kinds)
    return web.Response(status=answer.status, body=payload or None, headers=headers)


async def _break_off(
    response: web.StreamResponse, payload: bytes, request: web.Request, *, endless: bool
) -> web.StreamResponse:
    response.content_length = _ENDLESS_LENGTH if endless else len(payload) + _MISSING_BYTES
    with suppress(ConnectionError):  # the client has closed the connection
        await response.prepare(request)
        await response.write(payload[: len(payload) // 2])
        while endless and request.transport is not None:
            await response.write(b" ")
            await asyncio.sleep(1.0)
    if request.transport is not None:
        request.transport.abort()
    return response


def _content_type(body: Any) -> str:
    if isinstance(body, str) and body.lstrip().startswith("<"):
        return "text/html; charset=utf-8"
    return "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"


def _encode(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
