"""A bare HTTP session towards the emulator."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from hevo_edge.emulator import HevoEmulator


@dataclass
class Reply:
    status: int
    headers: Any
    text: str
    json: Any


Ask = Callable[..., Awaitable[Reply]]
"""``await ask("GET", "/pipelines/123")``: a request under ``/api/v1``."""


def basic(emulator: HevoEmulator) -> dict[str, str]:
    token = base64.b64encode(f"{emulator.api_key}:{emulator.api_secret}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def asker(session: aiohttp.ClientSession, emulator: HevoEmulator) -> Ask:
    async def ask(method: str, path: str, body: Any = None, **options: Any) -> Reply:
        options.setdefault("headers", basic(emulator))
        url = f"{emulator.base_url}/api/v1{path}"
        async with session.request(method, url, json=body, **options) as response:
            text = await response.text()
            json = await response.json() if response.content_type == "application/json" else None
            return Reply(response.status, response.headers, text, json)

    return ask


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def ask(session: aiohttp.ClientSession, emulator: HevoEmulator) -> Ask:
    return asker(session, emulator)
