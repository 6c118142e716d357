"""Answers on the wire, and the faults that garble them or break them off."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import web

from hevo_edge.emulator.edits import edit_body
from hevo_edge.emulator.faults import Fault
from hevo_edge.emulator.service import Answer

_ENDLESS_LENGTH = 1 << 40
_MISSING_BYTES = 1000
_REASONS = {status.value: status.phrase for status in HTTPStatus}


async def send(
    answer: Answer, faults: list[Fault], request: web.Request, *, date: float, speed: float
) -> web.StreamResponse:
    """Return the response to a request; one that is to break off is sent before this returns.

    Args:
        answer: What to send.
        faults: Those that hit the request; the ones that change the reply apply here.
        request: What it responds to.
        date: The time of the ``Date`` header, in seconds since 1970.
        speed: Emulator seconds per second.
    """
    answer.headers = {"Date": formatdate(date, usegmt=True), **answer.headers}
    content_type, body = _content_type(answer.body), edit_body(answer.body, faults, request.query)
    for fault in faults:
        if fault.kind == "body":
            body, content_type = fault.options["body"], fault.options["content_type"]
    payload = _encode(body)
    answer.headers.setdefault("Content-Type", content_type)
    kinds = {fault.kind for fault in faults}
    if kinds & {"truncate", "endless"}:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        return await _break_off(response, payload, request, endless="endless" in kinds)
    for fault in faults:
        if fault.kind == "double":
            _write_later(_raw(answer, payload), fault, request, speed)
        elif fault.kind == "stray":
            reply = {name: fault.options[name] for name in ("status", "body", "headers")}
            stray = Answer(**reply)
            stray.headers = {"Content-Type": _content_type(stray.body), **stray.headers}
            _write_later(_raw(stray, _encode(stray.body)), fault, request, speed)
    return web.Response(status=answer.status, body=payload or None, headers=answer.headers)


def cut(request: web.Request, *, reset: bool = False) -> None:
    """Cut the connection of a request: close it, or reset it."""
    if request.transport is None:
        return
    if reset:
        # Without lingering, the kernel answers with RST.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


def _raw(answer: Answer, payload: bytes) -> bytes:
    """Return a reply as it is on the wire."""
    headers = {**answer.headers, "Content-Length": str(len(payload))}
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def _write_later(raw: bytes, fault: Fault, request: web.Request, speed: float) -> None:
    """Write to the connection behind aiohttp's back, after the real reply."""

    def write() -> None:
        transport = request.transport
        if transport is not None and not transport.is_closing():
            transport.write(raw)

    asyncio.get_running_loop().call_later(fault.options["after"] / speed, write)


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
    cut(request)
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
