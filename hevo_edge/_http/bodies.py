"""The bodies of requests and replies, as bytes."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp

from hevo_edge._http.config import MAX_REPLY_BYTES
from hevo_edge._http.delivery import say
from hevo_edge.errors import ConfigurationError, UnexpectedResponse

log: logging.Logger = logging.getLogger("hevo_edge.http")

_ERROR_BODY_BYTES = 64 * 1024


def encode(body: Any) -> bytes:
    """Return a request's body as JSON.

    Raises:
        ConfigurationError: when it is none.
    """
    try:
        return json.dumps(body).encode()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"the body of the request is not JSON: {error}") from None


async def whole(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a reply.

    Raises:
        UnexpectedResponse: when it is larger than anything Hevo sends.
    """
    body = await _read(response, MAX_REPLY_BYTES + 1)
    if len(body) > MAX_REPLY_BYTES:
        raise UnexpectedResponse(
            f"the reply is larger than {MAX_REPLY_BYTES >> 20} MiB", status=response.status
        )
    return body


async def error_text(response: aiohttp.ClientResponse) -> str:
    """Read the body of an error as far as it can be read: the status alone is worth raising."""
    try:
        body = await _read(response, _ERROR_BODY_BYTES)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        log.debug("the body of a %s reply could not be read: %s", response.status, say(error))
        return ""
    return body.decode("utf-8", errors="replace")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read until the end or until ``limit`` is reached, whichever comes first."""
    first = await response.content.readany()
    if response.content.at_eof():
        return first
    parts, size = [first], len(first)
    while size < limit and not response.content.at_eof():
        parts.append(await response.content.readany())
        size += len(parts[-1])
    return b"".join(parts)
